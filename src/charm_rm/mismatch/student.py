"""Student's t with any (also fractional) degrees of freedom: p-values, quantiles, power.

`scipy.special` has the first two, but takes a quarter of a second to import: as long as an audit of published figures.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
from numpy.typing import ArrayLike

from ..statistics import FloatArray

MANY = 1e6  # degrees of freedom from which on t is the normal distribution for all that is printed


def student_p(t: ArrayLike, freedom: ArrayLike) -> FloatArray:
    """Two-sided p-value of ``t``, I_x(ν/2, ½) with x = ν / (ν + t²); NaN where there are no degrees of freedom."""
    t, freedom = np.broadcast_arrays(np.asarray(t, dtype=np.float64), np.asarray(freedom, dtype=np.float64))
    p = [_p(float(x), float(v)) for x, v in zip(t.ravel(), freedom.ravel(), strict=True)]
    return np.array(p).reshape(t.shape)


def student_quantile(freedom: ArrayLike, *, tail: float = 0.05) -> FloatArray:
    """The t >= 0 whose two-sided p-value is ``tail``; infinite where there are no degrees of freedom."""
    freedom = np.asarray(freedom, dtype=np.float64)
    return np.array([_quantile(v, tail) for v in freedom.ravel().tolist()]).reshape(freedom.shape)


def student_power(shift: ArrayLike, freedom: ArrayLike, *, tail: float) -> FloatArray:
    """P(|T| > t_tail) for T = (Z + ``shift``) / √(χ²_ν / ν): the power of a two-sided t-test.

    Given the scale s = √(χ²_ν / ν) it is Φ(shift - t·s) + Φ(-shift - t·s), averaged over s.
    """
    shift, freedom = np.broadcast_arrays(np.abs(np.asarray(shift, float)), np.asarray(freedom, float))
    critical = student_quantile(freedom, tail=tail)
    scale, weight = _scales(np.clip(freedom, 1e-2, MANY))
    bound = np.where(np.isfinite(critical), critical, 0.0)[..., None] * scale
    power = _normal_cdf(shift[..., None] - bound) + _normal_cdf(-shift[..., None] - bound)
    return np.where(np.isfinite(critical), (power * weight).sum(axis=-1), 0.0)


def _scales(freedom: FloatArray, size: int = 200) -> tuple[FloatArray, FloatArray]:
    """(..., size) values of s = √(χ²_ν / ν), evenly spaced in log s, with their probabilities ∝ s^ν exp(-ν s² / 2)."""
    v = freedom[..., None]
    low, high = -np.maximum(8 / np.sqrt(2 * v), 20 / v), 8 / np.sqrt(2 * v)
    log_s = low + (high - low) * np.linspace(0, 1, size)
    weight = np.exp(v * (log_s - 0.5 * np.expm1(2 * log_s)))
    return np.exp(log_s), weight / weight.sum(axis=-1, keepdims=True)


def _normal_cdf(x: FloatArray) -> FloatArray:
    """Φ(x) to 2e-7, off a table: one power takes a hundred thousand values."""
    return np.asarray(np.interp(x, *_normal_table()))


@cache
def _normal_table() -> tuple[FloatArray, FloatArray]:
    """Φ at steps of 1/500: straight lines between miss it by at most max|φ'| h² / 8 = 1.2e-7; beyond ±6 it is 0 or 1 to 1e-9."""
    x = np.linspace(-6, 6, 6001)
    return x, np.array([0.5 * math.erfc(-v / math.sqrt(2)) for v in x.tolist()])


def _p(t: float, freedom: float) -> float:
    if not (freedom > 0) or math.isnan(t):
        return math.nan
    if math.isinf(t):
        return 0.0
    if freedom >= MANY:
        return math.erfc(abs(t) / math.sqrt(2))
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t), t * t / (freedom + t * t))


@lru_cache(maxsize=4096)
def _quantile(freedom: float, tail: float) -> float:
    """Newton's steps on log p against log t, which is concave: from the second on they fall to the root from above."""
    if not freedom > 0:
        return math.inf
    v = min(freedom, MANY)
    log_density = math.lgamma((v + 1) / 2) - math.lgamma(v / 2) - 0.5 * math.log(v * math.pi)
    x = math.log(2.0)
    for _ in range(100):
        t = math.exp(x)
        p = _p(t, v)
        slope = -2 * t * math.exp(log_density - (v + 1) / 2 * math.log1p(t * t / v)) / p
        step = (math.log(tail) - math.log(p)) / slope
        x += step
        if abs(step) < 1e-9:  # the error after a Newton step is the square of that
            break
    return math.exp(x)


def _incomplete_beta(a: float, b: float, x: float, rest: float) -> float:
    """I_x(a, b), ``rest`` = 1 - x, by Lentz's continued fraction (Press et al., Numerical Recipes, 6.4)."""
    if x <= 0:
        return 0.0
    if rest <= 0:
        return 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log(rest)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, rest) / b


def _fraction(a: float, b: float, x: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / _away_from_0(1 - (a + b) * x / (a + 1), tiny)
    value = d
    for m in range(1, 100_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / _away_from_0(1 + even * d, tiny)
        c = _away_from_0(1 + even / c, tiny)
        value *= c * d
        d = 1 / _away_from_0(1 + odd * d, tiny)
        c = _away_from_0(1 + odd / c, tiny)
        value *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return value


def _away_from_0(value: float, tiny: float) -> float:
    return value if abs(value) > tiny else tiny
