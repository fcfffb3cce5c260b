"""How the responses' scores become an item's credit: one formula a rule.

A rule is a pure function of a :class:`~.scored.ScoredItem`, together with the comparisons that it reads. So a judge is asked for
these alone, ties are counted in them, and the same rule serves reward models and judges. NaN says that an item has
nothing to tell, such as one whose responses are all equally good; it may depend on the item, never on the scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import combinations
from math import comb

import numpy as np

from ..errors import SchemaError
from ..statistics import FloatArray, kendall, spearman
from .items import Cell, Item
from .scored import ScoredItem
from .stacks import ScoredStack

_Credit = Callable[..., float]
_Pairs = Callable[[Item], Sequence[Cell]]
_Batch = Callable[[ScoredStack], FloatArray]


@dataclass(frozen=True)
class Rule:
    """A credit with what is known about it. Make one with :func:`rule`.

    Args:
        credit: from a scored item to its credit; by a ``joint`` rule from all the items that are linked.
        pairs: the comparisons of an item that the credit reads.
        low: the least credit there is.
        high: the most.
        joint: it takes the items that are linked, each as one argument, in the benchmark's order.
        batch: the same credit of many items that a reward model has scored, (items,): for speed alone, and never needed.
    """

    credit: _Credit
    pairs: _Pairs
    low: float = 0.0
    high: float = 1.0
    joint: bool = False
    batch: _Batch | None = None

    def __call__(self, *scored: ScoredItem) -> float:
        """The credit of an item, or of linked items."""
        return float(self.credit(*scored))


def best_against_others(item: Item) -> list[Cell]:
    """Every response with the best grade against every other one."""
    return [(i, j) for i in item.best for j in item.others]


def different_grades(item: Item) -> list[Cell]:
    """Every pair of responses of which one is better than the other, the better one first."""
    return list(_different_grades(item.grades))


def every_pair(item: Item) -> list[Cell]:
    """Every pair of responses."""
    return list(_every_pair(len(item.responses)))


@lru_cache(maxsize=1024)
def _different_grades(grades: tuple[float, ...]) -> tuple[Cell, ...]:
    all_grades = np.array(grades)
    better, worse = np.nonzero(all_grades[:, None] > all_grades[None, :])
    return tuple(zip(better.tolist(), worse.tolist(), strict=True))


@lru_cache(maxsize=64)
def _every_pair(n: int) -> tuple[Cell, ...]:
    return tuple(combinations(range(n), 2))


def no_pair(_item: Item) -> list[Cell]:
    """No comparison at all: the rule reads each response's score by itself."""
    return []


def rule(
    pairs: _Pairs,
    *,
    low: float = 0.0,
    high: float = 1.0,
    joint: bool = False,
    batch: _Batch | None = None,
) -> Callable[[_Credit], Rule]:
    """Make a function of a scored item (or of linked ones) a rule that reads these ``pairs``; ``batch`` does the same for many at once."""
    return lambda credit: Rule(credit, pairs, low, high, joint, batch)


def _or_nothing(values: FloatArray, told: FloatArray) -> FloatArray:
    """NaN where an item has nothing to tell."""
    return np.where(told, values, np.nan)


# --- pairs --------------------------------------------------------------------------------------


def _shares_of_pairs(stack: ScoredStack) -> FloatArray:
    better = stack.better
    n = better.sum(axis=(1, 2))
    return _or_nothing((stack.outcomes * better).sum(axis=(1, 2)) / np.maximum(1, n), n > 0)


@rule(different_grades, batch=_shares_of_pairs)
def share_of_pairs(scored: ScoredItem) -> float:
    """(1/P) Σ 1[i preferred to j] over the P pairs of different grades: for one good and one bad response, accuracy."""
    cells = different_grades(scored.item)
    return float(scored.outcome(cells).mean()) if cells else np.nan


def mean_of_cells(cells: Sequence[Cell]) -> Rule:
    """The mean of some cells of the table best x others, as RM-Bench has it; cells are (best, other), counted from 0.

    The same cells give the same rule, so that several metrics ask it about an item once.
    """
    return _mean_of_cells(tuple(cells))


