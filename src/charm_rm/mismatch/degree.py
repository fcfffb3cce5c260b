"""Mismatch Degree: how far each pair's win rate is from the one that human ratings imply."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..estimates import SIGNIFICANT, Z95
from ..margins import Tally
from ..ratings import Yardstick, expected_variance, expected_win_rate
from ..statistics import (
    FloatArray,
    benjamini_hochberg,
    percentile_interval,
    two_sided_p,
)
from ..tables import Mismatch

NOTEWORTHY = 0.10  # a difference of win rates that one would want an audit to be able to see


def mismatch_degree(win_rate: FloatArray, expected: FloatArray) -> FloatArray:
    """MD = |P̂ - P| / max(P, 1 - P), between 0 and 1."""
    degree: FloatArray = np.abs(win_rate - expected) / np.maximum(expected, 1 - expected)
    return degree


def mismatch_table(
    tally: Tally, rated: Yardstick, *, rating_draws: FloatArray | None, over_first: bool
) -> Mismatch:
    """Compare every pair of a tally with the ratings; most over-valued first.

    With ``over_first`` each pair is turned so that the policy is the over-valued side (for audits of every
    pair); otherwise the orientation is kept (policy against chosen reference).
    """
    if over_first:
        tally = _over_valued_first(tally, rated)
    k, r = tally.pairs.T
    expected = expected_win_rate(rated.rating[k], rated.rating[r])
    difference = tally.win_rate - expected
    std_err = np.sqrt(tally.std_err**2 + expected_variance(expected, rated.gap_variance(tally.pairs)))
    low, high = _interval(tally, difference, std_err, rating_draws)
    degree_low, degree_high = _degree_interval(low, high, expected)
    q = benjamini_hochberg(two_sided_p(difference, std_err))
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
        "mismatch_degree": mismatch_degree(tally.win_rate, expected),
        "mismatch_degree_ci_low": degree_low,
        "mismatch_degree_ci_high": degree_high,
        "p_value": two_sided_p(difference, std_err),
        "q_value": q,
        "verdict": [verdict(*row) for row in zip(difference, low, high, q, strict=True)],
        "win_rate_soft": soft,
        "mismatch_soft": None if soft is None else soft - expected,
        "mismatch_degree_soft": None if soft is None else mismatch_degree(soft, expected),
    }
    return Mismatch(pl.DataFrame(columns).sort("mismatch", descending=True, maintain_order=True))


def both_ways(frame: pl.DataFrame) -> pl.DataFrame:
    """Mismatch with its interval by (policy, reference), each pair both ways round.

    An audit of every pair names the over-valued side first, so that a pair which calibration turned round is
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


def verdict(difference: float, low: float, high: float, q_value: float) -> str:
    """Say in a word what a pair shows.

    Over- or under-valued where the difference is significant after adjusting for all pairs tested; else
    "underpowered" where the interval covers everything of interest (no difference and a noteworthy one either
    way), else "no evidence".
    """
    if q_value <= SIGNIFICANT:
        return "over-valued" if difference > 0 else "under-valued"
    return "underpowered" if low < -NOTEWORTHY and high > NOTEWORTHY else "no evidence"


def _interval(
    tally: Tally, difference: FloatArray, std_err: FloatArray, rating_draws: FloatArray | None
) -> tuple[FloatArray, FloatArray]:
    """95 % interval of P̂ - P: prompts x ratings drawn together, or the normal one where nothing was drawn."""
    if tally.win_rate_draws is None or rating_draws is None:
        return difference - Z95 * std_err, difference + Z95 * std_err
    k, r = tally.pairs.T
    return percentile_interval(
        tally.win_rate_draws - expected_win_rate(rating_draws[:, k], rating_draws[:, r])
    )


def _degree_interval(
    low: FloatArray, high: FloatArray, expected: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Fold the interval of P̂ - P: its lower end is 0 exactly where that interval covers 0.

    Percentiles of the folded draws would exclude 0 even where nothing is wrong.
    """
    scale = np.maximum(expected, 1 - expected)
    near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
    return near / scale, np.maximum(np.abs(low), np.abs(high)) / scale


def _over_valued_first(tally: Tally, rated: Yardstick) -> Tally:
    """Turn the pairs whose policy is under-valued."""
    k, r = tally.pairs.T
    turn = tally.win_rate < expected_win_rate(rated.rating[k], rated.rating[r])
    return tally.turned(turn)
