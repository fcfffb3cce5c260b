"""What the system says no to, wherever in a command: paths too long, folders without access, a full disk or standard output."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from pathlib import Path

from ..errors import CharmError, UnreadableFile, WriteFailed, first_line

# Of a path that was given, and of the machine.
_PATHS = {
    errno.ENAMETOOLONG,
    errno.EACCES,
    errno.EPERM,
    errno.ELOOP,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EROFS,
}
_MACHINE = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.EMFILE,
    errno.ENFILE,
    errno.EFBIG,
    errno.ENOMEM,
    errno.EBADF,
}

_LOOP = "Symlink loop from "


def system_refusal(error: BaseException) -> CharmError | None:
    """The error in words, where it is the system's; None for any other."""
    if isinstance(error, FileNotFoundError) and _is_gone():
        return UnreadableFile(
            "the working folder was deleted", where="the working folder", fix="change to one that exists"
        )
    if isinstance(error, RuntimeError) and str(error).startswith(_LOOP):  # pathlib's, up to Python 3.12
        where = str(error).removeprefix(_LOOP).strip("'")
        return UnreadableFile("links that lead in a circle", where=_short(where), fix="remove the link")
    if isinstance(error, MemoryError):
        return WriteFailed(
            f"memory does not suffice{': ' if str(error) else ''}{first_line(error) if str(error) else ''}",
            fix="use fewer draws, policies or prompts at once, or a machine with more memory",
        )
    if not isinstance(error, OSError) or error.errno not in _PATHS | _MACHINE:
        return None
    where = "standard output" if error.filename is None else _short(os.fsdecode(error.filename))
    if error.errno in _PATHS:
        return UnreadableFile(
            f"the system refuses: {error.strerror}", where=where, fix="check the path and its permissions"
        )
    return WriteFailed(
        f"the system refuses: {error.strerror}", where=where, fix="free disk space or memory, then run again"
    )


def open_closed_streams() -> None:
    """Where a shell has closed one of them (``>&-``), what is printed goes nowhere."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (open to the end)


def drop_standard_output() -> None:
    """Send what is left in its buffer nowhere: it was refused once, and would be again when Python ends."""
    with contextlib.suppress(OSError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 1)
        os.close(nowhere)


def _is_gone() -> bool:
    try:
        Path.cwd()
    except FileNotFoundError:
        return True
    return False


def _short(path: str) -> str:
    return path if len(path) <= 200 else f"{path[:200]}... ({len(path)} characters)"
