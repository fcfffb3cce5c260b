"""Where a draw keeps what it has read: a temporary SQLite file, so that memory does not grow with the source."""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ..conversations import Messages, prompt_digest, prompt_text
from ..errors import SchemaError, WriteFailed

KEPT, NEAR, CONTAMINATED = "kept", "near duplicate", "in a benchmark"
_SCHEMA = """
CREATE TABLE prompts (
    row INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, prompt_id TEXT NOT NULL, source TEXT NOT NULL, place INTEGER NOT NULL,
    prompt TEXT NOT NULL, kept TEXT NOT NULL, chars INTEGER NOT NULL, words INTEGER NOT NULL, stratum TEXT, language TEXT,
    copies INTEGER NOT NULL DEFAULT 1, state TEXT NOT NULL, matched TEXT, similarity REAL, priority INTEGER NOT NULL
);
CREATE TABLE ids (prompt_id TEXT PRIMARY KEY, digest BLOB NOT NULL, source TEXT NOT NULL, place INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE bands (band INTEGER NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (band, row)) WITHOUT ROWID;
"""
_CACHE_KIB = 64 << 10


@dataclass(frozen=True)
class Prompt:
    """One prompt of the source, as it is first met."""

    prompt: str | Messages
    text: str
    digest: str
    prompt_id: str
    source: str
    place: int
    kept: dict[str, Any]
    stratum: str | None


@dataclass(frozen=True)
class Fate:
    """What becomes of a prompt: ``kept``, or why it is left out, with what it matched."""

    state: str
    matched: str | None = None
    similarity: float | None = None
    language: str | None = None


class Workspace:
    """The prompts of one draw; open one with :meth:`open`."""

    def __init__(self, connection: sqlite3.Connection, seed: int) -> None:
        self.sql = connection
        self._seed = seed

    @classmethod
    @contextlib.contextmanager
    def open(cls, *, seed: int) -> Iterator[Workspace]:
        """A workspace that is gone with the block, and with the process: SQLite's own temporary file, in ``$TMPDIR``.

        Raises:
            WriteFailed: the disk is full.
        """
        connection = sqlite3.connect("", isolation_level=None)
        try:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
                connection.execute(f"PRAGMA {pragma}")
            connection.executescript(_SCHEMA)
            connection.execute(
                "BEGIN"
            )  # one transaction, never ended: each would cost as much as there is in the cache
            yield cls(connection, seed)
        except sqlite3.DatabaseError as error:
            raise WriteFailed(
                f"the temporary file of the draw cannot be written: {error}",
                fix="free disk space, or choose another folder: TMPDIR=...",
            ) from error
        finally:
            connection.close()

    def repeats(self, prompt: Prompt) -> bool:
        """Whether this very prompt was met before; it is then counted with it.

        Raises:
            SchemaError: the id stood for another prompt before.
        """
        digest = bytes.fromhex(prompt.digest)
        self._refuse_other_id(prompt, digest)
        found = self.sql.execute("UPDATE prompts SET copies = copies + 1 WHERE digest = ?", (digest,))
        return found.rowcount > 0

    def _refuse_other_id(self, prompt: Prompt, digest: bytes) -> None:
        row = (prompt.prompt_id, digest, prompt.source, prompt.place)
        if self.sql.execute("INSERT OR IGNORE INTO ids VALUES (?, ?, ?, ?)", row).rowcount:
            return
        known, source, place = self.sql.execute(
            "SELECT digest, source, place FROM ids WHERE prompt_id = ?", (prompt.prompt_id,)
        ).fetchone()
        if known != digest:
            raise SchemaError(
                f"the prompt_id {prompt.prompt_id!r} is of one prompt in {source}, row {place}, and of another here",
                where=f"{prompt.source}, row {prompt.place}",
                fix="take hashes of the texts as ids: --prompt-ids text (prompt_ids= in Python)",
            )

    def add(self, prompt: Prompt, fate: Fate) -> None:
        """Keep a prompt that is met for the first time."""
        row = (
            *(bytes.fromhex(prompt.digest), prompt.prompt_id, prompt.source, prompt.place),
            *(json.dumps(prompt.prompt), json.dumps(prompt.kept, default=str), len(prompt.text), len(prompt.text.split())),
            *(prompt.stratum, fate.language, fate.state, fate.matched, fate.similarity, self.priority(prompt.digest)),
        )  # fmt: skip
        self.sql.execute(
            "INSERT INTO prompts (digest, prompt_id, source, place, prompt, kept, chars, words, stratum, language, state, matched,"
            " similarity, priority) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            row,
        )

    def priority(self, digest: str) -> int:
        """A prompt's place in the order of the draw: a hash of seed and text, the same wherever the prompt stands."""
        return int(hashlib.sha256(f"{self._seed}:{digest}".encode()).hexdigest()[:15], 16)

    def leave_out(self, row: int, fate: Fate) -> None:
        """Leave out a prompt that was kept so far."""
        self.sql.execute(
            "UPDATE prompts SET state = ?, matched = ?, similarity = ? WHERE row = ?",
            (fate.state, fate.matched, fate.similarity, row),
        )

    def text(self, row: int) -> str:
        """A prompt as one text."""
        return self.texts([row])[0]

    def texts(self, rows: Iterable[int]) -> list[str]:
        """Prompts as texts, in the order of ``rows``."""
        found = (
            self.sql.execute("SELECT prompt FROM prompts WHERE row = ?", (row,)).fetchone() for row in rows
        )
        return [prompt_text(json.loads(value)) for (value,) in found]

    def rows_kept(self) -> list[int]:
        """The rows that are kept, in the order of the source."""
        return [
            row
            for (row,) in self.sql.execute("SELECT row FROM prompts WHERE state = ? ORDER BY row", (KEPT,))
        ]


def prompt_of(
    prompt: str | Messages,
    *,
    prompt_id: str | None,
    source: str,
    place: int,
    kept: dict[str, Any],
    stratum: str | None,
) -> Prompt:
    """A prompt with its hash; without an id of the source, its id is the hash's first 16 digits."""
    digest = prompt_digest(prompt)
    return Prompt(prompt, prompt_text(prompt), digest, prompt_id or digest[:16], source, place, kept, stratum)
