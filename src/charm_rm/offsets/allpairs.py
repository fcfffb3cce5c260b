"""The unpaired estimand: every response of the policy against every response of the reference.

This is what the paper's released code solves. With n responses on each side there are n² comparisons;
none of this holds them. The hard link counts by binary search in sorted scores, the sigmoid link sums
in blocks. Scores of several references come with weights that add up to 1.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import special

from ..margins import with_ties_halved
from ..statistics import FloatArray
from .roots import Curve, rising_root, settle, sigmoid_bracket

BLOCK_CELLS = 50_000
_THINNED = 1000
_SAFE_EXPONENT = 300.0
Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")


@dataclass(frozen=True, eq=False)
class AllPairs:
    """Sorted scores of one policy (n,) and of each reference (m_l,), with the references' weights."""

    over: FloatArray
    references: tuple[FloatArray, ...]
    weights: tuple[float, ...]

    @classmethod
    def of(cls, over: FloatArray, references: Sequence[FloatArray], weights: Sequence[float]) -> AllPairs:
        """Sort the scores once; everything else relies on it."""
        return cls(np.sort(over), tuple(np.sort(r) for r in references), tuple(weights))

    @property
    def grain(self) -> float:
        """The weight of the heaviest single comparison."""
        return max(w / (self.over.size * r.size) for r, w in self._weighted())

    def won(self, delta: float) -> float:
        """Share of comparisons won strictly: Σ w_l #{s_over + Δ > s_ref} / (n m_l)."""
        return sum(w * _share(r, self.over + delta, "left") for r, w in self._weighted())

    def upto(self, delta: float) -> float:
        """Share of comparisons won or tied: Σ w_l #{s_over + Δ >= s_ref} / (n m_l)."""
        return sum(w * _share(r, self.over + delta, "right") for r, w in self._weighted())

    def hard(self, delta: float) -> float:
        """Hard win rate after the offset, a tie worth ½."""
        return with_ties_halved(self.won(delta), self.upto(delta))

    def soft(self, delta: float, temperature: float) -> float:
        """Mean sigmoid after the offset."""
        return sum(
            w * sigmoid_sums(self.over + delta, r, temperature)[0] / (self.over.size * r.size)
            for r, w in self._weighted()
        )

    def previous(self, delta: float, *, strictly: bool = False) -> float:
        """The greatest threshold s_ref - s_over up to (or strictly below) ``delta``; -inf where there is none."""
        side: Side = "left" if strictly else "right"
        return max(_nearest(r, self.over, delta, side, -1) for r, _ in self._weighted())

    def following(self, delta: float) -> float:
        """The least threshold s_ref - s_over that lies above ``delta``; inf where there is none."""
        return min(_nearest(r, self.over, delta, "right", 0) for r, _ in self._weighted())

    def range(self) -> tuple[float, float]:
        """Smallest and largest margin s_over - s_ref."""
        low, high = min(r[0] for r in self.references), max(r[-1] for r in self.references)
        return float(self.over[0] - high), float(self.over[-1] - low)

    def thinned(self, size: int) -> AllPairs:
        """About ``size`` evenly spaced order statistics of each side: a good starting point, cheaply."""
        return AllPairs(_thin(self.over, size), tuple(_thin(r, size) for r in self.references), self.weights)

    def _weighted(self) -> Iterator[tuple[FloatArray, float]]:
        return zip(self.references, self.weights, strict=True)


def hard_root_all_pairs(pairs: AllPairs, target: float) -> tuple[float, float]:
    """The hard link over all pairs, exactly. Returns (Δ, attained).

    The crossing threshold is the least Δ at which the wins and ties reach the target. It is found by
    bisection over the floating-point numbers themselves, which ends after at most 64 counts with no
    tolerance to choose; its two neighbours are then read off the sorted scores.
    """
    smallest, largest = pairs.range()
    low, high = _rank(np.nextafter(-largest, -np.inf) - 1.0), _rank(np.nextafter(-smallest, np.inf) + 1.0)
    while high - low > 1:
        middle = (low + high) // 2
        if pairs.upto(_unrank(middle)) >= target:
            high = middle
        else:
            low = middle
    # Rounding of s_over + Δ may let a win begin a hair before its threshold s_ref - s_over, where ties are:
    # `here` is the threshold, and what is below it is the lesser of both counts.
    left, here = _unrank(low), max(_unrank(high), pairs.previous(_unrank(high)))
    delta, _ = settle(
        np.array([target]),
        previous=np.array([min(pairs.previous(left), pairs.previous(here, strictly=True))]),
        here=np.array([here]),
        following=np.array([pairs.following(here)]),
        below=np.array([min(pairs.upto(left), pairs.won(here))]),
        upto=np.array([pairs.upto(here)]),
        grain=np.array([pairs.grain]),
    )
    return float(delta[0]), pairs.hard(float(delta[0]))


