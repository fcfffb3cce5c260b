"""Rules: from scores, or a judge's verdicts, to credits."""

from __future__ import annotations

from itertools import combinations, permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import kendalltau, spearmanr

from charm_rm.benchmarks import Item, Rule, ScoredItem, good_and_bad, scored_by_judge, scored_by_reward
from charm_rm.benchmarks.rules import (
    all_good_above_all_bad,
    best_is_good,
    best_is_good_or_shares,
    best_of,
    different_grades,
    every_pair,
    kendall_with_grades,
    mean_of_cells,
    share_of_pairs,
    spearman_with_grades,
)
from charm_rm.errors import SchemaError

RULES = [share_of_pairs, all_good_above_all_bad, best_is_good, best_is_good_or_shares, best_of(2)]
level = st.integers(0, 3).map(float)


def scored(good: list[float], bad: list[float], tie: float = 0.0) -> ScoredItem:
    names = [f"r{i}" for i in range(len(good) + len(bad))]
    item = good_and_bad("1", "s", "p", names[: len(good)], names[len(good) :])
    return scored_by_reward(item, np.array(good + bad), tie_value=tie)


def judged(item: Item, scores: np.ndarray, rule: Rule, tie: float = 0.0) -> ScoredItem:
    """What a judge of the same opinion says on the pairs that the rule reads."""
    cells = list(rule.pairs(item))
    return scored_by_judge(item, cells, [scores[i] - scores[j] for i, j in cells], tie_value=tie)


# --- by hand ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tie", [0.0, 0.5, 1.0])
def test_two_good_three_bad_by_hand(tie: float) -> None:
    """good 3, 2; bad 1, 2, 0: of six pairs five are right and one is equal."""
    one = scored([3, 2], [1, 2, 0], tie)
    assert share_of_pairs(one) == pytest.approx((5 + tie) / 6)
    assert all_good_above_all_bad(one) == tie
    assert best_is_good(one) == 1
    assert best_is_good_or_shares(one) == 1


def test_one_bad_above_all() -> None:
    one = scored([3, 2], [1, 4], 0.5)
    assert share_of_pairs(one) == 0.5
    assert [rule(one) for rule in (all_good_above_all_bad, best_is_good, best_is_good_or_shares)] == [0, 0, 0]


def test_ties_at_the_top_share_or_count_the_tie_value() -> None:
    one = scored([3], [3, 3, 1], 0.0)
    assert best_is_good(one) == 0
    assert best_is_good_or_shares(one) == pytest.approx(1 / 3)
    assert best_is_good(scored([3], [3, 3, 1], 0.5)) == 0.5


def test_cells_are_counted_among_good_and_bad_wherever_they_stand() -> None:
    item = Item("1", "s", "p", ("bad 0", "good 0", "bad 1", "good 1"), (0.0, 1.0, 0.0, 1.0))
    one = scored_by_reward(item, np.array([2.0, 3.0, 5.0, 4.0]), tie_value=0.0)
    assert one.table.tolist() == [[1, 0], [1, 0]]
    assert mean_of_cells([(0, 0)])(one) == 1
    assert mean_of_cells([(0, 1), (1, 0)])(one) == 0.5


def test_best_of_two_of_three_by_hand() -> None:
    """Scores 3, 2, 1 with grades 0, 1, ½: the draws {1,2}, {1,3} take grade 0, {2,3} takes 1."""
    item = Item("1", "s", "p", ("a", "b", "c"), (0.0, 1.0, 0.5))
    one = scored_by_reward(item, np.array([3.0, 2.0, 1.0]), tie_value=0.0)
    assert best_of(2)(one) == pytest.approx(1 / 3)
    assert best_of(1)(one) == pytest.approx(0.5)
    assert best_of(3)(one) == 0
    assert np.isnan(best_of(4)(one))


def test_items_with_nothing_to_tell_are_nan_whatever_the_scores() -> None:
    item = Item("1", "s", "p", ("a", "b"), (1.0, 1.0))
    for scores in ([1.0, 2.0], [0.0, 0.0]):
        one = scored_by_reward(item, np.array(scores), tie_value=0.5)
        for rule in (share_of_pairs, all_good_above_all_bad, best_is_good, best_is_good_or_shares):
            assert np.isnan(rule(one))
        assert np.isnan(kendall_with_grades(one))
        assert np.isnan(spearman_with_grades(one))


# --- against slow twins -------------------------------------------------------------------------


@given(
    st.lists(level, min_size=1, max_size=4),
    st.lists(level, min_size=1, max_size=4),
    st.sampled_from([0, 0.5]),
)
def test_rules_are_what_their_names_say(good: list[float], bad: list[float], tie: float) -> None:
    one = scored(good, bad, tie)
    pairs = [1.0 if g > b else tie if g == b else 0.0 for g in good for b in bad]
    assert share_of_pairs(one) == pytest.approx(np.mean(pairs))
    worst = min(good) - max(bad)
    assert all_good_above_all_bad(one) == (1 if worst > 0 else tie if worst == 0 else 0)
    top = max(good) - max(bad)
    assert best_is_good(one) == (1 if top > 0 else tie if top == 0 else 0)
    highest = [x for x in good + bad if x == max(good + bad)]
    wins = sum(x == max(good + bad) for x in good)
    assert best_is_good_or_shares(one) == pytest.approx(wins / len(highest))


