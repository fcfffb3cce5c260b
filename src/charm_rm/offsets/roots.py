"""Roots of one rising curve: the offset at which margins + offset win a target share. Pure arrays.

``margins`` (n,) are s_over - s_reference, one per prompt. Every solver works on many draws at once:
``targets`` (B,), ``weights`` (B, n), one row per draw; no weights means equal ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..errors import NotConverged
from ..margins import with_ties_halved
from ..statistics import FloatArray

Curve = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

_BLOCK_CELLS = 4_000_000
_ITERATIONS = 200
_SLACK = 1 + 1e-9
# A root that misses its target by more is not returned.
_LOOSEST = 1e-7


def hard_root(
    margins: FloatArray,
    targets: FloatArray,
    *,
    weights: FloatArray | None = None,
    grain: float | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Solve Σ w_i (1[m_i + Δ > 0] + ½·1[m_i + Δ = 0]) = target exactly. Returns (Δ, attained), both (B,).

    The left side is a staircase that steps at the thresholds -m_i. Δ is the midpoint of the two thresholds
    around the stair nearest to the target, so no comparison is a tie and, where margins are distinct,
    |attained - target| <= 1/(2n); :func:`settle` says what happens where they are not.
    ``grain`` is the weight of one comparison there, the largest weight unless told.
    """
    weights = np.ones((1, margins.size)) if weights is None else weights
    stairs = _Staircase.of(margins)
    parts = [
        stairs.settled(targets[rows], weights[_rows(weights, rows)], grain)
        for rows in _blocks(targets.size, margins.size)
    ]
    return _joined(parts)


def hard_crossing(margins: FloatArray, targets: FloatArray, *, weights: FloatArray) -> FloatArray:
    """(B,) the threshold at which the weighted wins and ties first reach the target.

    It is -inf where they reach it without any, and inf where all of them do not.
    """
    stairs = _Staircase.of(margins)
    parts = [stairs.crossing(targets[rows], weights[rows])[0] for rows in _blocks(targets.size, margins.size)]
    padded = np.concatenate([[-np.inf], stairs.thresholds, [np.inf]])
    return np.asarray(padded[np.concatenate(parts)])


@dataclass(frozen=True, eq=False)
class _Staircase:
    """Margins sorted once for every draw: a comparison turns at its threshold -m_i, equal ones at once.

    ``order`` sorts the margins by threshold; ``last`` is the place in it of each threshold's last comparison, so that a running
    sum of weights, read there, is the height of the stair to the right of the threshold.
    """

    thresholds: FloatArray
    order: NDArray[np.intp]
    last: NDArray[np.intp]

    @classmethod
    def of(cls, margins: FloatArray) -> _Staircase:
        thresholds, group = np.unique(-margins, return_inverse=True)
        order = np.argsort(group, kind="stable")
        last = np.searchsorted(group[order], np.arange(thresholds.size), side="right") - 1
        return cls(thresholds, order, last)

    def crossing(self, targets: FloatArray, weights: FloatArray) -> tuple[NDArray[np.intp], FloatArray]:
        """Where each row passes its target, and the heights (B, thresholds).

        0 is left of every threshold, j at the j-th of them, one more than there are beyond all.
        """
        heights = self._heights(weights)
        step = np.where(targets > 0, 1 + (heights < targets[:, None]).sum(axis=1), 0)
        return step, heights

    def settled(
        self, targets: FloatArray, weights: FloatArray, grain: float | None
    ) -> tuple[FloatArray, FloatArray]:
        """:func:`settle` for each row, at the threshold where it passes its target, an inner one."""
        step, heights = self.crossing(targets, weights)
        step = np.clip(step, 1, self.thresholds.size)
        row = np.arange(len(heights))
        padded = np.concatenate([[np.inf], self.thresholds, [np.inf]])
        return settle(
            targets,
            previous=padded[step - 1],
            here=padded[step],
            following=padded[step + 1],
            below=np.where(step > 1, heights[row, step - 2], 0.0),
            upto=heights[row, step - 1],
            grain=(weights.max(axis=1) if grain is None else grain) / weights.sum(axis=1),
        )

    def _heights(self, weights: FloatArray) -> FloatArray:
        running = np.cumsum(weights[:, self.order], axis=1)
        heights = running[:, self.last] / running[:, -1:]
        heights[:, -1] = 1.0
        return heights


