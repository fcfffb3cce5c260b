"""One run at a time on one output."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from .errors import ConfigError
from .store import write_failed


@contextlib.contextmanager
def locked(path: str | Path, *, remove: bool = False) -> Iterator[None]:
    """Hold the lock file ``path`` for the block; a second process that wants it is refused.

    The lock is the kernel's (flock) on a file that names the holder's process. The kernel lets go of it
    when the holder ends, however it ends, so that a lock file left by a killed run is stale and in nobody's way.
    ``remove``: take the file away at the end, while it is still held.

    Raises:
        ConfigError: another process holds it.
        WriteFailed: the file cannot be made.
    """
    path = Path(path)
    with _lock_file(path) as handle:
        _sign(handle, path)
        try:
            yield
        finally:
            if remove:
                path.unlink(missing_ok=True)


def _sign(handle: TextIO, path: Path) -> None:
    """Write who holds the lock."""
    try:
        handle.seek(0)
        handle.truncate()
        handle.write(f"{os.getpid()}\n")
        handle.flush()
    except OSError as error:
        with contextlib.suppress(OSError):
            handle.close()  # it flushes once more, and fails again
        raise write_failed(path, error) from error


def _open_plain(path: Path) -> TextIO:
    """Open a lock file, or make one; never through a link, and never a file that holds more than the number of a process."""
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    try:
        number = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno != errno.ELOOP:
            raise
        raise _not_a_lock(path, "is a symbolic link") from error
    if not stat.S_ISREG(os.fstat(number).st_mode):
        os.close(number)
        raise _not_a_lock(path, "is no plain file")
    handle = os.fdopen(number, "a+", encoding="utf-8", errors="replace")
    with contextlib.ExitStack() as closing:
        closing.push(handle)
        handle.seek(0)
        if not re.fullmatch(r"\d*\s*", handle.read(64), re.ASCII):
            raise _not_a_lock(path, "holds something else than the number of a process")
        closing.pop_all()
    return handle


def _not_a_lock(path: Path, what: str) -> ConfigError:
    return ConfigError(
        f"the lock file {what}, so it is not touched",
        where=str(path),
        fix="move it away, or choose another output",
    )


def _lock_file(path: Path) -> TextIO:
    """Open and lock ``path``; again where its last holder has removed it since it was opened."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = _open_plain(path)
        except OSError as error:
            raise write_failed(path, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            with handle:
                handle.seek(0)
                raise ConfigError(
                    f"another run is using this output (process {handle.read().strip() or 'unknown'})",
                    where=str(path.parent),
                    fix="wait for it to end, or choose another output with -o",
                ) from error
        except OSError as error:  # some network file systems know no locks
            handle.close()
            raise write_failed(path, error) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(handle.fileno())):
                return handle
        handle.close()
