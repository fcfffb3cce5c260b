"""Many scored items at once: those with as many responses each, as arrays, so that a rule need not be called item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..statistics import FloatArray, IntArray
from .items import Item
from .scored import ScoredItem, outcomes_of


@dataclass(frozen=True, eq=False)
class ScoredStack:
    """Items with n responses each: the arrays of their :class:`~.scored.ScoredItem`, with the items as first axis.

    ``grades`` is (items, n); ``margins`` and ``asked`` are (items, n, n); ``scores`` (items, n) of a reward model, None for a judge.
    """

    items: tuple[Item, ...]
    grades: FloatArray
    margins: FloatArray
    asked: NDArray[np.bool_]
    tie_value: float
    scores: FloatArray | None = None

    @cached_property
    def outcomes(self) -> FloatArray:
        """(items, n, n): 1 where ``i`` is preferred to ``j``, the tie value where equal, 0 where not or without a verdict."""
        return outcomes_of(self.margins, self.tie_value)

    @cached_property
    def best(self) -> NDArray[np.bool_]:
        """(items, n): whether a response has the best grade of its item."""
        return np.asarray(self.grades == self.grades.max(axis=1, keepdims=True))

    @property
    def better(self) -> NDArray[np.bool_]:
        """(items, n, n): whether people hold ``i`` to be better than ``j``."""
        return np.asarray(self.grades[:, :, None] > self.grades[:, None, :])

    @property
    def best_against_others(self) -> NDArray[np.bool_]:
        """(items, n, n): whether ``i`` has the best grade and ``j`` has not."""
        return np.asarray(self.best[:, :, None] & ~self.best[:, None, :])

    @property
    def strengths(self) -> FloatArray:
        """(items, n) the scores of a reward model."""
        if self.scores is None:
            raise TypeError("a judge's items have no scores")
        return self.scores


def stacks_of(scored: Sequence[ScoredItem]) -> list[tuple[IntArray, ScoredStack]]:
    """Scored items by their number of responses, each stack with the positions of its items."""
    shapes: dict[tuple[int, float, bool], list[int]] = {}
    for i, one in enumerate(scored):
        shape = len(one.item.responses), one.tie_value, one.scores is None
        shapes.setdefault(shape, []).append(i)
    return [(np.array(at, dtype=np.int64), _stack([scored[i] for i in at])) for at in shapes.values()]


def _stack(rows: Sequence[ScoredItem]) -> ScoredStack:
    scores = [one.scores for one in rows if one.scores is not None]
    return ScoredStack(
        tuple(one.item for one in rows),
        np.array([one.item.grades for one in rows], dtype=np.float64),
        np.array([one.margins for one in rows]),
        np.array([one.asked for one in rows]),
        rows[0].tie_value,
        np.array(scores) if scores else None,
    )
