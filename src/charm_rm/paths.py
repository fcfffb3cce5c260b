"""Names of files as people write them. Loads nothing, for the command line's help."""

from __future__ import annotations

import os
from pathlib import Path

from .errors import UnreadableFile


def expanded(name: str | os.PathLike[str]) -> Path:
    """A path with ``~`` as the home folder; as it is, where there is no such user."""
    try:
        return Path(name).expanduser()
    except RuntimeError:
        return Path(name)


def file_of(given: str | os.PathLike[str]) -> Path:
    """The file that a function was given by name.

    Raises:
        UnreadableFile: it is the text of a table, and no name.
    """
    if "\n" in os.fspath(given).strip():
        raise UnreadableFile(
            "this is text of several lines, and the name of a file is expected",
            fix="write it into a file, or read it first: polars.read_csv(io.StringIO(text), infer_schema=False)",
        )
    return expanded(given)