def sigmoid_root_all_pairs(
    pairs: AllPairs, target: float, *, temperature: float, tolerance: float = 1e-13
) -> tuple[float, float]:
    """The sigmoid link over all pairs. Returns (Δ, attained). Starts from thinned scores, ends on all."""
    targets = np.array([target])
    delta = attained = np.zeros(1)
    for stage in (pairs.thinned(_THINNED), pairs):
        low, high = sigmoid_bracket(*stage.range(), targets, temperature)
        curve = mean_sigmoid_all_pairs(stage, temperature)
        delta, attained = rising_root(curve, targets, low, high, tolerance=tolerance, start=delta)
    return float(delta[0]), float(attained[0])


def mean_sigmoid_all_pairs(pairs: AllPairs, temperature: float) -> Curve:
    """L(Δ) = Σ_l w_l mean_ij σ((s_over,i - s_l,j + Δ)/τ) and its slope, as σ' = σ - σ²."""

    def curve(delta: FloatArray) -> tuple[FloatArray, FloatArray]:
        value = slope = 0.0
        for reference, weight in zip(pairs.references, pairs.weights, strict=True):
            scale = weight / (pairs.over.size * reference.size)
            wins, squares = sigmoid_sums(pairs.over + delta[0], reference, temperature)
            value += scale * wins
            slope += scale * (wins - squares) / temperature
        return np.array([value]), np.array([slope])

    return curve


def sigmoid_sums(over: FloatArray, reference: FloatArray, temperature: float) -> tuple[float, float]:
    """Σ_ij σ_ij and Σ_ij σ_ij² with σ_ij = σ((over_i - ref_j)/τ), in blocks that stay in cache.

    Where no exponential overflows, σ_ij = 1/(1 + u_i v_j) needs n + m exponentials, not n m.
    """
    centre = (reference[0] + reference[-1]) / 2
    a, b = (over - centre) / temperature, (reference - centre) / temperature
    products = max(np.abs(a).max(), np.abs(b).max()) < _SAFE_EXPONENT
    u, v = (np.exp(-a), np.exp(b)) if products else (a, b)
    wins = squares = 0.0
    size = max(1, BLOCK_CELLS // reference.size)
    for start in range(0, over.size, size):
        block = u[start : start + size, None]
        win = 1 / (1 + block * v) if products else special.expit(block - v)
        wins += float(win.sum())
        squares += float(np.einsum("ij,ij->", win, win))
    return wins, squares


def _share(reference: FloatArray, shifted: FloatArray, side: Side) -> float:
    counts = np.searchsorted(reference, shifted, side=side)
    return float(counts.sum() / (reference.size * shifted.size))


def _nearest(reference: FloatArray, over: FloatArray, delta: float, side: Side, step: int) -> float:
    """The threshold s_ref - s_over next to ``delta``: above it with ``step`` 0, below it with -1."""
    at = np.searchsorted(reference, over + delta, side=side) + step
    inside = (at >= 0) & (at < reference.size)
    if not inside.any():
        return np.inf if step == 0 else -np.inf
    thresholds = reference[at[inside]] - over[inside]
    return float(thresholds.min() if step == 0 else thresholds.max())


def _thin(values: FloatArray, size: int) -> FloatArray:
    if values.size <= size:
        return values
    thinned: FloatArray = values[((np.arange(size) + 0.5) * values.size / size).astype(np.intp)]
    return thinned


def _rank(value: float) -> int:
    """The place of a float among all floats: neighbours differ by 1."""
    bits: int = struct.unpack("<q", struct.pack("<d", value))[0]
    return bits if bits >= 0 else -(bits + 2**63)


def _unrank(rank: int) -> float:
    value: float = struct.unpack("<d", struct.pack("<q", abs(rank)))[0]
    return value if rank >= 0 else -value
