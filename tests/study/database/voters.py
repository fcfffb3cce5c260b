"""A process that votes until nothing is left: ``python voters.py PLACE RATER``. It tells each vote once it is acknowledged."""

from __future__ import annotations

import os
import sys
import time


def main(place: str, rater: int) -> None:
    """Vote left on everything, a line ``REQUEST PUBLIC_ID`` per vote that the database has said it saved."""
    from charm_rm.study.database import open_study

    where = {"url": place} if "://" in place else {"where": place}
    with open_study(**where) as database:
        print("ready", flush=True)
        i = 0
        while (seen := database.next_assignment(rater, now=time.time())) is not None:
            request = f"{os.getpid()}-{rater}-{i:06}"
            i += 1
            if (
                database.vote(rater, seen.public_id, "left", request_id=request, now=time.time()).outcome
                == "saved"
            ):
                print(request, seen.public_id, flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
