"""``accelerate launch -m charm_rm.models.train``: one of several processes that train together; it takes what ``charm train`` takes."""

from __future__ import annotations

from ..cli.launched import main

if __name__ == "__main__":
    main()
