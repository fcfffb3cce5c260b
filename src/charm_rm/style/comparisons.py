"""Soft win rates of scores that a correction w·φ moves, and how they change with w: what the solver is made of.

A margin of pair (k, l) on prompt i is m_kl,i + w·(φ_k,i - φ_l,i), in units of the margins' own spread, whatever the margins came from.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..margins import PairedMargins, ScoreMargins, blocks
from ..statistics import FloatArray, IntArray, sigmoid


@dataclass(frozen=True, eq=False)
class Part:
    """Some pairs on some prompts, with what people say of them.

    ``paired`` gives the margins of its ``pairs``; ``features`` (K, n_prompts, d) are standardised, 0 where there is no response;
    ``expected`` (m,) are the win rates that ratings imply, ``weight`` (m,) what each pair counts.
    """

    paired: PairedMargins
    features: FloatArray
    expected: FloatArray
    weight: FloatArray


@dataclass(frozen=True, eq=False)
class SoftRates:
    """``rate`` (m,), and ``slope`` (m, d + 1): its derivative by w and, last, by log T."""

    rate: FloatArray
    slope: FloatArray


def soft_rates(part: Part, scale: float, weights: FloatArray, temperature: float) -> SoftRates:
    """mean_i σ(z_i) with z_i = (m_i / scale + w·Δφ_i) / T by pair; mean_i σ'(z_i) Δφ_i / T and -mean_i σ'(z_i) z_i."""
    levels = _levels(part, scale, weights)
    rates, slopes = [], []
    for some in blocks(part.paired):
        pairs = part.paired.pairs[some]
        z = _divided(part, some, scale, levels, temperature)
        missing = np.isnan(z)
        n = np.maximum(z.shape[1] - np.count_nonzero(missing, axis=1), 1)
        soft = sigmoid(z)
        if missing.any():
            soft[missing] = z[missing] = 0.0
        rates.append(soft.sum(axis=1) / n)
        soft *= 1.0 - soft  # 0 where missing
        slope = np.empty((len(pairs), len(weights) + 1))
        slope[:, :-1] = _summed(soft, part.features, pairs[:, 0])
        slope[:, :-1] -= _summed(soft, part.features, pairs[:, 1])
        slope[:, :-1] /= temperature
        slope[:, -1] = -np.einsum("pi,pi->p", soft, z)
        slopes.append(slope / n[:, None])
    return SoftRates(np.concatenate(rates), np.concatenate(slopes))


def soft_outcomes_of(part: Part, scale: float, weights: FloatArray, temperature: float) -> FloatArray:
    """(m, n_prompts) σ((m_i / scale + w·Δφ_i) / T), NaN where a side is missing."""
    levels = _levels(part, scale, weights)
    return sigmoid(_divided(part, slice(None), scale, levels, temperature))


def _levels(part: Part, scale: float, weights: FloatArray) -> FloatArray:
    """(K, n_prompts) w·φ, with the scores where margins are differences of scores."""
    moved: FloatArray = part.features @ weights
    scores = scores_behind(part.paired)
    if scores is not None:
        moved += scores / scale
    return moved


def _divided(part: Part, some: slice, scale: float, levels: FloatArray, temperature: float) -> FloatArray:
    """(pairs, n_prompts) z, an array of its own."""
    k, r = part.paired.pairs[some].T
    z: FloatArray = levels[k]
    z -= levels[r]
    if scores_behind(part.paired) is None:
        z += part.paired.rows(some) / scale
    z /= temperature
    return z


def scores_behind(paired: PairedMargins) -> FloatArray | None:
    """(K, n_prompts) scores whose differences the margins are; None for judgements."""
    if isinstance(paired, SomePairs):
        return scores_behind(paired.whole)
    return paired.scores if isinstance(paired, ScoreMargins) else None


def _summed(steep: FloatArray, features: FloatArray, side: IntArray) -> FloatArray:
    """Σ_i steep_pi φ_side(p),i by pair, one product of matrices for each policy."""
    order = np.argsort(side, kind="stable")
    in_order = steep if (np.diff(side) >= 0).all() else steep[order]
    ends = np.flatnonzero(np.diff(side[order], append=-1)) + 1
    total = np.empty((len(side), features.shape[2]))
    start = 0
    for end in ends.tolist():
        total[order[start:end]] = in_order[start:end] @ features[side[order[start]]]
        start = end
    return total


# --- parts of a problem -----------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class MarginsView:
    """Margins made of ``whole`` ones: the same policies, prompts and pairs."""

    whole: PairedMargins

    @property
    def policies(self) -> tuple[str, ...]:
        return self.whole.policies

    @property
    def n_prompts(self) -> int:
        return self.whole.n_prompts

    @property
    def prompts(self) -> tuple[str, ...]:
        return self.whole.prompts

    @property
    def pairs(self) -> IntArray:
        return self.whole.pairs


@dataclass(frozen=True, eq=False)
class SomePairs(MarginsView):
    """Some of the pairs of others' margins."""

    chosen: IntArray

    @property
    def pairs(self) -> IntArray:
        return self.whole.pairs[self.chosen]

    def rows(self, which: slice | IntArray) -> FloatArray:
        """(pairs, n_prompts) margins."""
        return self.whole.rows(self.chosen[which])

    def at(self, prompts: NDArray[np.bool_]) -> SomePairs:
        """The same pairs on some of the prompts."""
        return SomePairs(self.whole.at(prompts), self.chosen)


