"""Whom models favour against a study's own ratings: the audit's strengths, what is left out, and verdicts that their intervals bear out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from charm_rm import Audit, audit
from charm_rm.errors import CharmWarning
from charm_rm.study.estimates.favour import SCHEMA, People, favour_table, measure_favour
from charm_rm.study.estimates.ratings import study_ratings
from charm_rm.study.nouns import Counted
from study.worlds import liked_study

_warned = pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")


def _favour(votes: Counted) -> pl.DataFrame:
    return favour_table(votes, study_ratings(votes))[0]


@_warned
def test_favour_is_that_of_an_audit_but_for_its_errors() -> None:
    votes = liked_study(0, share=0.8)
    ratings = study_ratings(votes)
    (table, sharpness), wanted = favour_table(votes, ratings), _audited(votes)
    assert dict(table.schema) == SCHEMA
    assert wanted.favouritism is not None
    frame = wanted.favouritism.frame.sort("policy")
    assert table.sort("policy")["favour"].to_numpy() == pytest.approx(frame["favour"].to_numpy(), abs=10)
    assert sharpness["rm"] == pytest.approx(wanted.sharpness.value, rel=0.05)  # type: ignore[union-attr]
    measured, _ = measure_favour(votes, "rm", People.of(votes, ratings, prior=0.0))
    theta = frame["rm_elo"].to_numpy() * np.log(10) / 400
    assert measured.theta == pytest.approx(theta - theta.mean())
    ours, audits = (t["ci_high"] - t["ci_low"] for t in (table.sort("policy"), frame))
    assert (ours < 0.9 * audits).all()


def _audited(votes: Counted) -> Audit:
    """The same verdicts and ratings as those of another public."""
    margins = votes.all.select("prompt_id", policy="policy_a", reference="policy_b", margin="margin_rm")
    return audit(margins, study_ratings(votes), draws=0)


@_warned
def test_a_favoured_policy_is_found() -> None:
    (found,) = _favour(liked_study(0, favoured=1.2, share=0.8)).filter(verdict="over-valued").to_dicts()
    assert found["policy"] == "m5"
    assert found["ci_low"] > 0


@_warned
def test_few_raters_tell_too_little_of_what_errors_share() -> None:
    """Of two or three raters errors are those of an audit; one rater speaks of himself, by prompts alone."""
    few = liked_study(0, raters=3, share=0.8)
    frame = _audited(few).favouritism.frame.sort("policy")  # type: ignore[union-attr]
    for end in ("favour", "ci_low", "ci_high", "q_value"):
        assert _favour(few).sort("policy")[end].to_list() == pytest.approx(frame[end].to_list())
    for raters, joint in ((1, True), (3, False), (12, True)):
        votes = liked_study(0, raters=raters, share=0.8)
        measured, _ = measure_favour(votes, "rm", People.of(votes, study_ratings(votes), prior=0.0))
        assert (measured.joint is not None) == joint


@_warned
@pytest.mark.parametrize("seed", range(8))
def test_a_verdict_never_contradicts_its_interval(seed: int) -> None:
    table = _favour(
        liked_study(seed, prompts=60, raters=(1, 3, 8)[seed % 3], favoured=0.4 * (seed % 4), share=0.8)
    )
    assert table.height
    for row in table.to_dicts():
        low, high = row["ci_low"], row["ci_high"]
        leaves_0_out = (low is not None and low > 0) or (high is not None and high < 0)
        if row["verdict"] in ("over-valued", "under-valued"):
            assert leaves_0_out
            assert row["q_value"] <= 0.05
        else:
            assert not leaves_0_out or row["q_value"] > 0.05


@_warned
def test_few_prompts_have_favour_without_an_interval() -> None:
    table = _favour(liked_study(1, prompts=20, share=1.0))
    assert table.height == 6
    assert table["ci_low"].null_count() == table["q_value"].null_count() == 6
    assert set(table["verdict"]) == {"underpowered"}


def test_warnings_of_favour_name_the_model() -> None:
    votes = liked_study(1, prompts=20, share=1.0)
    with pytest.warns(CharmWarning) as caught:
        _favour(votes)
    said = [str(w.message) for w in caught]
    assert said
    assert all("rm" in words.split(":")[0].split() for words in said), said


def test_fewer_than_three_policies_are_left_out_and_named() -> None:
    votes = liked_study(0, policies=2)
    with pytest.warns(
        CharmWarning, match="whom rm favours is not known: favour needs three or more policies"
    ):
        table, sharpness = favour_table(votes, study_ratings(votes))
    assert table.height == 0
    assert sharpness == {"rm": None}


def test_without_ratings_there_is_no_favour() -> None:
    table, sharpness = favour_table(liked_study(0, prompts=8), None)
    assert table.height == 0
    assert dict(table.schema) == SCHEMA
    assert sharpness == {}


def test_a_model_that_ties_everything_is_left_out_and_named() -> None:
    votes = liked_study(0)
    flat = replace(votes, models=("flat", "rm"), all=votes.all.with_columns(margin_flat=pl.lit(0.0)))
    with pytest.warns(CharmWarning) as caught:
        table, _ = favour_table(flat, study_ratings(votes))
    assert any("whom flat favours is not known: all margins are equal to 0" in str(w.message) for w in caught)
    assert table["model"].unique().to_list() == ["rm"]


@pytest.mark.slow
@_warned
def test_intervals_hold_where_people_and_model_judge_the_same_prompts() -> None:
    """A sharp model that favours nobody: hardly ever is a policy called favoured, and the intervals cover 0."""
    tables = [_favour(liked_study(seed)) for seed in range(40)]
    whole = pl.concat(tables)
    low, high = whole["ci_low"].fill_null(-np.inf), whole["ci_high"].fill_null(np.inf)
    assert 0.93 <= ((low <= 0) & (high >= 0)).mean() <= 1
    assert sum(t["verdict"].is_in(["over-valued", "under-valued"]).any() for t in tables) <= 4
