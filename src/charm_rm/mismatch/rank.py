"""How far an RM orders policies as people do: Spearman's and Kendall's correlation, with intervals for the true ones."""

from __future__ import annotations

import numpy as np

from ..estimates import Estimate
from ..ratings import Yardstick
from ..statistics import ELO_PER_LOGIT, FloatArray, draw_normal, kendall, percentile_interval, spearman
from .measured import FEWEST
from .posterior import TrueDraws
from .strengths import RMStrengths

CORRELATIONS = {"spearman": spearman, "kendall": kendall}


def rank_correlations(
    strengths: RMStrengths, rated: Yardstick, truth: tuple[FloatArray, FloatArray] | None
) -> dict[str, Estimate]:
    """The correlations of strengths with ratings, and where ``truth`` (draws of both) is given their 95 % intervals.

    Noise lowers a correlation, so that the value seen is more often below the true one than above; the interval is for the
    true one, and is widened to hold the value where that falls outside.
    """
    if len(rated.rating) < FEWEST:
        return {}
    found = {}
    for name, correlate in CORRELATIONS.items():
        value = float(correlate(strengths.theta, rated.rating))
        if truth is None or np.isnan(value):
            if not np.isnan(value):
                found[name] = Estimate(value)
            continue
        drawn = correlate(*truth)
        low, high = percentile_interval(drawn)
        found[name] = Estimate(
            value, float(np.std(drawn, ddof=1)), min(float(low), value), max(float(high), value)
        )
    return found


def plausible_pairs(
    strengths: RMStrengths,
    rated: Yardstick,
    truth: TrueDraws | None,
    *,
    draws: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """(draws, K) true strengths and ratings: from the posterior, or where no line is to be had about the measured values."""
    if truth is not None:
        return truth.theta, truth.rho
    theta = draw_normal(strengths.theta, strengths.covariance, draws=draws, rng=rng)
    return theta, rated.draw(draws, rng) / ELO_PER_LOGIT
