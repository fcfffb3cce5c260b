"""Whether a file is the right one."""

from __future__ import annotations

import hashlib
from pathlib import Path

from ..errors import RemoteError

_PART = 1 << 20


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def git_id_of(path: Path) -> str:
    """The id that a file has in a git repository: SHA-1 of its length and content."""
    digest = hashlib.sha1(f"blob {path.stat().st_size}\0".encode(), usedforsecurity=False)
    with path.open("rb") as file:
        while part := file.read(_PART):
            digest.update(part)
    return digest.hexdigest()


_KINDS = {"sha256": sha256_of, "git": git_id_of}


def is_right(path: Path, check: str) -> bool:
    """Whether a file passes a check, ``sha256:...`` or ``git:...``."""
    kind, _, wanted = check.partition(":")
    return _KINDS[kind](path) == wanted


def refuse_wrong(path: Path, check: str | None, *, where: str) -> None:
    """Remove a file that is not the right one, and say so.

    Raises:
        RemoteError: it is another file.
    """
    if check is not None and not is_right(path, check):
        found = _KINDS[check.partition(":")[0]](path)
        path.unlink()
        raise RemoteError(
            f"the file is not the one that was expected: its hash is {found}, not {check.partition(':')[2]}; it was removed",
            where=where,
            fix="try again; if it stays so, the source has changed: look at its page",
        )
