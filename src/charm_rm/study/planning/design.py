"""Which comparisons people are asked about: a random share, the rest where models disagree, each with a known chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...statistics import FloatArray, IntArray
from ..estimates.clusters import BoolArray
from ..frame import margin_column
from .rounding import rounded

# A chance this close to 1 is 1: the comparison is chosen for sure.
_SURE = 1 - 1e-9
# Comparisons up to which they are spread evenly by rounding, which takes a second or two.
_MOST_SPREAD = 8_000


@dataclass(frozen=True, eq=False)
class Design:
    """The chance of every candidate to be chosen (``inclusion``, which add up to n), and the ``chosen`` n, as positions in order.

    ``discordant`` says where models disagree; ``pair`` is a code of the two policies, from 0.
    """

    inclusion: FloatArray
    discordant: BoolArray
    pair: IntArray
    chosen: IntArray

    @property
    def discordant_share(self) -> float:
        """Share of all candidates on which the models disagree; known, not estimated."""
        return float(self.discordant.mean())


def draw_design(
    candidates: pl.DataFrame, pair: IntArray, differs: BoolArray, chances: FloatArray, *, seed: int
) -> Design:
    """Choose n = Σ π_u of the candidates, each with its chance (:func:`choose`).

    Args:
        candidates: prompt_id, policy_a, policy_b, those of :func:`..frame.find_candidates`.
        pair: (N,) codes of the pairs of policies, from 0.
        differs: (N,) where the models disagree (:func:`discordant`).
        chances: (N,) π_u (:func:`inclusion_chances`).
        seed: of order and start.
    """
    rng = np.random.default_rng(seed)
    prompt, ends = codes_of(candidates.select("prompt_id")), _one_end(candidates, pair, rng)
    return Design(chances, differs, pair, choose(chances, pair, prompt, differs, ends, rng))


def discordant(candidates: pl.DataFrame, models: Sequence[str]) -> BoolArray:
    """(N,) whether the first model's verdict differs from any other's: sign(m_1) ≠ sign(m_k).

    A tie (margin 0) differs from a verdict for one side. Where all agree, the difference of two models' agreement with people is exactly 0,
    whatever people say: votes there tell nothing about it.
    """
    signs = [np.sign(candidates[margin_column(name)].to_numpy()) for name in models]
    found = np.zeros(candidates.height, dtype=bool)
    for other in signs[1:]:
        found |= other != signs[0]
    return found


def inclusion_chances(
    pair: IntArray, differs: BoolArray, *, n: int, random_share: float, balance: float
) -> FloatArray:
    """(N,) chance π_u of each candidate to be chosen; 0 < π_u <= 1 with a random share above 0, and Σ π_u = n.

    π_u = r + x_j / D_j for a discordant candidate of pair j, r for another one: r = random_share · n / N, D_j the number of discordant
    candidates of the pair, and x_j the pair's part of the n (1 - random_share) comparisons that are chosen where models disagree,
    proportional to D_j^(1 - balance) and at most D_j (1 - r). What no pair can take goes to the candidates on which models agree,
    evenly. Equal chances within D (balance 0) serve the difference of two models best; equal parts (balance 1) serve the pairs.

    Args:
        pair: (N,) codes of pairs, from 0.
        differs: (N,) discordant candidates.
        n: comparisons, up to N.
        random_share: 0 to 1.
        balance: 0 to 1.
    """
    size = len(pair)
    disagree: FloatArray = np.bincount(pair, weights=differs).astype(np.float64)
    at_random = random_share * n / size
    parts = _shared_out((1 - random_share) * n, _powers(disagree, 1 - balance), disagree * (1 - at_random))
    each = np.divide(parts, disagree, out=np.zeros_like(parts), where=disagree > 0)
    chances = at_random + np.where(differs, each[pair], 0.0)
    agree = size - int(differs.sum())
    if agree:
        chances[~differs] += max((1 - random_share) * n - parts.sum(), 0.0) / agree
    return np.minimum(chances, 1.0)


def _powers(counts: FloatArray, power: float) -> FloatArray:
    return np.where(counts > 0, np.power(np.maximum(counts, 1.0), power), 0.0)


def _shared_out(total: float, wish: FloatArray, most: FloatArray) -> FloatArray:
    """Parts x_j = min(most_j, λ wish_j) that add up to ``total``, or to all there is."""
    parts = np.zeros_like(most)
    open_ = wish > 0
    while open_.any():
        rest = total - parts[~open_].sum()
        share = rest * np.where(open_, wish, 0.0) / wish[open_].sum()
        full = open_ & (share >= most)
        if not full.any():
            return np.where(open_, share, parts)
        parts[full] = most[full]
        open_ &= ~full
    return parts


def choose(
    chances: FloatArray,
    pair: IntArray,
    prompt: IntArray,
    differs: BoolArray,
    ends: IntArray,
    rng: np.random.Generator,
) -> IntArray:
    """Positions of n = Σ π_u candidates, each chosen with chance π_u, sorted: spread over prompts, pairs of policies and policies.

    A first, larger sample of some eight times as many (:func:`systematic`, pair by pair) keeps this quick; of it the comparisons are chosen by
    :func:`.rounding.rounded`: of each pair as many as expected, rounded up or down; likewise of each prompt where models differ and
    where they agree, of all where they differ, and of each policy over half its pairs. Chances multiply to π_u. Of very many
    comparisons the first sample alone is taken: chance spreads them.

    Args:
        chances: (N,) π_u, whose sum is a whole number.
        pair: (N,) codes of pairs.
        prompt: (N,) codes of prompts.
        differs: (N,) discordant candidates.
        ends: (N,) codes of one of the pair's two policies.
        rng: of both steps.
    """
    order = np.lexsort((rng.permutation(len(pair)), rng.permutation(int(pair.max()) + 1)[pair]))
    n = round(float(chances.sum()))
    if n > _MOST_SPREAD:
        return systematic(chances, order.astype(np.int64), rng)
    first, then = _first_chances(chances, max(2.0, min(8.0, 2 * _MOST_SPREAD / n)))
    some = systematic(first, order.astype(np.int64), rng)
    side = differs[some].astype(np.int64)
    asked = [prompt[some] * 2 + side, side]
    return np.asarray(some[rounded(then[some], asked, [pair[some], ends[some]], rng)])


def _first_chances(chances: FloatArray, times: float) -> tuple[FloatArray, FloatArray]:
    """Chances of the larger sample, about ``times`` as high and up to 1, and those of being chosen from it: their product is π.

    The larger sample has a fixed size, so that the chances of its members to be chosen always add up to n.
    """
    low = chances * times < 1
    total = float(chances[low].sum())
    size = int(times * total)
    factor = size / total if size else 1.0
    first = np.where(low & (size > 0), chances * factor, np.where(chances > 0, 1.0, 0.0))
    return first, np.divide(chances, first, out=np.zeros_like(chances), where=first > 0)


def systematic(chances: FloatArray, order: IntArray, rng: np.random.Generator) -> IntArray:
    """Positions of exactly n = Σ π_u candidates, each chosen with chance π_u, sorted.

    Madow's systematic sampling: the chances are laid end to end in ``order`` and cut at u, u + 1, u + 2 ... for one uniform u; whose
    piece is cut is chosen. What has chance 1 is chosen first. (W. G. Madow, Annals of Mathematical Statistics 20, 1949.)
    """
    sure = chances >= _SURE
    rest = order[~sure[order]]
    n = round(float(chances.sum())) - int(sure.sum())
    if not n:
        return np.flatnonzero(sure)
    ends = np.cumsum(chances[rest])
    ends *= n / ends[-1]
    cuts = np.ceil(ends - rng.uniform())  # how many of u, u + 1 ... lie below each end
    cuts[-1] = n
    taken = np.diff(cuts, prepend=0.0) > 0
    return np.sort(np.concatenate([np.flatnonzero(sure), rest[taken]]))


def _one_end(candidates: pl.DataFrame, pair: IntArray, rng: np.random.Generator) -> IntArray:
    """(N,) a code of the pair's first or second policy, at random for each pair."""
    policies = pl.concat([candidates["policy_a"], candidates["policy_b"]]).unique().sort()
    known = pl.Series(range(policies.len()))
    first, second = (
        candidates[side].replace_strict(policies, known, return_dtype=pl.Int64).to_numpy()
        for side in ("policy_a", "policy_b")
    )
    return np.where((rng.random(int(pair.max()) + 1) < 0.5)[pair], first, second)


def codes_of(columns: pl.DataFrame) -> IntArray:
    """(N,) a number for every distinct row, from 0, in the order of the rows sorted."""
    return columns.select(pl.struct(pl.all()).rank("dense") - 1).to_series().to_numpy().astype(np.int64)
