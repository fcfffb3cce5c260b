"""What the store knows of one run's texts, and what the run adds to it.

A run is one request: these texts, this model, these batches. Rows that *other* runs scored are taken as they are;
batches are planned over all the rest, whether this run has scored them before it was killed or not. So a run that
goes on forms the very batches that it would have formed undisturbed, and its scores are the same to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any

from ...memo import Memo, content_key


@dataclass(frozen=True)
class Row:
    """A score, and for models that run here the tokens that it was read from and whether text was cut off."""

    score: float
    n_tokens: int | None = None
    truncated: bool | None = None


class Journal:
    """Scores by key: what the store had, and what is added.

    Args:
        memo: an open store.
        keys: one per distinct text, in order.
        request: besides the keys, all that batches and scores depend on (what JSON can hold).
    """

    def __init__(self, memo: Memo, keys: Sequence[str], *, request: Any) -> None:
        self._memo = memo
        self.run = content_key("run", request, list(keys))
        found = memo.lookup(keys)
        self.rows = {key: Row(*entry.value) for key, entry in found.items()}
        self.others = frozenset(key for key, entry in found.items() if entry.run != self.run)
        self.planned = [key for key in keys if key not in self.others]
        self._limits = self._read_limits()

    @property
    def limit(self) -> int | None:
        """The smaller token budget that this run came down to when memory ran out; None: it did not."""
        return self._limits[-1] if self._limits else None

    def add(self, rows: Mapping[str, Row], *, limit: int | None = None) -> None:
        """Keep a batch: all of it, or none where the store cannot be written. A row that is known stays as it is."""
        values: dict[str, Any] = {key: astuple(row) for key, row in rows.items()}
        if limit is not None and (self.limit is None or limit < self.limit):
            values[self._limit_key(len(self._limits))] = limit
            self._limits.append(limit)
        self._memo.add(values, run=self.run)
        for key, row in rows.items():
            self.rows.setdefault(key, row)

    def _read_limits(self) -> list[int]:
        limits: list[int] = []
        while found := self._memo.lookup([self._limit_key(len(limits))]):
            limits += [int(entry.value) for entry in found.values()]
        return limits

    def _limit_key(self, n: int) -> str:
        return content_key("token budget", self.run, n)
