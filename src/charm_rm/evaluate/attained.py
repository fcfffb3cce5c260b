"""What offsets make of the agreement with people: before, in-sample, and cross-fitted, in the figures of every table of an effect."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, NotConverged, NotIdentifiable
from ..mismatch import METRICS
from ..mismatch.effect import measure_effect
from ..mismatch.ordering import ordering_rows
from ..mismatch.published import tally_published
from ..ratings import Aliases, match_ratings, yardstick
from ..settings import Unrated
from ..tables import Offsets, Ratings, WinRates

# The columns of the offsets' residuals, and what they are called in an effect.
_FLOOR_DRAWS = 200
STAGES = {"before": "before", "after": "in_sample", "after_cross_fitted": "cross_fitted"}


def effect_of_offsets(
    offsets: Offsets, ratings: Ratings, *, aliases: Aliases | None = None, unrated: Unrated = "error"
) -> list[dict[str, Any]]:
    """Rows metric, n, before, in_sample, cross_fitted, floor over the pairs that the offsets were solved on.

    In-sample figures are flattered: the offsets meet these very prompts. Cross-fitted ones are those of as many fresh prompts. Figures that
    cannot be had are None. Unpaired comparisons are no prompts: how noisy their win rates are is not known, and no floor is given.
    """
    residuals = offsets.residuals
    if residuals is None or residuals.is_empty():
        return []
    paired = offsets.provenance.get("paired") is not False
    names = sorted({*residuals["policy"], *residuals["reference"]})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # solving has said what there is to say
        matched = match_ratings(ratings, names, aliases=aliases, unrated=unrated)
        found = {
            stage: _figures(residuals, column, matched)
            for column, stage in STAGES.items()
            if column in residuals.columns and residuals[column].null_count() == 0
        }
    rows = []
    for name in METRICS:
        if name in found["before"] and (paired or name != "debiased_mismatch"):
            values = {s: found.get(s, {}).get(name, {}).get("value") for s in STAGES.values()}
            first = found["before"][name]
            rows.append(
                {"metric": name, "n": first["n"], **values, "floor": first["floor"] if paired else None}
            )
    return rows


def _figures(residuals: pl.DataFrame, column: str, ratings: Ratings) -> dict[str, dict[str, Any]]:
    rates = WinRates(residuals.select("policy", "reference", "n", win_rate=pl.col(column).clip(0, 1)))
    draws, rng = _FLOOR_DRAWS if column == "before" else 0, np.random.default_rng(0)
    tally = tally_published(rates, draws=draws, rng=rng)
    rated = yardstick(ratings, tally.policies)
    try:
        more = ordering_rows(tally, rated) if len(tally.policies) > 2 else []
    except (NotIdentifiable, NotConverged):
        more = []
    found = measure_effect(tally, rated, rating_draws=rated.draw(draws, rng) if draws else None, more=more)
    rows = found.frame.with_columns(
        pl.col("value").fill_nan(None)
    ).to_dicts()  # policies that all tie have no order
    return {row["metric"]: row for row in rows}
