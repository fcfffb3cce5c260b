"""One run at a time on one output."""

from __future__ import annotations

import contextlib
import fcntl
import os
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


def _lock_file(path: Path) -> TextIO:
    """Open and lock ``path``; again where its last holder has removed it since it was opened."""
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle = path.open("a+", encoding="utf-8")
        except OSError as error:
            raise write_failed(path, error) from error
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            with handle:
                handle.seek(0)
                raise ConfigError(
                    f"another run is at work here (process {handle.read().strip() or 'unknown'})",
                    where=str(path.parent),
                    mend="wait for it to end, or choose another output with -o",
                ) from error
        except OSError as error:  # some network file systems know no locks
            handle.close()
            raise write_failed(path, error) from error
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(path.stat(), os.fstat(handle.fileno())):
                return handle
        handle.close()
