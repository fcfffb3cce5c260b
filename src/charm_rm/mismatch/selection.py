"""The winner's curse: the top of a table sorted by its figures was chosen for its noise as well.

Beside every raw mismatch stands one that is shrunk, and an interval that holds for all rows at once, hence for whichever is read.
"""

from __future__ import annotations

import numpy as np

from ..estimates import LEVEL, Z95
from ..statistics import FloatArray, sigmoid
from .noise import standardised, thinned

_MULTIPLIERS = 400


def shrink(difference: FloatArray, variance: FloatArray) -> FloatArray:
    """d τ² / (τ² + v), τ² = max(0, mean(d² - v)): the mean of each true difference if all were drawn from N(0, τ²).

    The prior's mean is 0 because which of two policies is named first is arbitrary.
    """
    tau2 = max(0.0, float((difference**2 - variance).mean())) if len(difference) else 0.0
    total = tau2 + variance
    return np.asarray(difference * np.divide(tau2, total, out=np.ones_like(total), where=total > 0))


def simultaneous_z(noise: FloatArray | None, rows: int) -> float:
    """The z at which normal intervals hold for all rows together in 95 of 100 cases; never below that of one row.

    The 95 % quantile of max_j |Z_j|, Z normal with the correlations of the draws (rows share prompts and ratings): Σ_b g_b e_b /
    √draws over standardised draws e with normal multipliers g. Without draws, rows count as independent (Šidák).
    """
    if noise is None:
        return max(Z95, _two_sided_z(LEVEL ** (1 / max(rows, 1))))
    e = standardised(noise[thinned(*noise.shape)])
    rng = np.random.default_rng(0)  # integrates a known distribution; nothing of the data is drawn
    multipliers = rng.standard_normal((_MULTIPLIERS, len(e))) / np.sqrt(len(e))
    largest = np.abs(multipliers @ e).max(axis=1)
    return max(Z95, float(np.quantile(largest, LEVEL)))


def score_interval(
    rate: FloatArray, size: FloatArray, gap: FloatArray, gap_variance: FloatArray, z: float
) -> tuple[FloatArray, FloatArray]:
    """Interval of P̂ - P at z: Wilson's of P̂, that of P = σ(gap ± z sd), joined as by Zou and Donner (2008).

    L = d - √((p̂ - l)² + (u' - P)²). At z near 4 a normal interval of P̂ would miss by far: it takes its variance at P̂, not where it ends.
    """
    centre = (rate + z**2 / (2 * size)) / (1 + z**2 / size)
    half = z / (1 + z**2 / size) * np.sqrt(rate * (1 - rate) / size + z**2 / (4 * size**2))
    low, high = np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)
    expected, reach = sigmoid(gap), z * np.sqrt(gap_variance)
    least, most = sigmoid(gap - reach), sigmoid(gap + reach)
    difference = rate - expected
    below = np.hypot(np.maximum(rate - low, 0.0), most - expected)
    above = np.hypot(np.maximum(high - rate, 0.0), expected - least)
    return np.asarray(difference - below), np.asarray(difference + above)


def _two_sided_z(level: float) -> float:
    from statistics import NormalDist

    return NormalDist().inv_cdf((1 + level) / 2)
