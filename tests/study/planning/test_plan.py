"""A plan has the comparisons asked for with known chances, and says what it left out and what votes will show."""

from __future__ import annotations

import json
import warnings

import polars as pl
import pytest

from charm_rm.errors import BadSetting, CharmWarning, ConfigError, NoOverlap, NotIdentifiable
from charm_rm.study.frame import KEY
from charm_rm.study.nouns import CHECK, MAIN, Study, StudyModel
from charm_rm.study.planning.plan import plan_study, policy_table
from charm_rm.study.rules import rules_of
from charm_rm.tables import Responses, Scores

from ..small import before_and_after, responses, scores
from .test_checks import _texts

POLICIES = [f"m{i}" for i in range(6)]


def _planned(**settings: object) -> Study:
    texts = responses(40, POLICIES)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "0 attention checks", CharmWarning)  # these texts tell nothing
        return plan_study(texts, before_and_after(texts), **settings)


def test_the_plan_has_what_was_asked_for() -> None:
    study = _planned(
        comparisons=50, overlap=0.3, votes_per_comparison=2, question="Which is kinder?", repeats=0.1
    )
    main = study.comparisons.frame.filter(pl.col("kind") == MAIN)
    assert main.height == 50
    assert sorted(main["votes_wanted"].to_list()) == [2] * 35 + [3] * 15
    assert main["comparison_id"][0] == "c01"
    assert study.candidates is not None
    assert study.candidates.height == 40 * 15
    assert study.candidates.columns == KEY
    assert main.join(study.candidates, on=KEY, how="anti").is_empty()
    assert len(study.votes) == 0
    rules = rules_of(study.provenance)
    assert (rules.question, rules.repeats) == ("Which is kinder?", 0.1)
    assert rules.checks == 0.0  # there are none to give, and raters are told how many comparisons to expect
    plan = study.provenance["plan"]
    assert plan["votes"] == 50 * 2 + 15
    assert plan["discordant"] + (plan["candidates"] - plan["discordant"]) == 600
    json.dumps(dict(study.provenance), allow_nan=False)  # every figure can be stored


def test_the_same_seed_plans_the_same() -> None:
    one, again, other = (_planned(comparisons=30, seed=seed).comparisons.frame for seed in (1, 1, 2))
    assert one.equals(again)
    assert not one.equals(other)


def test_checks_are_planned_as_many_as_a_rater_sees() -> None:
    texts = _texts()
    study = plan_study(texts, (), comparisons=8, checks=0.05, raters=1)
    checks = study.comparisons.frame.filter(pl.col("kind") == CHECK)
    assert checks.height == 3
    assert study.provenance["plan"]["checks"] == 3
    assert rules_of(study.provenance).checks == 0.05
    none = plan_study(texts, (), comparisons=8, checks=0.0)
    assert none.provenance["plan"]["checks"] == 0


def test_how_many_by_votes_and_by_width() -> None:
    assert _planned(votes=60, overlap=0.2).provenance["plan"]["comparisons"] == 50
    study = _planned(width=0.06, raters=40, prompt_icc=0.0, rater_icc=0.0)
    shows = {row["comparisons"]: row for row in study.provenance["plan"]["shows"] if row["model"] == "after"}
    n = study.provenance["plan"]["comparisons"]
    assert shows[n]["half_width"] <= 0.06
    assert _planned(comparisons=n - 1, raters=40, prompt_icc=0.0, rater_icc=0.0).provenance["plan"]["shows"]
    with pytest.raises(NotIdentifiable, match=r"with 2 raters no number of votes gives ± 0.01") as refused:
        _planned(width=0.01, raters=2)
    assert "raters" in str(refused.value.fix) or "wider" in str(refused.value.fix)


def test_answers_that_name_themselves_are_left_out_unless_kept() -> None:
    texts = responses(10, POLICIES)
    said = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("I am Vicuna, by LMSYS.")).otherwise("response")
    texts = Responses(texts.frame.with_columns(response=said))
    with pytest.warns(
        CharmWarning,
        match=r"of 150 possible comparisons, left out are 5 \(an answer names its policy or maker\)",
    ):
        study = plan_study(texts, before_and_after(texts), comparisons=20, checks=0.0)
    assert study.provenance["plan"]["left_out"]["self_naming"] == 5
    assert study.candidates is not None
    assert study.candidates.height == 145
    kept = plan_study(texts, before_and_after(texts), comparisons=20, checks=0.0, keep_self_naming=True)
    assert kept.candidates is not None
    assert kept.candidates.height == 150


def test_models_that_always_agree_are_said_to() -> None:
    texts = responses(5)
    first = scores(texts)
    twice = Scores(first.frame.with_columns(score=2 * pl.col("score")))
    with pytest.warns(CharmWarning, match="no vote can tell them apart"):
        study = plan_study(
            texts, [StudyModel("x", first), StudyModel("y", twice)], comparisons=10, checks=0.0
        )
    assert study.comparisons.frame["inclusion"].to_list() == pytest.approx([10 / 30] * 10)


def test_policies_are_counted_on_both_sides() -> None:
    study = _planned(comparisons=90, balance=1.0)
    table = policy_table(study)
    assert table["policy"].to_list() == POLICIES
    assert table["comparisons"].sum() == 180
    assert table["comparisons"].min() >= 26  # 30 each
    assert table["share"].sum() == pytest.approx(2.0)
    assert table["discordant"].sum() == 2 * study.provenance["plan"]["discordant_comparisons"]


def test_what_cannot_be_planned_is_refused() -> None:
    with pytest.raises(ConfigError, match="601 comparisons to choose of 600"):
        _planned(comparisons=601)
    with pytest.raises(BadSetting, match="comparisons and votes say the same thing"):
        _planned(comparisons=10, votes=10)
    with pytest.raises(BadSetting, match=r"1\.5 is no share"):
        _planned(random_share=1.5)
    for name in ("votes_per_comparison", "raters", "comparisons", "votes"):
        with pytest.raises(BadSetting, match=f"{name} must be at least 1 and below"):
            _planned(**{name: 10**30})
    with pytest.raises(BadSetting, match="the question is empty"):
        _planned(question=" ")
    texts = responses(3)
    other = Scores(scores(texts).frame.with_columns(prompt_id=pl.lit("q") + pl.col("prompt_id")))
    with pytest.raises(NoOverlap, match="18 .a model has no verdict: m 18"):
        plan_study(texts, [StudyModel("m", other)])