def settle(
    targets: FloatArray,
    *,
    previous: FloatArray,
    here: FloatArray,
    following: FloatArray,
    below: FloatArray,
    upto: FloatArray,
    grain: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    """Choose the offset on a staircase that passes the target at ``here``. Returns (Δ, attained).

    Left of ``here`` the win rate is ``below``, right of it ``upto``; the neighbouring thresholds are
    ``previous`` and ``following`` (not finite: there is none). The nearer stair wins, at its middle. Only
    where neither lies within half a ``grain`` (the weight of one comparison) of the target, because
    margins tie or the target is at the very edge, and the tie itself is nearer, Δ = ``here``: the
    comparisons there become ties, worth ½ each.
    """
    left = np.where(np.isfinite(previous), np.abs(below - targets), np.inf)
    right = np.where(np.isfinite(following), np.abs(upto - targets), np.inf)
    middle = with_ties_halved(below, upto)
    nearer = np.minimum(left, right)
    on_step = (nearer > grain / 2 * _SLACK) & (np.abs(middle - targets) < nearer)
    stair = np.where(left <= right, previous / 2 + here / 2, here / 2 + following / 2)
    attained = np.where(left <= right, below, upto)
    return np.where(on_step, here, stair), np.where(on_step, middle, attained)


def sigmoid_root(
    margins: FloatArray,
    targets: FloatArray,
    *,
    temperature: float,
    weights: FloatArray | None = None,
    tolerance: float = 1e-14,
) -> tuple[FloatArray, FloatArray]:
    """Solve Σ w_i σ((m_i + Δ)/τ) = target. Returns (Δ, attained), both (B,)."""
    share = np.full((1, margins.size), 1 / margins.size) if weights is None else weights
    share = share / share.sum(axis=1, keepdims=True)
    low, high = sigmoid_bracket(margins.min(), margins.max(), targets, temperature)
    parts = []
    for rows in _blocks(targets.size, margins.size):
        curve = _mean_sigmoid(margins, share[_rows(share, rows)], temperature)
        parts.append(rising_root(curve, targets[rows], low[rows], high[rows], tolerance=tolerance))
    return _joined(parts)


def _mean_sigmoid(margins: FloatArray, share: FloatArray, temperature: float) -> Curve:
    """L(Δ) = Σ w_i σ((m_i + Δ)/τ) and its slope; σ(x) = (1 + tanh(x/2))/2 neither over- nor underflows."""

    def curve(delta: FloatArray) -> tuple[FloatArray, FloatArray]:
        wave = np.tanh((margins + delta[:, None]) / (2 * temperature))
        value = 0.5 + 0.5 * (share * wave).sum(axis=1)
        slope = (share * (1 - wave**2)).sum(axis=1) / (4 * temperature)
        return value, slope

    return curve


def sigmoid_bracket(
    smallest: float, largest: float, targets: FloatArray, temperature: float
) -> tuple[FloatArray, FloatArray]:
    """τ·logit(p) - max(m) <= Δ <= τ·logit(p) - min(m): if all margins were the largest (or the smallest)."""
    level = temperature * special.logit(targets)
    slack = 1e-9 * (temperature + abs(largest - smallest))
    return level - largest - slack, level - smallest + slack


def rising_root(
    curve: Curve,
    targets: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    tolerance: float,
    start: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Safeguarded Newton on a rising curve, row by row. Returns (x, curve(x)).

    ``curve(x)`` gives value and slope. A Newton step is taken while it stays in the bracket and halves the
    gap; otherwise the bracket is halved. Stops where |gap| <= tolerance, or where the bracket can
    shrink no further in floating point.

    Raises:
        NotConverged: neither came about, or the curve is so steep there that the last bit of x decides the gap.
    """
    x = (low + high) / 2 if start is None else np.clip(start, low, high)
    previous = np.full(x.shape, np.inf)
    for _ in range(_ITERATIONS):
        value, slope = curve(x)
        gap = value - targets
        low, high = np.where(gap < 0, x, low), np.where(gap > 0, x, high)
        resolution = 2 * np.spacing(np.maximum(np.abs(low), np.abs(high)))
        done = (np.abs(gap) <= tolerance) | (high - low <= resolution)
        if done.all():
            break
        with np.errstate(divide="ignore", invalid="ignore"):
            newton = x - gap / slope
        good = (newton > low) & (newton < high) & (np.abs(gap) <= previous / 2)
        previous = np.abs(gap)
        x = np.where(done, x, np.where(good, newton, (low + high) / 2))
    worst = float(np.abs(gap).max())
    if not (done.all() and worst <= _LOOSEST):
        raise NotConverged(
            f"the offset's equation is met to {worst:.1e} only: the sigmoid is too steep for numbers of this size",
            where="calibration",
            fix="raise --temperature, or use --link hard",
        )
    return x, value


def _joined(parts: list[tuple[FloatArray, FloatArray]]) -> tuple[FloatArray, FloatArray]:
    deltas, attained = zip(*parts, strict=True)
    return np.concatenate(deltas), np.concatenate(attained)


def _blocks(n_draws: int, n: int) -> list[slice]:
    size = max(1, _BLOCK_CELLS // n)
    return [slice(start, start + size) for start in range(0, n_draws, size)]


def _rows(weights: FloatArray, rows: slice) -> slice:
    """The rows of ``weights`` for a block of draws: one shared row, or their own."""
    return slice(None) if len(weights) == 1 else rows
