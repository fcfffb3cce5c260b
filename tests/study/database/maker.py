"""A process that writes a study, over and over: ``python maker.py PATH``. It is there to be killed."""

from __future__ import annotations

import sys
from pathlib import Path


def main(path: Path) -> None:
    """Write the study to ``path``, in place of the one there."""
    from charm_rm.study.database import create_study
    from study_worlds import small_study

    study = small_study(40, checks=3)
    print("ready", flush=True)
    while True:
        create_study(path, study, force=True).close()
        print("written", flush=True)


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[2]))
    main(Path(sys.argv[1]))