@cache
def _mean_of_cells(cells: tuple[Cell, ...]) -> Rule:
    most = [max((cell[side] for cell in cells), default=-1) for side in (0, 1)]

    def pairs(item: Item) -> list[Cell]:
        best, others = item.best, item.others
        if most[0] >= len(best) or most[1] >= len(others):
            raise SchemaError(
                f"has {len(best)} good and {len(others)} bad responses, too few for its rule",
                where=f"item {item.subset}/{item.item_id}",
                fix="give every item the responses that the benchmark's table needs",
            )
        return [(best[i], others[j]) for i, j in cells]

    def batch(stack: ScoredStack) -> FloatArray:
        n = stack.best.sum(axis=1)
        for i in np.flatnonzero((n <= most[0]) | (stack.best.shape[1] - n <= most[1])).tolist():
            pairs(stack.items[i])
        best, others = (np.argsort(side, axis=1, kind="stable") for side in (~stack.best, stack.best))
        i, j = np.array(cells, dtype=np.int64).reshape(-1, 2).T
        rows = np.arange(len(n))[:, None]
        return np.asarray(stack.outcomes[rows, best[:, i], others[:, j]].mean(axis=1))

    return Rule(lambda scored: float(scored.outcome(pairs(scored.item)).mean()), pairs, batch=batch)


# --- one verdict an item --------------------------------------------------------------------------


def _all_good_above_all_bad(stack: ScoredStack) -> FloatArray:
    read = stack.best_against_others
    worst = np.where(read, stack.outcomes, np.inf).min(axis=(1, 2))
    return _or_nothing(worst, read.any(axis=(1, 2)))


@rule(best_against_others, batch=_all_good_above_all_bad)
def all_good_above_all_bad(scored: ScoredItem) -> float:
    """min over good x bad of the outcome: 1 if all good are above all bad, the tie value if the worst pair is equal."""
    return float(scored.table.min()) if scored.table.size else np.nan


def _best_is_good(stack: ScoredStack) -> FloatArray:
    read = stack.best_against_others
    worst = np.where(read, stack.outcomes, np.inf).min(axis=2)
    return _or_nothing(np.where(stack.best, worst, -np.inf).max(axis=1), read.any(axis=(1, 2)))


@rule(best_against_others, batch=_best_is_good)
def best_is_good(scored: ScoredItem) -> float:
    """max over good of min over bad: 1 if some good response is above all bad ones, the tie value if it is equal."""
    return float(scored.table.min(axis=1).max()) if scored.table.size else np.nan


def _best_is_good_or_shares(stack: ScoredStack) -> FloatArray:
    top = stack.strengths == stack.strengths.max(axis=1, keepdims=True)
    return _or_nothing((top & stack.best).sum(axis=1) / top.sum(axis=1), ~stack.best.all(axis=1))


@rule(every_pair, batch=_best_is_good_or_shares)
def best_is_good_or_shares(scored: ScoredItem) -> float:
    """|good among the top| / |top|, the top being all responses with the highest score: ties draw lots."""
    strengths, good = scored.strengths, np.array(scored.item.best)
    top = np.flatnonzero(strengths == strengths.max())
    return float(np.isin(top, good).mean()) if scored.item.others else np.nan


# --- grades -------------------------------------------------------------------------------------


def best_of(k: int, *, low: float = 0.0, high: float = 1.0) -> Rule:
    """The expected grade of the response that the model takes of ``k``, drawn from the item's n; grades in [low, high].

    Σ_r C(n - r, k - 1) / C(n, k) · grade_r, r being the rank by score: the chance that rank r is the best of the draw.
    Responses with equal scores share the grades of their ranks. NaN for items with fewer than ``k`` responses.
    """

    def credit(scored: ScoredItem) -> float:
        n, strengths = len(scored.grades), scored.strengths
        if n < k:
            return np.nan
        order = np.argsort(-strengths, kind="stable")
        shared = [scored.grades[strengths == strengths[i]].mean() for i in order]
        chance = [comb(n - r, k - 1) / comb(n, k) for r in range(1, n + 1)]
        return float(np.dot(chance, shared))

    return Rule(credit, every_pair, low, high)


def _correlations(measure: Callable[..., FloatArray]) -> _Batch:
    def batch(stack: ScoredStack) -> FloatArray:
        found = measure(stack.strengths, stack.grades)
        found = np.where(np.ptp(stack.strengths, axis=1) > 0, found, 0.0)
        return _or_nothing(found, np.ptp(stack.grades, axis=1) > 0)

    return batch


@rule(every_pair, low=-1.0, batch=_correlations(kendall))
def kendall_with_grades(scored: ScoredItem) -> float:
    """Kendall's tau-b of the model's order with the grades; 0 where the model holds all responses equal."""
    return _correlation(kendall, scored)


@rule(every_pair, low=-1.0, batch=_correlations(spearman))
def spearman_with_grades(scored: ScoredItem) -> float:
    """Spearman's correlation of the model's order with the grades; 0 where the model holds all responses equal."""
    return _correlation(spearman, scored)


def _correlation(measure: Callable[..., np.ndarray], scored: ScoredItem) -> float:
    if np.ptp(scored.grades) == 0:
        return np.nan
    return float(measure(scored.strengths, scored.grades)) if np.ptp(scored.strengths) else 0.0
