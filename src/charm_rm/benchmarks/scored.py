"""What a model makes of an item: the same for reward models, which score, and judges, which compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from ..errors import SchemaError
from ..statistics import FloatArray
from .items import Cell, Item


@dataclass(frozen=True, eq=False)
class ScoredItem:
    """An item with the preferences between its responses; all that a rule gets to see.

    Args:
        item: the item.
        margins: (n, n): above 0 where the model prefers response ``i`` to ``j``, 0 where it holds them equal, NaN
            where it gave no verdict.
        asked: (n, n): the pairs that the model was asked about. A reward model's scores answer every pair.
        tie_value: what an equal pair counts in this benchmark, 0 to 1.
        scores: (n,) of a reward model; None for a judge.
    """

    item: Item
    margins: FloatArray
    asked: NDArray[np.bool_]
    tie_value: float
    scores: FloatArray | None = None

    @cached_property
    def outcomes(self) -> FloatArray:
        """(n, n): 1 where ``i`` is preferred to ``j``, the tie value where equal, 0 where not or without a verdict."""
        return outcomes_of(self.margins, self.tie_value)

    @property
    def table(self) -> FloatArray:
        """(best, others): the outcomes of each response with the best grade against each other one."""
        return self._asked_outcomes(np.ix_(self.item.best, self.item.others))

    @property
    def grades(self) -> FloatArray:
        """(n,) what people say."""
        return np.array(self.item.grades, dtype=np.float64)

    @property
    def strengths(self) -> FloatArray:
        """(n,) how the model orders the responses: its scores; a judge's mean outcome against all others, ties a half."""
        if self.scores is not None:
            return self.scores
        n = len(self.item.responses)
        others = ~np.eye(n, dtype=bool)
        self._refuse_unasked(self.asked[others])
        won = np.heaviside(np.nan_to_num(self.margins), 0.5)  # without a verdict neither is the better one
        strengths: FloatArray = (won * others).sum(axis=1) / max(1, n - 1)
        return strengths

    def outcome(self, cells: Sequence[Cell]) -> FloatArray:
        """The outcomes of some pairs of positions."""
        return self._asked_outcomes(tuple(np.array(cells, dtype=np.int64).reshape(-1, 2).T))

    def _asked_outcomes(self, where: tuple[NDArray[np.int64], ...]) -> FloatArray:
        self._refuse_unasked(self.asked[where])
        return self.outcomes[where]

    def _refuse_unasked(self, asked: NDArray[np.bool_]) -> None:
        if not asked.all():
            raise SchemaError(
                "a rule reads a comparison that it does not name, so the judge was not asked for it",
                where=f"item {self.item.subset}/{self.item.item_id}",
                fix="name the comparisons in the rule's `pairs`",
            )


def outcomes_of(margins: FloatArray, tie_value: float) -> FloatArray:
    """1 where a margin is above 0, the tie value where it is 0, 0 where it is below or there was no verdict."""
    won = np.heaviside(margins, tie_value)
    return np.where(np.isnan(won), 0.0, won)


def scored_by_reward(item: Item, scores: FloatArray, *, tie_value: float) -> ScoredItem:
    """An item whose responses have scores: the margin of ``i`` over ``j`` is s_i - s_j."""
    margins = scores[:, None] - scores[None, :]
    return ScoredItem(item, margins, _all_asked(len(scores)), tie_value, scores)


@lru_cache(maxsize=64)
def _all_asked(n: int) -> NDArray[np.bool_]:
    """(n, n) of truths, shared by all items with n responses, and so never to be written to."""
    asked = np.ones((n, n), dtype=bool)
    asked.flags.writeable = False
    return asked


def scored_by_judge(
    item: Item, cells: Sequence[Cell], margins: Sequence[float], *, tie_value: float
) -> ScoredItem:
    """An item of which some pairs were judged: a margin per pair, which changes sign when the two are exchanged."""
    n = len(item.responses)
    table, asked = np.full((n, n), np.nan), np.eye(n, dtype=bool)
    np.fill_diagonal(table, 0.0)  # nobody has to be asked whether a response is better than itself
    for (i, j), margin in zip(cells, margins, strict=True):
        table[i, j], table[j, i] = margin, -margin
        asked[i, j] = asked[j, i] = True
    return ScoredItem(item, table, asked, tie_value)
