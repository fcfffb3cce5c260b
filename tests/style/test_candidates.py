"""The favour to expect of a candidate from its style: planted, nothing without a feature, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import polars as pl
import pytest

from charm_rm.errors import ConfigError, NoOverlap, SchemaError
from charm_rm.mismatch import place_candidates
from charm_rm.style import Calibrator, apply_calibrator, expect_favour, solve_style_offsets
from charm_rm.tables import Ratings, Responses, Scores
from style_worlds import FEATURES, World, world

pytestmark = pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")


@cache
def parts() -> tuple[World, str, Ratings, Calibrator]:
    """The world, its policy with the most bold text as the candidate, the ratings without it, a calibrator of the others."""
    from charm_rm.features import measure_features

    whole = world()
    style = measure_features(whole.responses, features=["bold"]).frame
    bold = style.group_by("policy").agg(pl.col("bold").mean()).sort("bold", descending=True)
    name = str(bold["policy"][0])
    others = pl.col("policy") != name
    ratings = Ratings(whole.ratings.frame.filter(others))
    calibrator = solve_style_offsets(
        Scores(whole.scores.frame.filter(others)),
        Responses(whole.responses.frame.filter(others)),
        ratings,
        features=FEATURES,
        penalty=1e-3,
        draws=0,
    )
    return whole, name, ratings, calibrator


def expected(calibrator: Calibrator | None = None, **more: Any) -> dict[str, Any]:
    whole, name, ratings, solved = parts()
    given = {"draws": 100} | more
    found = expect_favour(whole.scores, whole.responses, ratings, [name], calibrator or solved, **given)
    return found.frame.row(0, named=True)


def test_bold_that_is_over_valued_leads_to_favour() -> None:
    """The true rating is known here: style accounts for most of the way from the implied rating to it."""
    whole, name, ratings, _ = parts()
    found = expected()
    true = float(whole.ratings.frame.filter(policy=name)["rating"][0])
    assert found["style_favour"] > 30
    assert found["style_ci_low"] < found["style_favour"] < found["style_ci_high"]
    assert found["corrected_elo"] == pytest.approx(found["implied_elo"] - found["style_favour"])
    assert abs(found["corrected_elo"] - true) < abs(found["implied_elo"] - true)
    bare = place_candidates(whole.scores, ratings, [name]).frame.row(0, named=True)
    assert {k: v for k, v in found.items() if k in bare} == bare


def test_weights_of_nothing_expect_nothing() -> None:
    solved = parts()[3]
    none = tuple(replace(f, weight=0.0, std_err=0.0) for f in solved.features)
    found = expected(replace(solved, features=none))
    assert found["style_favour"] == pytest.approx(0, abs=1e-9)
    assert found["style_std_err"] == pytest.approx(0, abs=1e-6)


def test_it_is_the_difference_of_both_placings() -> None:
    whole, name, ratings, solved = parts()
    moved = apply_calibrator(whole.scores, replace(solved, offsets={}), whole.responses)
    after = place_candidates(Scores(moved.frame), ratings, [name]).frame.row(0, named=True)
    found = expected()
    assert found["corrected_elo"] == pytest.approx(after["implied_elo"])


def test_offsets_of_rated_policies_are_no_style() -> None:
    whole, name, _, solved = parts()
    rated = next(p for p in whole.scores.policies if p != name)
    assert expected(replace(solved, offsets={rated: 5.0}))["style_favour"] == expected()["style_favour"]


def test_these_policies_alone_have_a_narrower_interval() -> None:
    sample, these = expected(), expected(scope="these")
    assert these["style_std_err"] < sample["style_std_err"]
    assert these["predicted_low"] is None


def test_without_draws_there_is_no_interval() -> None:
    found = expected(draws=0)
    assert found["style_ci_low"] is None
    assert found["style_favour"] == expected()["style_favour"]


def test_what_does_not_fit_is_refused() -> None:
    whole, name, ratings, solved = parts()
    one = (whole.scores, whole.responses, ratings, [name], solved)
    moved = apply_calibrator(whole.scores, solved, whole.responses)
    with pytest.raises(ConfigError, match="already"):
        expect_favour(moved, *one[1:])
    with pytest.raises(ConfigError, match="log-odds"):
        expect_favour(*one[:4], replace(solved, unit="log-odds"))
    with pytest.raises(ConfigError, match="has a human rating"):
        expect_favour(*one[:3], [ratings.policies[0]], solved)
    lost = Responses(whole.responses.frame.filter(pl.col("policy") != name))
    with pytest.raises(NoOverlap, match=f"first of policy '{name}'"):
        expect_favour(whole.scores, lost, *one[2:])


def test_other_texts_than_those_scored_are_refused() -> None:
    from charm_rm.text_hash import text_hashes

    whole, name, ratings, solved = parts()
    hashed = Scores(whole.scores.frame.with_columns(text_hashes(whole.responses)))
    other = Responses(whole.responses.frame.with_columns(response=pl.col("response") + "!"))
    with pytest.raises(SchemaError, match="other texts"):
        expect_favour(hashed, other, ratings, [name], solved)


def test_several_samples() -> None:
    """Every text twice: the same places, and the same expectation."""
    whole, name, ratings, solved = parts()
    twice = [
        pl.concat([t.frame.with_columns(sample=pl.lit(s)) for s in (0, 1)])
        for t in (whole.scores, whole.responses)
    ]
    found = expect_favour(Scores(twice[0]), Responses(twice[1]), ratings, [name], solved).frame.row(
        0, named=True
    )
    assert found["style_favour"] == pytest.approx(expected()["style_favour"])
    assert found["style_ci_low"] is not None
