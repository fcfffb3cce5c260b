"""Agreement with people and paired differences: by hand, by a slow twin, by symmetry, and in thin studies."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings

from charm_rm.errors import NotIdentifiable
from charm_rm.study.estimates.agreement import agreement_table, cautions, difference_table
from charm_rm.study.results import BETTER, CLASSICAL, POWERED, UNTESTED, WITHIN, WORSE
from reference.slow_study import agreement, difference

from ..worlds import small_studies, small_study


def _row(table: pl.DataFrame, **where: str) -> dict:
    return table.filter(**where).row(0, named=True)


@settings(max_examples=30)
@given(small_studies())
def test_agreement_is_the_slow_twins_and_within_what_can_be(counted) -> None:
    table = agreement_table(counted)
    for row in table.filter(estimator=CLASSICAL).iter_rows(named=True):
        margin = f"margin_{row['model']}"
        twin = agreement(counted.frame.to_dicts(), margin, decided=row["votes_used"] == "decided")
        assert row["value"] == (None if twin is None else pytest.approx(twin))
    known = table.drop_nulls("value")
    assert ((known["ci_low"] <= known["value"]) & (known["value"] <= known["ci_high"])).all()
    assert (known["ci_low"] >= 0).all()
    assert (known["ci_high"] <= 1).all()
    assert (known["ci_low"] < known["ci_high"]).all()


@settings(max_examples=30)
@given(small_studies())
def test_differences_are_the_slow_twins_and_readings_never_contradict_the_numbers(counted) -> None:
    """The known share of disagreement times the mean difference there; better or worse exactly where the interval and p say so."""
    for row in difference_table(counted).iter_rows(named=True):
        if row["votes_used"] == "all" and row["estimator"] == CLASSICAL:
            margins = (f"margin_{row['model']}", f"margin_{row['baseline']}")
            twin = difference(counted.frame.to_dicts(), counted.all.to_dicts(), *margins)
            assert row["difference"] == (None if twin is None else pytest.approx(twin, abs=1e-12))
        if row["difference"] is None:
            assert row["reading"] == UNTESTED
            continue
        outside = row["ci_low"] > 0 or row["ci_high"] < 0
        assert (row["reading"] != WITHIN) == outside
        assert abs(row["p_value"] - 0.05) < 1e-6 or outside == (row["p_value"] < 0.05)
        assert row["ci_low"] - 1e-12 <= row["difference"] <= row["ci_high"] + 1e-12
        if outside:
            assert row["reading"] == (BETTER if row["difference"] > 0 else WORSE)


def test_with_a_vote_on_every_candidate_the_difference_is_that_of_the_agreements() -> None:
    """And nothing is left to predict: powered and classical values are one."""
    counted = small_study(1, census=True, ties=0.3)
    table, gaps = agreement_table(counted), difference_table(counted)
    for used in ("all", "decided"):
        value = [_row(table, model=m, votes_used=used, estimator=CLASSICAL)["value"] for m in ("rm1", "rm0")]
        for estimator in (CLASSICAL, POWERED):
            found = _row(gaps, votes_used=used, estimator=estimator)["difference"]
            assert found == pytest.approx(value[0] - value[1])
        assert _row(table, model="rm1", votes_used=used, estimator=POWERED)["value"] == pytest.approx(
            value[0]
        )


def test_two_models_of_the_same_verdicts_do_not_differ_at_all() -> None:
    counted = small_study(2, noise=(1.0,))
    twice = [pl.col("margin_rm0").mul(3).alias("margin_rm1")]
    counted = dataclasses.replace(
        counted,
        frame=counted.frame.with_columns(*twice),
        all=counted.all.with_columns(*twice),
        models=("rm0", "rm1"),
    )
    for row in difference_table(counted).iter_rows(named=True):
        assert (row["difference"], row["ci_low"], row["ci_high"], row["p_value"]) == (0, 0, 0, 1)
        assert (row["reading"], row["n_discordant"], row["discordant_share"]) == (WITHIN, 0, 0)


def test_models_that_disagree_where_nobody_voted_are_not_told_apart() -> None:
    counted = small_study(2, noise=(1.0,))
    voted = counted.frame["prompt_id"].unique().to_list()
    other = (
        pl.when(pl.col("prompt_id").is_in(voted)).then("margin_rm0").otherwise(-pl.col("margin_rm0"))
    ).alias("margin_rm1")
    counted = dataclasses.replace(
        counted,
        frame=counted.frame.with_columns(other),
        all=counted.all.with_columns(other),
        models=("rm0", "rm1"),
    )
    row = difference_table(counted).row(0, named=True)
    assert (row["difference"], row["reading"], row["n_discordant"]) == (None, UNTESTED, 0)
    assert row["discordant_share"] > 0


def test_either_side_and_either_order_of_models_tell_the_same() -> None:
    counted = small_study(8)
    turned = [-pl.col(f"margin_{m}") for m in counted.models]
    sides = dataclasses.replace(
        counted,
        frame=counted.frame.with_columns((1 - pl.col("y")).alias("y"), *turned),
        all=counted.all.with_columns(*turned),
    )
    one, other = agreement_table(counted), agreement_table(sides)
    assert one["value"].to_numpy() == pytest.approx(other["value"].to_numpy())
    assert one["ci_low"].to_numpy() == pytest.approx(other["ci_low"].to_numpy())
    back = dataclasses.replace(counted, models=counted.models[::-1])
    there, here = difference_table(counted), difference_table(back)
    assert there["difference"].to_numpy() == pytest.approx(-here["difference"].to_numpy(), abs=1e-6)
    assert there["p_value"].to_numpy() == pytest.approx(here["p_value"].to_numpy(), abs=1e-5)


def test_several_calibrated_models_are_adjusted_for() -> None:
    three = small_study(9, votes=200, noise=(2.0, 0.5, 0.5))
    two = dataclasses.replace(three, models=three.models[:2])
    many = _row(difference_table(three), model="rm1", votes_used="all", estimator=CLASSICAL)
    alone = _row(difference_table(two), model="rm1", votes_used="all", estimator=CLASSICAL)
    assert many["difference"] == alone["difference"]
    assert many["p_value"] == pytest.approx(min(1, 2 * alone["p_value"]))
    assert many["ci_low"] < alone["ci_low"] < alone["ci_high"] < many["ci_high"]


def test_a_model_that_is_always_right_has_no_certainty() -> None:
    counted = small_study(10, census=True, ties=0.0)
    right = pl.Series("margin_rm1", 2 * counted.frame["y"] - 1)
    counted = dataclasses.replace(
        counted, frame=counted.frame.with_columns(right), all=counted.all.with_columns(right)
    )
    for row in agreement_table(counted).filter(model="rm1").iter_rows(named=True):
        assert row["value"] == pytest.approx(1)
        assert 0.7 < row["ci_low"] < 1
        assert row["std_err"] > 0
    assert (difference_table(counted)["reading"] == BETTER).all()


def test_where_all_tie_agreement_is_a_half_and_decided_votes_tell_nothing() -> None:
    counted = small_study(11, ties=1.1)
    table = agreement_table(counted)
    whole, decided = table.filter(votes_used="all"), table.filter(votes_used="decided")
    assert whole["value"].to_list() == pytest.approx([0.5] * 4)
    assert (whole["ci_high"] > whole["ci_low"]).all()
    assert decided["value"].null_count() == decided.height
    assert (decided["n_votes"] == 0).all()


def test_predictions_narrow_the_interval_where_the_model_is_good_and_never_widen_it_much() -> None:
    good = small_study(12, prompts=300, votes=100, ties=0.0, raters=50, noise=(0.1,))
    useless = small_study(12, prompts=300, votes=100, ties=0.0, raters=50, noise=(100.0,))
    for counted, least, most in ((good, 101, 400), (useless, 97, 112)):
        row = _row(agreement_table(counted), votes_used="all", estimator=POWERED)
        assert least < row["effective_votes"] < most


def test_a_study_without_votes_is_refused() -> None:
    counted = small_study(0)
    with pytest.raises(NotIdentifiable, match="no votes"):
        agreement_table(dataclasses.replace(counted, frame=counted.frame.clear()))


def test_few_raters_and_few_prompts_are_said() -> None:
    assert cautions(small_study(0, votes=300, raters=10)) == ()
    assert "one rater" in cautions(small_study(0, raters=1))[0]
    assert "3 raters" in cautions(small_study(0, raters=3))[0]
    assert "4 prompts" in cautions(small_study(0, prompts=4, votes=100, raters=9))[0]


def test_one_vote_gives_open_intervals() -> None:
    counted = small_study(0, votes=1, ties=0.0)
    row = _row(agreement_table(counted), model="rm0", votes_used="all", estimator=CLASSICAL)
    assert (row["ci_low"], row["ci_high"]) == (0, 1)
    assert np.isnan(row["std_err"])


def test_raters_of_whom_one_gave_most_votes_are_told_to_be_worth_few() -> None:
    many = small_study(0, votes=300, raters=10)
    uneven = many.frame.with_columns(
        rater=pl.when(pl.int_range(pl.len()) < 200).then(pl.lit("r0")).otherwise("rater")
    )
    (words,) = cautions(dataclasses.replace(many, frame=uneven))
    assert "10 raters voted" in words
    assert "worth" in words


def test_with_votes_on_every_candidate_predictions_add_nothing_and_order_does_not_matter() -> None:
    """What predictions add is rounding there; by its quotient λ was anything, and with it intervals by rater."""
    study = small_study(3, prompts=6, votes=400, raters=4)
    seen = study.all.join(
        study.frame.select("prompt_id", "policy_a", "policy_b"),
        on=["prompt_id", "policy_a", "policy_b"],
        how="semi",
    )
    even = study.frame.unique(["prompt_id", "policy_a", "policy_b"], keep="first", maintain_order=True)
    census = dataclasses.replace(study, frame=even.with_columns(weight=pl.lit(1.0)), all=seen)
    turned = dataclasses.replace(census, frame=census.frame.reverse())
    for table in (agreement_table, difference_table):
        one, other = (
            table(given).select(pl.col(pl.Float64)).to_numpy().astype(float) for given in (census, turned)
        )
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-12)
    told = agreement_table(census).sort("model", "votes_used", "estimator")
    all_votes = told.filter(pl.col("votes_used") == "all")
    classical, powered = (all_votes.filter(pl.col("estimator") == e)["std_err"] for e in (CLASSICAL, POWERED))
    np.testing.assert_allclose(classical, powered, rtol=1e-9)
