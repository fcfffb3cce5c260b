"""Raters: what each did against a loop, and what is said of careless ones."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import ConfigError
from charm_rm.study.raters.judging import COLUMNS, judge_raters, without_raters
from charm_rm.study.raters.yardsticks import LOCAL
from charm_rm.study.results import CARELESS
from study.vote_worlds import Habits, simulated_study, study_of, votes_on

Y = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}
tables = st.dictionaries(
    st.sampled_from([f"c{i}" for i in range(6)]),
    st.dictionaries(st.sampled_from("uvwx"), st.sampled_from(list(Y)), min_size=1),
    min_size=1,
)


def _agree(one: str, other: str) -> float:
    return Y[one] * Y[other] + (1 - Y[one]) * (1 - Y[other])


@given(tables)
def test_agreement_with_the_others_against_a_loop(table: dict[str, dict[str, str]]) -> None:
    found = {row["rater"]: row for row in judge_raters(votes_on(table)).iter_rows(named=True)}
    for rater in {r for votes in table.values() for r in votes}:
        mine, others = [], []
        for votes in table.values():
            if rater in votes and len(votes) > 1:
                mine.append(fmean(_agree(votes[rater], v) for r, v in votes.items() if r != rater))
            rest = list(combinations([v for r, v in votes.items() if r != rater], 2))
            if rest:
                others.append(fmean(_agree(*pair) for pair in rest))
        assert len(table) < LOCAL
        assert found[rater]["agreement"] == (pytest.approx(fmean(mine)) if mine else None)
        expected = pytest.approx(fmean(others)) if mine and others else None
        assert found[rater]["expected_agreement"] == expected


def test_counts_of_one_rater_by_hand() -> None:
    comparisons = [{"comparison_id": c} for c in ("c1", "c2", "c3")]
    comparisons += [{"comparison_id": k, "kind": "check", "inclusion": None, "expected": "a"} for k in ("k1", "k2")]  # fmt: skip
    rows = [
        ("c1", "a", False, "a", 10.0),
        ("c2", "b", False, "a", 20.0),
        ("c3", "both_bad", False, "b", 60.0),
        ("c1", "a", True, "b", 5.0),
        ("c2", "tie", True, "b", 5.0),
        ("k1", "a", False, "a", 1.0),
        ("k2", "tie", False, "b", 1.0),
    ]
    votes = [{"comparison_id": c, "rater": "u", "winner": w, "repeat": again, "left": side, "seconds": s} for c, w, again, side, s in rows]  # fmt: skip
    table = judge_raters(study_of(comparisons, votes))
    assert table.columns == COLUMNS
    (row,) = table.to_dicts()
    wanted = {"votes": 3, "repeats": 2, "consistent": 1, "checks": 2, "passed": 1, "left_share": 0.5, "seconds": 20.0}  # fmt: skip
    assert {name: row[name] for name in wanted} == wanted
    assert row["tie_share"] == pytest.approx(1 / 3)
    assert row["agreement"] is None
    assert row["flags"] == ""


def test_a_study_without_votes_has_no_raters() -> None:
    table = judge_raters(study_of([{"comparison_id": "c"}], []))
    assert table.columns == COLUMNS
    assert table.height == 0


def test_careless_raters_and_what_is_said_of_them() -> None:
    rng = np.random.default_rng(3)
    raters = {f"r{i}": Habits() for i in range(8)} | {
        "asleep": Habits(care=0.0, ties=0.0),
        "lefty": Habits(care=0.1, else_="left"),
        "shrug": Habits(care=0.1, else_="tie"),
        "hurry": Habits(care=0.5, seconds=2.0),
    }
    table = judge_raters(simulated_study(raters, rng=rng, comparisons=500, per_comparison=4, checks=10))
    flags = dict(table.select("rater", "flags").iter_rows())
    assert {name for name, words in flags.items() if words} == {"asleep", "lefty", "shrug", "hurry"}
    assert table.filter(pl.col("flags") != "")["verdict"].unique().to_list() == [CARELESS]
    assert "attention checks" in flags["asleep"]
    assert "on the left in" in flags["lefty"]
    assert "gave no winner" in flags["shrug"]
    assert "votes took less than" in flags["hurry"]


def test_every_sign_that_stands_is_named_not_the_plainest_alone() -> None:
    """A rater who clicks on the left at once: haste is the plainer sign by many orders, and the side one all the same."""
    rng = np.random.default_rng(3)
    raters = {f"r{i}": Habits() for i in range(5)} | {"x": Habits(care=0.1, else_="left", seconds=2.0)}
    table = judge_raters(simulated_study(raters, rng=rng, comparisons=100, per_comparison=3, checks=5))
    flags = dict(table.select("rater", "flags").iter_rows())
    assert [name for name, words in flags.items() if words] == ["x"]
    assert "votes took less than" in flags["x"]
    assert "on the left in" in flags["x"]


def test_a_side_that_is_no_side() -> None:
    """Where a always stands on the left, choosing a is no habit of the hand."""
    rows = [{"comparison_id": f"c{i}", "rater": "u", "winner": "a", "left": "a"} for i in range(40)]
    rows += [{"comparison_id": f"c{i}", "rater": "v", "winner": "b", "left": "a"} for i in range(40)]
    table = judge_raters(study_of([{"comparison_id": f"c{i}"} for i in range(40)], rows))
    assert table["flags"].to_list() == ["", ""]


def test_two_raters_who_disagree_say_nothing_of_who_is_wrong() -> None:
    table = judge_raters(votes_on({f"c{i}": {"u": "a", "v": "b"} for i in range(50)}))
    assert table["agreement"].to_list() == [0.0, 0.0]
    assert table["expected_agreement"].to_list() == [None, None]
    assert table["flags"].to_list() == ["", ""]


def test_leaving_raters_out() -> None:
    study = votes_on({"c1": {"u": "a", "v": "b"}, "c2": {"u": "a"}})
    assert without_raters(study, ["v"]).votes.frame["rater"].to_list() == ["u", "u"]
    assert without_raters(study, []).votes.frame.height == 3
    with pytest.raises(ConfigError, match="all 2 raters with votes are left out"):
        without_raters(study, ["u", "v"])
    with pytest.raises(ConfigError, match="no vote is by a rater 'zed'") as caught:
        without_raters(study, ["zed"])
    assert caught.value.fix == "raters with votes: 'u', 'v'"
    with pytest.raises(ConfigError, match="'rater v'.*Did you mean"):
        without_raters(votes_on({"c1": {"rater-v": "a"}}), ["rater v"])