@dataclass(frozen=True, eq=False)
class ShiftedMargins(MarginsView):
    """Margins with a shift (K, n) added to the score of each response: w·φ, or noise."""

    shift: FloatArray

    def rows(self, which: slice | IntArray) -> FloatArray:
        """(pairs, n_prompts) margins."""
        k, r = self.pairs[which].T
        return np.asarray(self.whole.rows(which) + self.shift[k] - self.shift[r])

    def at(self, prompts: np.ndarray) -> ShiftedMargins:
        """The same pairs on some of the prompts."""
        return ShiftedMargins(self.whole.at(prompts), np.ascontiguousarray(self.shift[:, prompts]))


def restricted(part: Part, *, pairs: NDArray[np.bool_], prompts: NDArray[np.bool_] | None = None) -> Part:
    """Some of the pairs of a part, on some of its prompts."""
    chosen = np.flatnonzero(pairs)
    paired: PairedMargins = part.paired if prompts is None else part.paired.at(prompts)
    features = part.features if prompts is None else np.ascontiguousarray(part.features[:, prompts])
    return Part(SomePairs(paired, chosen), features, part.expected[chosen], part.weight[chosen])


def thinned(part: Part, cells: int, rng: np.random.Generator) -> list[Part]:
    """A part as several of at most ``cells`` comparisons in all: prompts are dealt out in groups, and each pair meets one group.

    Every prompt and every pair takes part, and a mean over a random group of prompts is unbiased for the mean over all.
    """
    n, m = part.paired.n_prompts, len(part.expected)
    groups = min(int(np.ceil(n * m / cells)), max(1, n // _FEWEST), m)
    if groups < 2:
        return [part]
    prompt_group, pair_group = rng.permutation(n) % groups, rng.permutation(m) % groups
    return [restricted(part, pairs=pair_group == g, prompts=prompt_group == g) for g in range(groups)]


_FEWEST = 100  # prompts of a group


def spread_of_margins(paired: PairedMargins) -> float:
    """√(mean m² / 2) over all margins: of scores, the standard deviation within prompts."""
    total, count = 0.0, 0
    for some in blocks(paired):
        margins = paired.rows(some)
        total += float(np.nansum(margins**2))
        count += int(np.count_nonzero(~np.isnan(margins)))
    return float(np.sqrt(total / (2 * max(count, 1))))


def kept_of_order(paired: PairedMargins, features: FloatArray, scale: float, weights: FloatArray) -> float:
    """Correlation of margins before with margins after, Σ m m' / √(Σ m² Σ m'²): how much of the within-prompt ranking is kept."""
    moved = features @ weights
    sums = np.zeros(3)
    for some in blocks(paired):
        k, r = paired.pairs[some].T
        before = paired.rows(some) / scale
        after = before + (moved[k] - moved[r])
        sums += [np.nansum(before * after), np.nansum(before**2), np.nansum(after**2)]
    return float(sums[0] / np.sqrt(sums[1] * sums[2])) if sums[1] > 0 and sums[2] > 0 else 0.0


def stacked(found: Sequence[SoftRates]) -> SoftRates:
    """The rates of several parts, one after another."""
    return SoftRates(np.concatenate([f.rate for f in found]), np.concatenate([f.slope for f in found]))
