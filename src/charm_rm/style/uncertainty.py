"""How sure the weights are: a sandwich over policies, around weights without a penalty.

A penalty pulls weights to 0, and an interval around such weights would miss the truth. So the interval is that of the estimate w̃ without a
penalty, at the T of the fit. With J the slopes of the win rates, r = P - m what is left, and the pairs' weights in both (N = J'J):

* **policies**. What makes w̃ uncertain differs from policy to policy: its own favour, its rating's error, its sampled responses. The pairs
  of policy k give g_k = J_k'r_k, and the variance is Σ_k (A_k g_k)(A_k g_k)' with A_k = N^-½ (I - N^-½ N_k N^-½)^-¾ N^-½. The power ½
  would be unbiased for policies alike (HC2 of regressions), 1 leaves each policy out (HC3); t has K - 1 - (free weights) degrees of freedom.
* **prompts**. Where style is over-valued on some prompts and not on others, all policies share a prompt's part. The variance over prompts less that of
  single responses, where it is above 0, is added (two-way clustering, Cameron, Gelbach and Miller 2011).

How it covers: ``perf/simulation/style.py``.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import CharmWarning, counted
from ..estimates import LEVEL
from ..statistics import FloatArray, IntArray
from .comparisons import Part, soft_outcomes_of, soft_rates, stacked
from .fitting import Bounds, Fitted, root_weights

_TINY = 1e-9  # a penalty that moves nothing but what the data do not set
_POWER, _ALONE = (
    0.75,
    1e-6,
)  # between HC2 and HC3; the least share of a direction that other policies must have


@dataclass(frozen=True, eq=False)
class WeightIntervals:
    """(d,) weights without a penalty, their standard errors and 95 % intervals, in units of the margins' spread; NaN: not to be had."""

    estimate: FloatArray
    std_err: FloatArray
    low: FloatArray
    high: FloatArray


def weight_intervals(
    parts: Sequence[Part], fitted: Fitted, *, scale: float, bounds: Bounds
) -> WeightIntervals:
    """Fit again without a penalty, and leave out each policy in turn. Weights that end at a bound have no interval; fixed ones are sure."""
    from scipy.stats import t

    free = bounds.free
    estimate, error = np.full((2, len(free)), np.nan)
    estimate[~free], error[~free] = fitted.weights[~free], 0.0
    n_policies = len(np.unique(np.concatenate([part.paired.pairs for part in parts])))
    degrees = n_policies - 1 - int(free.sum())
    if not free.any():
        return WeightIntervals(estimate, error, estimate, estimate)
    if degrees < 1:
        warnings.warn(
            f"{counted(int(free.sum()), 'weight')} from {counted(n_policies, 'policy', 'policies')}: there are too few policies to say how "
            "sure the weights are; the figures on policies left out say what they are worth",
            CharmWarning,
            stacklevel=5,
        )
        return WeightIntervals(estimate, error, estimate, estimate)
    inside = free & (fitted.weights > bounds.low) & (fitted.weights < bounds.high)
    at = np.flatnonzero(inside)
    estimate[free] = fitted.weights[free]
    moved, error[at] = _without_penalty(parts, fitted, scale=scale, columns=at)
    estimate[at] += moved
    reach = float(t.ppf((1 + LEVEL) / 2, degrees)) * error
    return WeightIntervals(estimate, error, estimate - reach, estimate + reach)


def _without_penalty(
    parts: Sequence[Part], fitted: Fitted, *, scale: float, columns: IntArray
) -> tuple[FloatArray, FloatArray]:
    """(d,) by how much weights move without the penalty, to first order, and their standard errors there."""
    found = stacked([soft_rates(part, scale, fitted.weights, fitted.temperature) for part in parts])
    root = root_weights(parts)
    slope = root[:, None] * found.slope[:, columns]
    expected = np.concatenate([part.expected for part in parts])
    pairs = np.concatenate([part.paired.pairs for part in parts])
    values, vectors = np.linalg.eigh(slope.T @ slope)
    half = (vectors / np.sqrt(np.maximum(values, _TINY))) @ vectors.T  # N^-½
    residual = root * (expected - found.rate)
    moved = half @ half @ slope.T @ residual
    variance = _over_policies(slope, residual - slope @ moved, pairs, half)
    start = 0
    for part in parts:
        its = slice(start, start + len(part.expected))
        lead = root[its, None] * slope[its] @ half @ half
        outcomes = soft_outcomes_of(part, scale, fitted.weights, fitted.temperature)
        variance = variance + _over_prompts(part.paired.pairs, lead, outcomes - found.rate[its, None])
        start = its.stop
    return moved, np.asarray(np.sqrt(variance))


def _over_policies(slope: FloatArray, residual: FloatArray, pairs: IntArray, half: FloatArray) -> FloatArray:
    """(d,) Σ_k (A_k g_k)²."""
    variance = np.zeros(slope.shape[1])
    for policy in np.unique(pairs):
        its = (pairs == policy).any(axis=1)
        own = slope[its] @ half
        share, axes = np.linalg.eigh(own.T @ own)  # N^-½ N_k N^-½, between 0 and 1
        stretch = np.maximum(1 - share, _ALONE) ** -_POWER
        variance += (half @ (axes * stretch) @ axes.T @ own.T @ residual[its]) ** 2
    return variance


def _over_prompts(pairs: IntArray, lead: FloatArray, gap: FloatArray) -> FloatArray:
    """(d,) variance over prompts beyond that of single responses, 0 at least.

    ``lead`` (m, d): by how much a pair's win rate moves each weight. ``gap`` (m, n): outcomes less their mean, 0 where there is none. A prompt's part is
    u_i = Σ_p lead_p gap_pi; the response of policy k to it has Σ_(p with k) lead_p gap_pi - u_i / K of it.
    """
    n = gap.shape[1]
    gap = np.nan_to_num(gap) / n
    prompts = gap.T @ lead
    responses = np.zeros(lead.shape[1])
    policies = np.unique(pairs)
    for policy in policies:
        its = (pairs == policy).any(axis=1)
        responses += ((gap[its].T @ lead[its] - prompts / len(policies)) ** 2).sum(axis=0)
    return np.asarray(np.maximum((prompts**2).sum(axis=0) - responses, 0.0))
