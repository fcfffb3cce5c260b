"""A judge that saw every policy against one baseline: the baseline is never left out, and weights are found."""

from __future__ import annotations

import polars as pl
import pytest

from charm_rm.errors import NoOverlap
from charm_rm.style import solve_style_offsets
from charm_rm.tables import Margins, Ratings
from style_worlds import margins_of, world

FEATURES = ("words", "bold", "exclamations")


def star() -> tuple[Margins, str]:
    """Every policy's margin over the first."""
    margins = margins_of(world().scores)
    baseline = margins.policies[0]
    sides = (pl.col("policy") == baseline) | (pl.col("reference") == baseline)
    return Margins(margins.frame.filter(sides)), baseline


def test_weights_of_a_judge_with_one_baseline() -> None:
    margins, _ = star()
    found = solve_style_offsets(margins, world().responses, world().ratings, features=FEATURES, draws=100)
    weight = dict(zip(found.names, found.weights, strict=True))
    assert weight["bold"] < 0
    rows = {row["metric"]: row for row in found.held_out}
    assert rows["mean_abs_mismatch"]["n"] == 11


def test_a_baseline_without_a_rating_is_said() -> None:
    margins, baseline = star()
    ratings = Ratings(world().ratings.frame.filter(pl.col("policy") != baseline))
    with pytest.raises(NoOverlap, match="baseline|compared"):
        solve_style_offsets(margins, world().responses, ratings, features=FEATURES, draws=0, unrated="skip")
