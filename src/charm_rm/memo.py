"""A content-addressed store: nothing that was scored or judged once is asked for again, across runs too.

A value lies under a hash of all that decides it (:func:`content_key`): the model's fingerprint, the layout, the
texts. The store is one SQLite file, which survives kills, holds a batch wholly or not at all, and lets several
processes read and write. It keeps values and hashes, never the texts that were hashed.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from .errors import CharmError, UnreadableFile, WriteFailed

ENVIRONMENT = "CHARM_CACHE"
_FILE = "memo.sqlite"
_SCHEMA = "CREATE TABLE IF NOT EXISTS memo (key TEXT PRIMARY KEY, run TEXT NOT NULL, value TEXT NOT NULL) WITHOUT ROWID"
# SQLite takes at most 999 parameters a statement in its older builds.
_CHUNK = 900
_T = TypeVar("_T")


def content_key(*parts: Any) -> str:
    """Hash of ``parts`` (anything JSON can hold), 32 hexadecimal digits; equal parts, equal key."""
    text = json.dumps(parts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def in_portions(
    keys: Sequence[str], answers: Iterator[tuple[int, _T]], *, one_by_one: bool
) -> Iterator[dict[str, _T]]:
    """What is answered, as (index, answer), by key and in portions to be kept at once: each alone, or all together."""
    try:
        if one_by_one:
            for index, answer in answers:
                yield {keys[index]: answer}
        else:
            yield {keys[index]: answer for index, answer in answers}
    finally:
        # Where the run ends early, a server's open calls end with it.
        getattr(answers, "close", lambda: None)()


def default_memo() -> Path:
    """Where the store lies unless told otherwise: in ``$CHARM_CACHE``, else the user's cache folder."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return Path(os.environ.get(ENVIRONMENT) or home / "charm-rm") / _FILE


def remove_memo(path: str | Path) -> None:
    """Remove the store at ``path``, where there is one, with what SQLite may have left beside it after a kill."""
    for suffix in ("", "-wal", "-shm"):
        Path(f"{path}{suffix}").unlink(missing_ok=True)


@dataclass(frozen=True)
class Entry:
    """A stored value (what JSON can hold) and the run that put it there."""

    value: Any
    run: str


class Memo:
    """Values by key; open one with :meth:`open`. Use it in the thread that opened it."""

    def __init__(self, connection: sqlite3.Connection, where: str) -> None:
        self._connection = connection
        self._where = where

    @classmethod
    @contextlib.contextmanager
    def open(cls, path: str | Path | None) -> Iterator[Memo]:
        """Open the store at ``path``, made where it is missing; None: one in memory, for this block alone.

        Raises:
            UnreadableFile: the file is not such a store.
            WriteFailed: it cannot be made or written.
        """
        where = "memory" if path is None else str(path)
        with _as_charm_error(where):
            if path is not None:
                Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            connection = sqlite3.connect(":memory:" if path is None else path, timeout=60.0)
        try:
            with _as_charm_error(where), connection:
                connection.execute(
                    "PRAGMA journal_mode = WAL"
                )  # where the file system cannot, SQLite says no and goes on
                connection.execute("PRAGMA synchronous = NORMAL")
                connection.execute(_SCHEMA)
            yield cls(connection, where)
        finally:
            connection.close()

    def lookup(self, keys: Iterable[str]) -> dict[str, Entry]:
        """What is known of ``keys``; unknown ones are left out."""
        names = list(dict.fromkeys(keys))
        found: dict[str, Entry] = {}
        with _as_charm_error(self._where):
            for start in range(0, len(names), _CHUNK):
                for key, run, value in self._select(names[start : start + _CHUNK]):
                    found[key] = Entry(json.loads(value), run)
        return found

    def add(self, values: Mapping[str, Any], *, run: str = "") -> None:
        """Keep all of ``values``, or none where writing fails; a key that is there keeps its value."""
        rows = [(key, run, json.dumps(value)) for key, value in values.items()]
        with _as_charm_error(self._where), self._connection:
            self._connection.executemany("INSERT OR IGNORE INTO memo VALUES (?, ?, ?)", rows)

    def _select(self, keys: Sequence[str]) -> list[tuple[str, str, str]]:
        marks = ",".join("?" * len(keys))
        query = f"SELECT key, run, value FROM memo WHERE key IN ({marks})"
        return self._connection.execute(query, keys).fetchall()


@contextlib.contextmanager
def _as_charm_error(where: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.DatabaseError, OSError, ValueError) as error:
        raise _charm_error(error, where) from error


def _charm_error(error: Exception, where: str) -> CharmError:
    """Not such a file, or one that cannot be written: the two ways in which SQLite says no."""
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(error, ValueError) or code in (sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT):
        return UnreadableFile(
            f"is not a store of scores: {error}",
            where=where,
            fix="delete it; everything is then scored again",
        )
    return WriteFailed(
        f"the store of scores cannot be used: {error}; its earlier contents are intact",
        where=where,
        fix=f"free disk space or check permissions, or choose another folder by ${ENVIRONMENT}",
    )
