"""Mismatch Degree: how far each pair's win rate is from the one that human ratings imply."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..estimates import Z95
from ..margins import Tally
from ..ratings import Yardstick, expected_variance, expected_win_rate
from ..statistics import (
    ELO_PER_LOGIT,
    FloatArray,
    benjamini_hochberg,
    percentile_interval,
)
from ..tables import Mismatch
from .pair_tests import pair_p_values, plain_outcomes
from .selection import score_interval, shrink, simultaneous_z
from .verdicts import FEWEST_PROMPTS, verdict


def mismatch_degree(win_rate: FloatArray, expected: FloatArray) -> FloatArray:
    """MD = |P̂ - P| / max(P, 1 - P), between 0 and 1."""
    degree: FloatArray = np.abs(win_rate - expected) / np.maximum(expected, 1 - expected)
    return degree


def mismatch_table(
    tally: Tally, rated: Yardstick, *, rating_draws: FloatArray | None, over_first: bool
) -> Mismatch:
    """Compare every pair of a tally with the ratings; most positive first.

    With ``over_first`` each pair is turned so that the policy is the side that wins too often (for audits of every
    pair); otherwise the orientation is kept (policy against chosen reference).
    """
    if over_first:
        tally = _too_often_first(tally, rated)
    k, r = tally.pairs.T
    expected = expected_win_rate(rated.rating[k], rated.rating[r])
    difference = tally.win_rate - expected
    variance = tally.std_err**2 + expected_variance(expected, rated.gap_variance(tally.pairs))
    noise = _noise(tally, rating_draws)
    low, high = _interval(difference, variance, noise)
    degree_low, degree_high = _degree_interval(low, high, expected)
    gap = (rated.rating[k] - rated.rating[r]) / ELO_PER_LOGIT
    gap_variance = rated.gap_variance(tally.pairs) / ELO_PER_LOGIT**2
    p_value = pair_p_values(tally, gap, gap_variance)
    q_value = benjamini_hochberg(np.where(tally.n < FEWEST_PROMPTS, np.nan, p_value))
    z = simultaneous_z(noise, len(difference))
    all_low, all_high = score_interval(tally.win_rate, plain_outcomes(tally, gap), gap, gap_variance, z)
    names = np.array(tally.policies, dtype=object)
    soft = tally.win_rate_soft
    columns = {
        "policy": names[k].tolist(),
        "reference": names[r].tolist(),
        "n": [None if np.isnan(v) else round(float(v)) for v in tally.n],
        "win_rate": tally.win_rate,
        "expected": expected,
        "mismatch": difference,
        "ci_low": low,
        "ci_high": high,
        "mismatch_shrunk": shrink(difference, variance),
        "simultaneous_ci_low": all_low,
        "simultaneous_ci_high": all_high,
        "mismatch_degree": mismatch_degree(tally.win_rate, expected),
        "mismatch_degree_ci_low": degree_low,
        "mismatch_degree_ci_high": degree_high,
        "p_value": p_value,
        "q_value": pl.Series(q_value).fill_nan(None),
        "verdict": [verdict(*row) for row in zip(tally.n, low, high, q_value, strict=True)],
        "win_rate_soft": soft,
        "mismatch_soft": None if soft is None else soft - expected,
        "mismatch_degree_soft": None if soft is None else mismatch_degree(soft, expected),
    }
    return Mismatch(pl.DataFrame(columns).sort("mismatch", descending=True, maintain_order=True))


def both_ways(frame: pl.DataFrame) -> pl.DataFrame:
    """Mismatch with its interval by (policy, reference), each pair both ways round.

    An audit of every pair names the side first that wins too often, so that a pair which calibration turned round is
    not found under its old name by a plain join.
    """
    frame = frame.select("policy", "reference", "mismatch", "ci_low", "ci_high")
    turned = frame.select(
        policy="reference",
        reference="policy",
        mismatch=-pl.col("mismatch"),
        ci_low=-pl.col("ci_high"),
        ci_high=-pl.col("ci_low"),
    )
    return pl.concat([frame, turned]).unique(["policy", "reference"], keep="first", maintain_order=True)


def _noise(tally: Tally, rating_draws: FloatArray | None) -> FloatArray | None:
    """(draws, m) draws of P̂ - P, prompts and ratings drawn together."""
    if tally.win_rate_draws is None or rating_draws is None:
        return None
    k, r = tally.pairs.T
    return np.asarray(tally.win_rate_draws - expected_win_rate(rating_draws[:, k], rating_draws[:, r]))


def _interval(
    difference: FloatArray, variance: FloatArray, noise: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """95 % interval of P̂ - P: that of the draws, or the normal one where nothing was drawn."""
    if noise is None:
        half = Z95 * np.sqrt(variance)
        return difference - half, difference + half
    return percentile_interval(noise)


def _degree_interval(
    low: FloatArray, high: FloatArray, expected: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fold the interval of P̂ - P: its lower end is 0 exactly where that interval covers 0.

    Percentiles of the folded draws would exclude 0 even where nothing is wrong. MD is at most 1, and so are the ends.
    """
    scale = np.maximum(expected, 1 - expected)
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return np.minimum(near / scale, 1.0), np.minimum(np.maximum(np.abs(low), np.abs(high)) / scale, 1.0)


def _too_often_first(tally: Tally, rated: Yardstick) -> Tally:
    """Turn the pairs whose policy wins less often than it should."""
    k, r = tally.pairs.T
    turn = tally.win_rate < expected_win_rate(rated.rating[k], rated.rating[r])
    return tally.turned(turn)
