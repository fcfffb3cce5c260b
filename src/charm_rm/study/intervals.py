"""Intervals of shares and of differences of shares: never outside of what can be, never of width 0, and in step with their test.

Both are score intervals (Wilson 1927) with as many trials in effect as the variance says, and Student's t for the normal quantile. A variance
of 0 (everybody agrees) is no certainty: to every variance is added what one further prompt of a coin's toss would (Jeffreys; decisions 2, 15).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..estimates import SIGNIFICANT
from ..mismatch.student import student_p, student_quantile


@dataclass(frozen=True)
class Ranged:
    """A share or a difference: value, standard error, 95 % interval (or of the level asked for), p-value (None of a share)."""

    value: float
    std_err: float
    ci_low: float
    ci_high: float
    p_value: float | None = None


def floored(variance: float, value: float, prompts: float) -> float:
    """V + ½ (θ² + (1 − θ)²) / (n + 1)²: what one further prompt, half a 0 and half a 1, adds to the variance of a share of n prompts."""
    return variance + 0.5 * (value**2 + (1 - value) ** 2) / (prompts + 1) ** 2


def ranged_share(
    value: float, variance: float, df: float, prompts: float, *, tail: float = SIGNIFICANT
) -> Ranged:
    """The share's score interval {p: (θ − p)² <= t² p (1 − p) / n}, n = θ̃ (1 − θ̃) / V the trials in effect.

    θ̃ is the share with one further prompt, half a 0 and half a 1, and V is :func:`floored`. Without degrees of freedom it is [0, 1].

    Args:
        value: the share; a powered one may lie a little outside of [0, 1], and is brought back.
        variance: its estimated variance; NaN where it is unknown.
        df: degrees of freedom of Student's t.
        prompts: how many prompts it rests on, in effect.
        tail: 1 less the level.
    """
    value = float(np.clip(value, 0.0, 1.0))
    if not df > 0 or np.isnan(variance):
        return Ranged(value, float("nan"), 0.0, 1.0)
    variance = floored(variance, value, prompts)
    middle = (prompts * value + 0.5) / (prompts + 1)
    trials = middle * (1 - middle) / variance
    low, high = _score_interval(value, trials, _quantile(df, tail))
    return Ranged(value, variance**0.5, low, high)


def ranged_difference(
    value: float, bound: float, variance: float, df: float, prompts: float, *, tests: int = 1
) -> Ranged:
    """Interval and test of a difference that cannot leave [−b, b], by the share (1 + δ / b) / 2 that it comes from.

    The interval is that share's, turned back. The test is its score test of ½, t = (δ / b) √n: the interval leaves out 0 exactly where
    p <= 0.05. With ``tests`` comparisons both are Bonferroni's: the interval has level 1 − 0.05 / m, and p is multiplied by m.
    """
    if not bound > 0:
        return Ranged(0.0, 0.0, 0.0, 0.0, 1.0)
    scaled = float(np.clip(value / bound, -1.0, 1.0))
    share = ranged_share((1 + scaled) / 2, variance / (4 * bound**2), df, prompts, tail=SIGNIFICANT / tests)
    if np.isnan(share.std_err):
        return Ranged(scaled * bound, float("nan"), -bound, bound, 1.0)
    middle = (prompts * share.value + 0.5) / (prompts + 1)
    trials = middle * (1 - middle) / share.std_err**2
    p = float(student_p(scaled * trials**0.5, df))
    return Ranged(
        scaled * bound,
        2 * bound * share.std_err,
        bound * (2 * share.ci_low - 1),
        bound * (2 * share.ci_high - 1),
        min(1.0, tests * p),
    )


def _score_interval(share: float, trials: float, quantile: float) -> tuple[float, float]:
    """The two p at which |θ − p| = t √(p (1 − p) / n)."""
    if not np.isfinite(quantile):
        return 0.0, 1.0
    t2 = quantile**2 / trials
    centre = (share + t2 / 2) / (1 + t2)
    half = (t2 * share * (1 - share) + t2**2 / 4) ** 0.5 / (1 + t2)
    return max(0.0, min(centre - half, share)), min(1.0, max(centre + half, share))


def _quantile(df: float, tail: float) -> float:
    return float(student_quantile(df, tail=tail))