@given(st.lists(st.tuples(level, st.floats(0, 1)), min_size=2, max_size=6), st.integers(1, 6))
def test_best_of_k_is_the_mean_over_all_draws(rows: list[tuple[float, float]], k: int) -> None:
    """Equal scores: whoever comes first in a random order of the item's responses is taken."""
    scores, grades = (np.array(column) for column in zip(*rows, strict=True))
    item = Item("1", "s", "p", tuple(f"r{i}" for i in range(len(rows))), tuple(grades.tolist()))
    found = best_of(k)(scored_by_reward(item, scores, tie_value=0.0))
    if k > len(rows):
        assert np.isnan(found)
        return
    taken = [
        np.mean([grades[i] for i in draw if scores[i] == scores[list(draw)].max()])
        for draw in combinations(range(len(rows)), k)
    ]
    assert found == pytest.approx(np.mean(taken))


@given(st.lists(st.tuples(level, level), min_size=2, max_size=7))
def test_correlations_are_scipys(rows: list[tuple[float, float]]) -> None:
    scores, grades = (np.array(column) for column in zip(*rows, strict=True))
    item = Item("1", "s", "p", tuple(f"r{i}" for i in range(len(rows))), tuple(grades.tolist()))
    one = scored_by_reward(item, scores, tie_value=0.0)
    for rule, oracle in ((kendall_with_grades, kendalltau), (spearman_with_grades, spearmanr)):
        if np.ptp(grades) == 0:
            assert np.isnan(rule(one))
        elif np.ptp(scores) == 0:
            assert rule(one) == 0
        else:
            assert rule(one) == pytest.approx(oracle(scores, grades).statistic)


# --- what must hold for every rule ----------------------------------------------------------------

ITEMS = st.lists(st.tuples(level, level), min_size=2, max_size=5)


@pytest.mark.parametrize("rule", [*RULES, kendall_with_grades, spearman_with_grades])
@given(rows=ITEMS, scale=st.floats(0.1, 10), shift=st.floats(-5, 5))
def test_credit_lies_in_its_range_and_only_the_order_matters(
    rule: Rule, rows: list[tuple[float, float]], scale: float, shift: float
) -> None:
    scores, grades = (np.array(column) for column in zip(*rows, strict=True))
    item = Item("1", "s", "p", tuple(f"r{i}" for i in range(len(rows))), tuple((grades / 3).tolist()))
    credit = rule(scored_by_reward(item, scores, tie_value=0.5))
    assert np.isnan(credit) or rule.low - 1e-12 <= credit <= rule.high + 1e-12
    _, ranks = np.unique(scores, return_inverse=True)
    again = rule(scored_by_reward(item, scale * ranks + shift, tie_value=0.5))
    assert credit == pytest.approx(again, nan_ok=True)


@pytest.mark.parametrize("rule", [*RULES, kendall_with_grades, spearman_with_grades])
@given(rows=ITEMS)
def test_a_judge_of_the_same_opinion_earns_the_same(rule: Rule, rows: list[tuple[float, float]]) -> None:
    """It is asked for the pairs that the rule names, and for no others."""
    scores, grades = (np.array(column) for column in zip(*rows, strict=True))
    item = Item("1", "s", "p", tuple(f"r{i}" for i in range(len(rows))), tuple((grades / 3).tolist()))
    expected = rule(scored_by_reward(item, scores, tie_value=0.5))
    assert rule(judged(item, scores, rule, tie=0.5)) == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("rule", RULES)
def test_the_order_of_the_responses_does_not_matter(rule: Rule) -> None:
    scores, grades = np.array([3.0, 1.0, 3.0, 0.0]), (1.0, 1.0, 0.0, 0.0)
    found = set()
    for order in permutations(range(4)):
        item = Item("1", "s", "p", tuple(f"r{i}" for i in order), tuple(grades[i] for i in order))
        found.add(round(rule(scored_by_reward(item, scores[list(order)], tie_value=0.5)), 12))
    assert len(found) == 1


# --- judges -------------------------------------------------------------------------------------


def test_no_verdict_is_lost_and_never_a_tie() -> None:
    item = good_and_bad("1", "s", "p", ["good"], ["bad"])
    one = scored_by_judge(item, [(0, 1)], [float("nan")], tie_value=0.5)
    assert share_of_pairs(one) == 0
    assert all_good_above_all_bad(one) == 0


def test_a_rule_that_reads_more_than_it_names_is_refused() -> None:
    item = good_and_bad("1", "s", "p", ["good"], ["bad", "worse"])
    one = scored_by_judge(item, [(0, 1)], [1.0], tie_value=0.5)
    with pytest.raises(SchemaError, match="item s/1: a rule reads a comparison that it does not name"):
        share_of_pairs(one)
    with pytest.raises(SchemaError, match="does not name"):
        best_is_good_or_shares(one)


def test_pairs_of_an_item() -> None:
    item = Item("1", "s", "p", ("a", "b", "c"), (1.0, 3.0, 1.0))
    assert different_grades(item) == [(1, 0), (1, 2)]
    assert every_pair(item) == [(0, 1), (0, 2), (1, 2)]
