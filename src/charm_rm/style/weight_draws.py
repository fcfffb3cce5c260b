"""Draws of the weights in use, penalty and all, for what is made of them: over prompts, policies and ratings, by one Newton step.

The intervals of the weights themselves are those of :mod:`.uncertainty`, which the penalty does not pull to 0.

A draw re-weights prompts (v) and policies (u, so that a pair counts u_k u_l) with exponential weights, and takes other plausible ratings. To
first order w* = w + (J'ΩJ + λI)⁻¹ (J'Ω (P* - m*) - λ w), with m* the soft win rates at w under v, and Ω the pairs' weights over their sum.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..ratings import Yardstick, expected_win_rate
from ..statistics import FloatArray
from .comparisons import Part, soft_outcomes_of, soft_rates
from .fitting import Bounds


def draw_weights(
    parts: Sequence[Part],
    rated: Yardstick,
    weights: FloatArray,
    *,
    scale: float,
    temperature: float,
    penalty: float,
    bounds: Bounds,
    draws: int,
    rng: np.random.Generator,
) -> FloatArray:
    """(draws, d) weights, in units of the margins' spread; fixed ones stay."""
    free = bounds.free
    ratings = rated.draw(draws, rng)
    policies = rng.standard_exponential((draws, len(rated.policies)))
    gaps, slopes, counts = [], [], []
    for part in parts:
        k, r = part.paired.pairs.T
        expected = expected_win_rate(ratings[:, k], ratings[:, r])
        gaps.append(expected - _redrawn(part, scale, weights, temperature, draws, rng))
        slopes.append(soft_rates(part, scale, weights, temperature).slope[:, :-1][:, free])
        counts.append(policies[:, k] * policies[:, r] * part.weight)
    gap, slope, count = np.concatenate(gaps, axis=1), np.concatenate(slopes), np.concatenate(counts, axis=1)
    share = count / count.sum(axis=1, keepdims=True)
    d = slope.shape[1]
    outer = (slope[:, :, None] * slope[:, None, :]).reshape(len(slope), d * d)
    bread = (share @ outer).reshape(draws, d, d) + penalty * np.eye(d)
    filling = (share * gap) @ slope - penalty * weights[free]
    drawn = np.tile(weights, (draws, 1))
    drawn[:, free] += np.linalg.solve(bread, filling[:, :, None])[:, :, 0]
    return np.clip(drawn, bounds.low, bounds.high)


def _redrawn(
    part: Part, scale: float, weights: FloatArray, temperature: float, draws: int, rng: np.random.Generator
) -> FloatArray:
    """(draws, m) soft win rates with the prompts weighed anew, Σ_i v_i o_i / Σ_i v_i over the prompts present."""
    outcomes = soft_outcomes_of(part, scale, weights, temperature)
    drawn = rng.standard_exponential((draws, part.paired.n_prompts))
    missing = np.isnan(outcomes)
    if not missing.any():
        return np.asarray(drawn @ outcomes.T / drawn.sum(axis=1, keepdims=True))
    there = drawn @ (~missing).T.astype(np.float64)
    return np.asarray(drawn @ np.where(missing, 0.0, outcomes).T / np.maximum(there, 1e-300))
