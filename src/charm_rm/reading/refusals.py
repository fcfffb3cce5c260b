"""The errors of reading that every kind of file shares."""

from __future__ import annotations

from pathlib import Path

from ..errors import UnreadableFile


def wrong_encoding(path: Path) -> UnreadableFile:
    """The error for bytes that are not UTF-8."""
    return UnreadableFile(
        "the text is not UTF-8",
        where=str(path),
        fix="convert it, for example with: iconv -f LATIN1 -t UTF-8 (UTF-16 from a spreadsheet: -f UTF-16)",
    )
