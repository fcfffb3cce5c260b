"""The comparisons behind a result, as arrays: every pair of responses of which people hold one to be better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse

from ..benchmarks import ScoredStack
from ..statistics import FloatArray, IntArray, percentile_interval
from .accuracy import BenchmarkResult
from .draws import weighted_sums


@dataclass(frozen=True, eq=False)
class Comparisons:
    """One entry per comparison, all arrays of shape (comparisons,).

    ``item`` is the position of the item, ``better`` and ``worse`` of its responses; ``margin`` is the model's for the better one, NaN
    without a verdict; ``won`` is what it counts, ties as the benchmark has it; ``prompt`` numbers the prompts, of which there are ``n_prompts``.
    """

    item: IntArray
    better: IntArray
    worse: IntArray
    margin: FloatArray
    won: FloatArray
    prompt: IntArray
    n_prompts: int

    def __len__(self) -> int:
        return len(self.item)

    def where(self, chosen: np.ndarray) -> Comparisons:
        """Some of them."""
        item, better, worse = self.item[chosen], self.better[chosen], self.worse[chosen]
        margin, won, prompt = self.margin[chosen], self.won[chosen], self.prompt[chosen]
        return Comparisons(item, better, worse, margin, won, prompt, self.n_prompts)

    @property
    def weight(self) -> FloatArray:
        """1 / number of the item's comparisons here, so that every item weighs 1."""
        return np.asarray(1.0 / np.bincount(self.item)[self.item])

    @property
    def n_items(self) -> int:
        """How many items they are of."""
        return len(np.unique(self.item))


def comparisons_of(result: BenchmarkResult) -> Comparisons:
    """Every comparison of different grades that the model answered for: a judge those that it was asked."""
    book = result.book
    found = [_of_stack(at, stack) for at, stack in book.stacks()]
    item, better, worse, margin, won = (np.concatenate(side) for side in zip(*found, strict=True))
    order = np.argsort(item, kind="stable")
    item = item[order]
    return Comparisons(
        item, better[order], worse[order], margin[order], won[order], book.prompts[item], book.n_prompts
    )


def _of_stack(at: IntArray, stack: ScoredStack) -> tuple[np.ndarray, ...]:
    """Item, better, worse, margin and won of a stack's comparisons."""
    where = np.nonzero(stack.better & stack.asked)
    row, better, worse = where
    return at[row], better, worse, stack.margins[where], stack.outcomes[where]


def drawn_shares(
    values: FloatArray, chosen: np.ndarray, among: Comparisons, *, draws: int, seed: int
) -> tuple[FloatArray, FloatArray]:
    """(groups,) means of ``values`` (comparisons,) in [0, 1] over groups of comparisons, and (draws, groups) bootstrap draws of them.

    ``chosen`` is (groups, comparisons), truths. Every item weighs 1 in a group; whole prompts are drawn, with half a right and half a
    wrong pseudo-prompt, as for accuracies. A group without comparisons has NaN.
    """
    n_items = int(among.item.max()) + 1 if len(among) else 0
    per_item = np.array([np.bincount(among.item[row], minlength=n_items) for row in chosen])
    group, column = np.nonzero(chosen)
    weight = 1.0 / per_item[group, among.item[column]]
    shape = (len(chosen), among.n_prompts)
    at = (group, among.prompt[column])
    sums, totals = (
        sparse.coo_array((weight * v, at), shape=shape) for v in (values[column], np.ones(len(column)))
    )
    whole = totals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = np.asarray(sums.sum(axis=1) / whole)
    rng = np.random.default_rng(seed)
    drawn_sums, drawn_totals = weighted_sums(sums, totals, draws=draws, rng=rng)
    wins, losses = rng.standard_gamma(0.5, (2, draws, 1))
    rates = (drawn_sums + wins) / (drawn_totals + wins + losses)
    rates[:, whole == 0] = np.nan
    return means, rates


def ends(value: float, drawn: FloatArray) -> tuple[float | None, float | None]:
    """95 % range of draws, widened to hold the value; none without draws."""
    if drawn.size == 0 or np.isnan(value):
        return None, None
    low, high = percentile_interval(drawn)
    return min(float(low), value), max(float(high), value)
