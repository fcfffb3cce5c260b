"""An audit in a few numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import numpy as np
import polars as pl

from ..estimates import SIGNIFICANT, Estimate
from ..margins import Tally
from ..ratings import Yardstick, expected_win_rate
from ..statistics import FloatArray, basic_estimate
from ..tables import Margins, Mismatch, Ratings, Scores, WinRates
from .standing import Standing


def summarise(
    source: Scores | Margins | WinRates,
    tally: Tally,
    rated: Yardstick,
    rating_draws: FloatArray | None,
    mismatch: Mismatch,
) -> dict[str, Any]:
    prompts = source.frame["prompt_id"].n_unique() if "prompt_id" in source.frame.columns else None
    verdicts = mismatch.frame["verdict"].value_counts().to_dict(as_series=False)
    return {
        "policies": len(tally.policies),
        "prompts": prompts,
        "pairs": len(tally.pairs),
        "tests": len(mismatch),
        "significance": SIGNIFICANT,
        "verdicts": dict(zip(verdicts["verdict"], verdicts["count"], strict=True)),
        "mean_abs_mismatch": mean_absolute_mismatch(tally, rated, rating_draws),
    }


def summarise_favour(standing: Standing) -> dict[str, Any]:
    """The slope on ratings, verdicts over policies, and what favour could have been found.

    ``favour_verdicts`` counts policies; ``detectable_favour`` is :class:`.power.Detectable` as a mapping.
    """
    counts: dict[str, int] = {}
    if standing.favouritism is not None:
        table = standing.favouritism.frame["verdict"].value_counts().to_dict(as_series=False)
        counts = dict(zip(table["verdict"], table["count"], strict=True))
    return {
        "slope": standing.slope,
        "favour_verdicts": counts,
        "detectable_favour": None if standing.detectable is None else asdict(standing.detectable),
    }


def unscored(ratings: Ratings, matched: Ratings) -> dict[str, Any]:
    """Count and name (the best few) the rated policies that the source has no row for."""
    used = set(matched.provenance.get("renamed", {}).values()) | set(matched.frame["policy"])
    rest = ratings.frame.filter(~pl.col("policy").is_in(list(used))).sort("rating", descending=True)
    return {
        "rated": len(ratings),
        "rated_not_scored": rest.height,
        "best_not_scored": rest["policy"].head(5).to_list(),
    }


def mean_absolute_mismatch(tally: Tally, rated: Yardstick, rating_draws: FloatArray | None) -> Estimate:
    """Mean |P̂ - P| over the pairs of a tally.

    The interval is the basic bootstrap's: noise adds to an absolute value.
    """
    k, r = tally.pairs.T
    value = float(np.abs(tally.win_rate - expected_win_rate(rated.rating[k], rated.rating[r])).mean())
    if tally.win_rate_draws is None or rating_draws is None:
        return Estimate(value)
    expected = expected_win_rate(rating_draws[:, k], rating_draws[:, r])
    drawn = np.abs(tally.win_rate_draws - expected).mean(axis=1)
    return basic_estimate(value, drawn, low=0.0, high=1.0)
