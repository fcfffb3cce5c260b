"""Verdicts on raters: careless ones look careless, who reads and is of another taste never does, and where nothing tells it is said."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import polars as pl
import pytest
from perf.simulation._raters import ODD, careful, draw_study

from charm_rm.study.estimates.agreement import DIFFERENCE_SCHEMA
from charm_rm.study.frame import counted
from charm_rm.study.nouns import Study, StudyVotes
from charm_rm.study.raters.flags import _most_followed
from charm_rm.study.raters.judging import judge_raters
from charm_rm.study.results import CARELESS, OTHER_TASTE, PAIRWISE, UNCLEAR
from charm_rm.study.warning_words import study_warnings
from charm_rm.study.words import rater_sentences
from study.findings import findings


def drawn(
    odd: str, *, seed: int = 0, raters: int = 8, votes: int = 200, told: float = 0.05, model: bool = False
) -> Study:
    """Careful raters, and as the first one, r0, an odd one."""
    rng = np.random.default_rng(seed)
    people = careful(rng, raters, tastes=0.0)
    people[0] = ODD[odd]
    return draw_study(rng, people, votes=votes, shared=0.5, told=told, model=model)


def verdicts(study: Study) -> tuple[dict[str, Any], set[str]]:
    """The row of r0, and the verdicts on the others."""
    table = judge_raters(study)
    return table.row(0, named=True), set(table[1:]["verdict"])


def test_opposite_taste_is_told_from_clicks_by_checks_and_repeats() -> None:
    mine, others = verdicts(drawn("opposite"))
    assert (mine["verdict"], others) == (OTHER_TASTE, {""})
    assert mine["agreement"] < 0.5
    assert mine["flags"].startswith("agrees with the others on ")
    assert "passed 10 of 10 attention checks" in mine["flags"]
    assert f"gave the same answer again on {mine['consistent']} of 10 repeats" in mine["flags"]


def test_opposite_taste_is_told_without_checks_where_it_is_below_a_coin() -> None:
    mine, others = verdicts(drawn("opposite", told=0.0))
    assert (mine["verdict"], others) == (OTHER_TASTE, {""})


def test_a_preference_that_length_explains_is_a_taste() -> None:
    """Agreement is a coin's, and there are no checks: that the longer answer is taken so often is no click."""
    mine, _ = verdicts(drawn("own taste", told=0.0, model=True))
    assert mine["verdict"] == OTHER_TASTE
    assert "chose the longer answer in 74% of 183 votes" in mine["flags"]


def test_a_clicker_fails_checks_and_without_them_nothing_tells() -> None:
    mine, others = verdicts(drawn("clicker", told=0.1))
    assert (mine["verdict"], others) == (CARELESS, {""})
    assert "attention checks" in mine["flags"]
    mine, others = verdicts(drawn("clicker", told=0.0, model=True))
    assert (mine["verdict"], others) == (UNCLEAR, {""})
    assert "where the others do" in mine["flags"]
    assert mine["flags"].endswith("whether by taste or for want of care, these votes do not tell")


def test_no_taste_looks_careless() -> None:
    for seed in range(6):
        for odd in ("opposite", "own taste"):
            assert CARELESS not in set(judge_raters(drawn(odd, seed=seed, votes=80))["verdict"])


def test_of_models_that_the_others_follow_alike_the_order_does_not_choose() -> None:
    """Both agree with three of the others' four votes; r0 follows one of them, and not the other."""
    share, votes = np.array([[0.75, 0.75, 0.5]]), np.array([[4.0, 4.0, 40.0]])
    assert _most_followed(share, votes, ("one", "other", "third")) == [0]
    assert _most_followed(share[:, [1, 0, 2]], votes, ("other", "one", "third")) == [1]
    votes[0, 1] = 8.0
    assert _most_followed(share, votes, ("one", "other", "third")) == [1]


@pytest.mark.parametrize("left", ["a", None])
def test_a_habit_of_the_hand_is_no_taste_where_sides_are_not_known_to_be_drawn(left: str | None) -> None:
    """Votes below a coin's agreement may follow the side."""
    study = drawn("opposite", told=0.0)
    sides = pl.lit(left, dtype=pl.String)
    fixed = replace(study, votes=StudyVotes(study.votes.frame.with_columns(left=sides)))
    assert verdicts(fixed)[0]["verdict"] == UNCLEAR


def test_more_ties_than_the_others_is_not_low_agreement() -> None:
    """A quarter of the votes for a side turned into ties, which a careful rater may: agreement falls, and is not held against it."""
    study = drawn("none", told=0.0, raters=4, votes=400)
    rng = np.random.default_rng(1)
    turned = pl.Series(rng.random(study.votes.frame.height) < 0.25) & (study.votes.frame["rater"] == "r0")
    votes = study.votes.frame.with_columns(winner=pl.when(turned).then(pl.lit("tie")).otherwise("winner"))
    assert verdicts(replace(study, votes=StudyVotes(votes)))[0]["verdict"] == ""


@pytest.mark.parametrize(("verdict", "said"), [(CARELESS, True), (UNCLEAR, False), (OTHER_TASTE, False)])
def test_only_who_looks_careless_is_said_to_be_left_out(verdict: str, said: bool) -> None:
    study = drawn("none", raters=3, votes=20, told=0.0)
    raters = judge_raters(study).with_columns(verdict=pl.Series([verdict, "", ""]))
    people = pl.DataFrame({"figure": [PAIRWISE], "n_comparisons": [100]})
    none = pl.DataFrame(schema=DIFFERENCE_SCHEMA)
    warned = " ".join(study_warnings(study, counted(study), people, raters, none, cast=study.votes.frame))
    found = replace(findings(), raters=raters)
    assert ("--without" in warned, "--without" in " ".join(rater_sentences(found))) == (said, said)
    assert ("'r0'" in warned) is (verdict != OTHER_TASTE)
    assert ["'r0'" in line for line in rater_sentences(found)] == [True]
