"""Names of files as people write them. Loads nothing, for the command line's help."""

from __future__ import annotations

import os
from pathlib import Path


def expanded(name: str | os.PathLike[str]) -> Path:
    """A path with ``~`` as the home folder; as it is, where there is no such user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)
