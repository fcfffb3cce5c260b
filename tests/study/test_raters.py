"""Raters: what each did against a loop, tails against scipy, and how often careful people and careless ones are flagged."""

from __future__ import annotations

from itertools import combinations
from statistics import fmean

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from charm_rm.errors import ConfigError
from charm_rm.study import rater_tests as tests
from charm_rm.study.raters import COLUMNS, LOCAL, judge_raters, without_raters
from study.vote_worlds import Habits, simulated_study, study_of, votes_on

Y = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}
tables = st.dictionaries(
    st.sampled_from([f"c{i}" for i in range(6)]),
    st.dictionaries(st.sampled_from("uvwx"), st.sampled_from(list(Y)), min_size=1),
    min_size=1,
)


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.data())
def test_tails_are_binomial_and_rise_between_whole_numbers(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert float(tests.lower_tail(k, n, p)) == pytest.approx(stats.binom.cdf(k, n, p), abs=1e-9)
    assert float(tests.upper_tail(k, n, p)) == pytest.approx(stats.binom.sf(k - 1, n, p), abs=1e-9)
    between = np.linspace(max(k - 1, 0), k, 5)
    assert (np.diff(tests.lower_tail(between, n, p)) >= -1e-12).all()


def test_what_is_known_of_the_others_goes_into_a_low_share() -> None:
    """Of many outcomes, the tail is the binomial one at ½ + 0.8 (e − ½); of few, it is nearer to 1; below ½ there is no margin."""
    known = float(tests.low_share_p(20, 40, 0.8, 10**7))
    assert known == pytest.approx(stats.binom.cdf(20, 40, 0.74), rel=1e-2)
    assert float(tests.low_share_p(20, 40, 0.8, 5)) > 5 * known
    assert float(tests.low_share_p(10, 40, 0.4, 10**7)) == pytest.approx(
        stats.binom.cdf(10, 40, 0.4), rel=1e-2
    )


def test_both_sides_are_as_suspicious() -> None:
    assert float(tests.side_p(38, 40)) == float(tests.side_p(2, 40)) < 1e-4
    assert float(tests.side_p(24, 40)) > 0.3  # 60 % is what a careful rater may have
    assert float(tests.side_p(20, 40)) > 0.9


def test_fisher_takes_what_there_is() -> None:
    joined = tests.combined_p(np.array([[0.02, np.nan, np.nan], [0.1, 0.2, 0.3], [np.nan] * 3]))
    assert joined[0] == pytest.approx(0.02)
    assert joined[1] == pytest.approx(stats.combine_pvalues([0.1, 0.2, 0.3]).pvalue)
    assert np.isnan(joined[2])


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
    assert "attention checks" in flags["asleep"]
    assert "agrees with the others on" in flags["asleep"]
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
    with pytest.raises(ConfigError, match="'rater v'.*Did you mean"):
        without_raters(votes_on({"c1": {"rater-v": "a"}}), ["rater v"])


def careful(n: int, rng: np.random.Generator) -> dict[str, Habits]:
    """People who differ in skill, ties, taste and speed."""
    return {
        f"r{i}": Habits(rng.uniform(0.9, 1), "random", rng.uniform(0.05, 0.3), rng.uniform(0.2, 1), rng.uniform(15, 45))
        for i in range(n)
    }  # fmt: skip


@pytest.mark.slow
def test_careful_raters_are_rarely_flagged_and_careless_ones_found() -> None:
    """Eight raters with 120 votes and six checks each. Flags in at most 5 % of studies of careful people; what one careless rater among seven is found in."""
    rng = np.random.default_rng(11)
    design = {"rng": rng, "comparisons": 320, "per_comparison": 3, "checks": 6}
    false = sum((judge_raters(simulated_study(careful(8, rng), **design))["flags"] != "").any() for _ in range(60))  # type: ignore[arg-type]  # fmt: skip
    assert false <= 3
    careless = {
        "random": Habits(care=0.0, ties=0.0),
        "left": Habits(care=0.3, else_="left"),
        "tie": Habits(care=0.3, else_="tie"),
        "fast": Habits(care=0.5, seconds=4.0),
    }
    found = {}
    for name, habits in careless.items():
        hits = 0
        for _ in range(12):
            table = judge_raters(simulated_study(careful(7, rng) | {"x": habits}, **design))  # type: ignore[arg-type]
            hits += table.filter(pl.col("rater") == "x")["flags"][0] != ""
        found[name] = hits / 12
    assert found["random"] >= 0.5
    assert min(found["left"], found["tie"], found["fast"]) >= 0.9
