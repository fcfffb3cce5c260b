"""Opening files that somebody gave: plain files alone, with one set of errors for what goes wrong while they are read."""

from __future__ import annotations

import contextlib
import itertools
import stat
from collections.abc import Iterator
from pathlib import Path

import polars as pl

from ..errors import UnreadableFile, did_you_mean, first_line
from .refusals import wrong_encoding


def read_text(path: Path, *, most: int, encoding: str = "utf-8-sig") -> str:
    """The text of a small file that a person wrote: settings, a prompt, a list.

    Raises:
        UnreadableFile: missing, no plain file, longer than ``most`` bytes, or not UTF-8.
    """
    check_plain_file(path)
    try:
        if path.stat().st_size > most:
            raise UnreadableFile(
                f"is longer than {most:,} bytes", where=str(path), fix="shorten it; is it the right file?"
            )
        return path.read_text(encoding=encoding)
    except UnicodeDecodeError as error:
        raise wrong_encoding(path) from error
    except OSError as error:
        raise _not_opened(path, error) from error


def check_plain_file(path: Path) -> None:
    """Refuse what cannot be opened and read to its end: a missing file, a folder, a pipe, a device, a path too long.

    Raises:
        UnreadableFile: with the reason.
    """
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableFile(
            f"no such file.{_near_files(path)}".rstrip("."), where=str(path), fix="check the path"
        ) from error
    except (OSError, ValueError) as error:  # a loop of links, a name too long, a NUL in it
        raise _not_opened(path, error) from error
    if stat.S_ISDIR(mode):
        raise UnreadableFile("is a folder, a file was expected", where=str(path), fix="name a file in it")
    if not stat.S_ISREG(mode):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise UnreadableFile(
            f"is {kind}, a file was expected", where=str(path), fix="write its content into a file first"
        )


def _near_files(path: Path) -> str:
    """A question that names files beside the path with nearly its name; empty where there are none."""
    try:
        return did_you_mean(path.name, [p.name for p in itertools.islice(path.parent.iterdir(), 1000)])
    except OSError:
        return ""


@contextlib.contextmanager
def reading_file(path: Path, kind: str) -> Iterator[None]:
    """Turn everything that goes wrong while the block reads a table of a kind into :class:`UnreadableFile`, with the reason."""
    if path.is_file() and path.stat().st_size == 0:
        raise UnreadableFile("the file is empty", where=str(path), fix="write it again")
    try:
        yield
    except UnicodeDecodeError as error:
        raise wrong_encoding(path) from error
    except OSError as error:
        raise _not_opened(path, error) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
        # A damaged Parquet file makes some readers of Polars panic, which is no Exception.
        if "utf-8" in str(error).casefold() or "utf8" in str(error).casefold():
            raise wrong_encoding(path) from error
        raise UnreadableFile(
            f"cannot be read as {kind}: {first_line(error)}",
            where=str(path),
            fix="the file may be cut short or of another kind; write it again",
        ) from error


def _not_opened(path: Path, error: Exception) -> UnreadableFile:
    reason = error.strerror if isinstance(error, OSError) else str(error)
    return UnreadableFile(
        f"cannot be opened: {reason}", where=str(path), fix="check the path and its permissions"
    )
