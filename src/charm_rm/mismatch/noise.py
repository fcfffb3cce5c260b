"""Differences from people with the noise on them: intervals of figures that noise biases, and their floors.

A mean of absolute values or of squares is raised by noise, so a bootstrap's draws sit above the value as the value sits above the
truth. Here the noise of the draws is put on true differences of a supposed size, and what comes out is compared with what was seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..estimates import LEVEL
from ..margins import Tally
from ..statistics import FloatArray

Figure = Callable[[FloatArray, FloatArray], FloatArray]  # (differences, variances) (..., m) -> (...)

_CELLS = 500_000  # of draws by pairs; beyond, every so many draws are left out
_GRID = 12  # sizes tried; the quantiles are smooth in the size, and interpolated


@dataclass(frozen=True, eq=False)
class Differences:
    """d (m,), its variance (unbiased), the variance of an exactly aligned model, and draws of the noise.

    ``standard`` is (draws, m) with mean 0 and variance 1; ``noise`` has the ``variance``, ``null_noise`` the ``null_variance``. None
    without draws.
    """

    value: FloatArray
    variance: FloatArray
    null_variance: FloatArray
    standard: FloatArray | None
    noise: FloatArray | None
    null_noise: FloatArray | None

    def shape(self) -> FloatArray:
        """d shrunk pair by pair, d τ² / (τ² + var d), τ² the mean of d² - var d; d itself where that is not above 0."""
        tau2 = float((self.value**2 - self.variance).mean())
        return self.value if tau2 <= 0 else self.value * tau2 / (tau2 + self.variance)

    def floor(self, figure: Figure) -> float | None:
        """The mean of a figure where nothing but noise is there."""
        if self.null_noise is None:
            return None
        return float(figure(self.null_noise, self.null_variance).mean())


def differences_between(
    tally: Tally, expected: FloatArray, doubt: FloatArray, draws: FloatArray | None
) -> Differences:
    """P̂ - P of a tally; ``doubt`` is the variance of P that comes from the ratings, ``draws`` are of both."""
    variance = unbiased_variance(tally) + doubt
    null_variance = aligned_variance(tally, expected) + doubt
    noise = None if draws is None else standardised(draws)
    return Differences(
        value=tally.win_rate - expected,
        variance=variance,
        null_variance=null_variance,
        standard=noise,
        noise=None if noise is None else noise * np.sqrt(variance),
        null_noise=None if noise is None else noise * np.sqrt(null_variance),
    )


def thinned(draws: int, pairs: int) -> slice:
    """Of draws for many pairs, as many as are worth their time: 250 at least."""
    return slice(None, None, max(1, draws // max(250, _CELLS // max(pairs, 1))))


def standardised(draws: FloatArray) -> FloatArray:
    """Draws less their mean, over their standard deviation."""
    centred = draws - draws.mean(axis=0)
    spread = np.sqrt((centred**2).mean(axis=0))
    centred /= np.where(spread > 0, spread, 1.0)
    return np.asarray(centred)


def unbiased_variance(tally: Tally) -> FloatArray:
    """Variance of a mean of n outcomes, Σ(o - ō)² / (n (n - 1)); as published where only that is known.

    The tally's own adds Jeffreys' pseudo-observation (:func:`charm_rm.statistics.win_rate_variance`); here that is undone, since in
    a mean over pairs a bias of each would stay.
    """
    if tally.wins is None:
        return np.asarray(tally.std_err**2)
    n, p = tally.n, tally.win_rate
    mean = (n * p + 0.5) / (n + 1)
    squares = (tally.std_err**2 * (n + 2) + mean**2) * (n + 1) - 0.5
    spread = np.maximum(squares / np.maximum(n, 1) - p**2, 0.0)
    return np.where(n > 1, spread / np.maximum(n - 1, 1), tally.std_err**2)


def aligned_variance(tally: Tally, expected: FloatArray) -> FloatArray:
    """Variance of P̂ if its mean were P: P (1 - P) / n times the share of P̂ (1 - P̂) that the outcomes' variance takes up (1 but for ties and soft outcomes)."""
    p = tally.win_rate
    whole = p * (1 - p)
    each = unbiased_variance(tally) * np.maximum(tally.n - 1, 1)
    share = np.divide(each, whole, out=np.ones_like(p), where=whole > 0)
    return np.asarray(np.clip(share, 0.0, 1.0) * expected * (1 - expected) / np.maximum(tally.n, 1))


# --- intervals --------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Cleared:
    """A figure of the true differences: the one whose mean with noise is the one seen, and the 95 % interval."""

    value: float
    low: float
    high: float
    draws: FloatArray


def clear_of_noise(found: Differences, figure: Figure) -> Cleared | None:
    """What a figure would be without noise; None without draws.

    True differences s·u are tried, u the shape; s is in the interval where the figure seen is within the central 95 % of
    figure(s·u + noise). At s = 0 that is a test of there being nothing, whatever the shape.
    """
    if found.noise is None:
        return None
    shape = found.shape()
    seen = float(figure(found.value, found.variance))
    unit = float(figure(shape, np.zeros_like(shape)))
    largest = 1.0 if unit == 0 else (seen + 5 * float(np.sqrt(found.variance.mean()))) / unit
    sizes = largest * np.linspace(0.0, 1.0, _GRID) ** 1.5  # denser near 0, where the figures bend
    drawn = np.stack([figure(s * shape + found.noise, found.variance) for s in sizes])
    tail = (1 - LEVEL) / 2
    lower, upper = np.quantile(drawn, [tail, 1 - tail], axis=1)
    middle, low, high = (_crossing(sizes, curve, seen) for curve in (drawn.mean(axis=1), upper, lower))
    nearest = int(np.argmin(np.abs(sizes - middle)))
    return Cleared(middle * unit, low * unit, high * unit, drawn[nearest])


def gap_interval(found: Cleared, other: Cleared) -> tuple[float, float]:
    """95 % interval of the difference of two figures of true differences, from their intervals (Zou and Donner 2008).

    L = v - v' - √((v - l)² + (h' - v')² - 2 ρ (v - l)(h' - v')), and U alike: it keeps the asymmetry of figures near 0, which one
    normal or bootstrap interval of the difference loses. ρ is the correlation of the figures' draws (shared prompts and ratings).
    """
    together = np.corrcoef(found.draws, other.draws)[0, 1]
    rho = float(together) if np.isfinite(together) else 0.0
    gap = found.value - other.value
    below = _hypotenuse(found.value - found.low, other.high - other.value, rho)
    above = _hypotenuse(found.high - found.value, other.value - other.low, rho)
    return gap - below, gap + above


def _hypotenuse(a: float, b: float, rho: float) -> float:
    return float(np.sqrt(max(a * a + b * b - 2 * rho * a * b, 0.0)))


def _crossing(sizes: FloatArray, curve: FloatArray, seen: float) -> float:
    """The size up to which the rising ``curve`` is at most ``seen``; 0 where it starts above."""
    above = np.flatnonzero(curve > seen)
    if above.size == 0:
        return float(sizes[-1])
    i = int(above[0])
    if i == 0:
        return 0.0
    share = (seen - curve[i - 1]) / (curve[i] - curve[i - 1])
    return float(sizes[i - 1] + share * (sizes[i] - sizes[i - 1]))
