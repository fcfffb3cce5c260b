"""Intervals of shares and of differences of shares: never outside of what can be, never of width 0, and in step with their test.

Both are score intervals (Wilson 1927) with as many trials in effect as the variance says, and Student's t for the normal quantile. A variance
of 0 (everybody agrees) is no certainty: to every variance is added what one further prompt of a coin's toss would (Jeffreys; decisions 2, 15).
Where prompts are shown to be alike, it weighs a little less than one of them (decision 24).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import chdtri

from ...estimates import SIGNIFICANT
from ...mismatch.student import student_p, student_quantile

ALIKE = 1.5  # so many times as many prompts at most; with 1.75, simulated intervals of very uneven prompts cover in less than 94 %
_NOTHING_VARIES = 1e-18  # a variance that rounding leaves where there is none


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


def counting_prompts(value: float, variance: float, df: float, prompts: float, votes: float) -> float:
    """n = θ (1 − θ) / V₊ within G and 1.5 G: of how many prompts the further one is one.

    V₊ = V df / χ²(0.05; df) is the upper end of the variance, which few prompts tell badly. Votes on prompts that are alike are worth more
    than G prompts; where prompts differ, or nothing varies at all (V = 0), or there is one vote a prompt, it is G.

    Args:
        value: the share θ.
        variance: V.
        df: its degrees of freedom.
        prompts: G, in effect.
        votes: how many the share rests on, in effect; never is n more.
    """
    if variance <= _NOTHING_VARIES:
        return prompts
    trials = value * (1 - value) / variance * float(chdtri(df, 0.95)) / df
    return max(prompts, min(trials, ALIKE * prompts, votes))


def ranged_share(
    value: float, variance: float, df: float, prompts: float, *, votes: float, tail: float = SIGNIFICANT
) -> Ranged:
    """The share's score interval {p: (θ − p)² <= t² p (1 − p) / n}, n = θ̃ (1 − θ̃) / V the trials in effect.

    θ̃ is the share with one further prompt, half a 0 and half a 1, one of :func:`counting_prompts`, and V is :func:`floored`. Without degrees
    of freedom it is [0, 1].

    Args:
        value: the share; a powered one may lie a little outside of [0, 1], and is brought back.
        variance: its estimated variance; NaN where it is unknown.
        df: degrees of freedom of Student's t.
        prompts: how many prompts it rests on, in effect.
        votes: how many votes, in effect.
        tail: 1 less the level.
    """
    value = float(np.clip(value, 0.0, 1.0))
    if not df > 0 or np.isnan(variance):
        return Ranged(value, float("nan"), 0.0, 1.0)
    prompts = counting_prompts(value, variance, df, prompts, votes)
    variance = floored(variance, value, prompts)
    middle = (prompts * value + 0.5) / (prompts + 1)
    trials = middle * (1 - middle) / variance
    low, high = _score_interval(value, trials, _quantile(df, tail))
    return Ranged(value, variance**0.5, low, high)


def ranged_difference(
    value: float,
    bound: float,
    variance: float,
    df: float,
    prompts: float,
    *,
    votes: float,
    bound_variance: float = 0.0,
    tests: int = 1,
) -> Ranged:
    """Interval and test of a difference δ of two models that cannot be larger than b, how often they disagree.

    Given b, (1 + δ / b) / 2 is a share, and its trials in effect are n as in :func:`ranged_share`. Were the difference d, the estimate would
    have variance V(d) = (b² − d²) / n + (d / b)² var b. The test is of d = 0, t = δ √n / b, and the interval holds every d with
    (δ − d)² <= t² V(d): it leaves out 0 exactly where p <= 0.05. With ``tests`` comparisons both are Bonferroni's: the interval has
    level 1 − 0.05 / m, and p is multiplied by m.

    Args:
        value: δ; a powered one may lie a little beyond b, and is brought back.
        bound: b; 0 where the two never disagree, and then so is δ.
        variance: of δ given b; NaN where it is unknown: anything may be.
        df: degrees of freedom of Student's t.
        prompts: how many prompts δ rests on, in effect.
        votes: how many votes, in effect.
        bound_variance: of b, for prompts like these; 0 where no others are meant.
        tests: m.
    """
    if not bound > 0:
        return Ranged(0.0, 0.0, 0.0, 0.0, 1.0)
    value = float(np.clip(value, -bound, bound))
    quantile = _quantile(df, SIGNIFICANT / tests)
    if not np.isfinite(quantile) or np.isnan(variance):
        return Ranged(value, float("nan"), -1.0, 1.0, 1.0)
    share, of_share = (1 + value / bound) / 2, variance / (4 * bound**2)
    prompts = counting_prompts(share, of_share, df, prompts, votes)
    variance = 4 * bound**2 * floored(of_share, share, prompts)
    middle = (prompts * share + 0.5) / (prompts + 1)
    per_trial = variance / (4 * middle * (1 - middle))  # b² / n
    spread = bound_variance / bound**2
    low, high = _holding(value, per_trial, spread - per_trial / bound**2, quantile)
    p = float(student_p(value / per_trial**0.5, df))
    return Ranged(value, (variance + value**2 * spread) ** 0.5, low, high, min(1.0, tests * p))


def _holding(value: float, at_0: float, slope: float, quantile: float) -> tuple[float, float]:
    """The ends of {d: (δ − d)² <= t² (v + s d²)} within [−1, 1]: roots of (1 − t² s) d² − 2 δ d + δ² − t² v.

    Where t² s >= 1 there is no end on the side that δ points to (if 0 is left out), or on neither.
    """
    a, c = 1 - quantile**2 * slope, value**2 - quantile**2 * at_0
    if a <= 0:
        if c <= 0:
            return -1.0, 1.0
        end = c / (abs(value) + (value**2 - a * c) ** 0.5)
        return (end, 1.0) if value > 0 else (-1.0, -end)
    root = max(value**2 - a * c, 0.0) ** 0.5
    low, high = (value - root) / a, (value + root) / a
    # The end near 0 without the loss of digits of a difference: it has to have the sign of the test.
    if value > 0:
        low = c / (value + root)
    elif value < 0:
        high = c / (value - root)
    return max(-1.0, min(low, value)), min(1.0, max(high, value))


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
