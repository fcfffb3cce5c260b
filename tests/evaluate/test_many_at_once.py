"""Many items at once beside one after the other: credits, comparisons, ties, the table of items, and draws."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.benchmarks import Benchmark, Item, Metric, Part, ScoredItem, rules, scored_by_judge, stacks_of
from charm_rm.benchmarks.arena import agreement
from charm_rm.benchmarks.ppe_correctness import best_of_all, best_of_first, curve, curves, regret
from charm_rm.benchmarks.ppe_human import model_wins, people_win
from charm_rm.benchmarks.rm_bench import CELLS
from charm_rm.benchmarks.rules import Rule, mean_of_cells, share_of_pairs
from charm_rm.benchmarks.scored import scored_by_reward
from charm_rm.errors import SchemaError
from charm_rm.evaluate import item_table, measure_benchmark
from charm_rm.evaluate.comparisons import comparisons_of
from charm_rm.evaluate.credits import CreditBook, paid
from charm_rm.evaluate.draws import Drawn, draw_figures
from reference import slow_credits

RULES: dict[str, Rule] = {
    "share of pairs": share_of_pairs,
    "all above": rules.all_good_above_all_bad,
    "best is good": rules.best_is_good,
    "best or shares": rules.best_is_good_or_shares,
    "kendall": rules.kendall_with_grades,
    "spearman": rules.spearman_with_grades,
    "end": best_of_all,
    "regret": regret,
    "best of 3": best_of_first(3),
    "best of 9": best_of_first(9),
    "model wins": model_wins,
    "people win": people_win,
    "agreement": agreement,
}
TIE_VALUES = (0.0, 0.5, 1.0)


@st.composite
def items(draw: Any) -> tuple[Item, list[float]]:
    """An item of two to five responses with few different grades and scores, so that ties are common."""
    n = draw(st.integers(2, 5))
    of_people = tuple(draw(st.lists(st.sampled_from([0.0, 0.5, 1.0, 3.0]), min_size=n, max_size=n)))
    scores = draw(st.lists(st.integers(0, 3).map(float), min_size=n, max_size=n))
    name = str(draw(st.integers(0, 2)))
    return Item("i", "s", f"prompt {name}", tuple(f"{name}.{k}" for k in range(n)), of_people), scores


def scored(rows: list[tuple[Item, list[float]]], tie_value: float = 0.5) -> list[ScoredItem]:
    return [scored_by_reward(item, np.array(scores), tie_value=tie_value) for item, scores in rows]


@pytest.mark.parametrize("name", RULES)
@settings(max_examples=15)
@given(rows=st.lists(items(), min_size=1, max_size=8), tie_value=st.sampled_from(TIE_VALUES))
def test_a_rule_pays_the_same_for_many_items_as_for_one(
    name: str, rows: list[tuple[Item, list[float]]], tie_value: float
) -> None:
    some, rule = scored(rows, tie_value), RULES[name]
    assert rule.batch is not None
    expected = slow_credits.credits(rule, some)
    np.testing.assert_allclose(paid(rule, some, stacks_of(some)), expected, rtol=0, atol=1e-12)


three = st.lists(st.integers(0, 2).map(float), min_size=6, max_size=6)


@pytest.mark.parametrize("level", CELLS)
@settings(max_examples=15)
@given(rows=st.lists(st.tuples(st.permutations([1.0] * 3 + [0.0] * 3), three), min_size=1, max_size=5))
def test_cells_of_a_table_whatever_the_order_of_the_responses(
    level: str, rows: list[tuple[list[float], list[float]]]
) -> None:
    texts = tuple("abcdef")
    some = scored([(Item("i", "s", "p", texts, tuple(grades)), scores) for grades, scores in rows], 0.0)
    rule = mean_of_cells(CELLS[level])
    np.testing.assert_allclose(
        paid(rule, some, stacks_of(some)), slow_credits.credits(rule, some), rtol=0, atol=1e-12
    )


def test_an_item_too_small_for_its_table_is_refused_by_name() -> None:
    some = scored([(Item("seven", "chat", "p", ("a", "b", "c"), (1.0, 1.0, 0.0)), [1.0, 2.0, 3.0])])
    with pytest.raises(SchemaError, match="too few for its rule") as refused:
        paid(mean_of_cells(CELLS["average"]), some, stacks_of(some))
    assert "chat/seven" in str(refused.value.where)


@settings(max_examples=15)
@given(st.lists(items(), min_size=1, max_size=8))
def test_comparisons_ties_and_candidates_are_those_of_each_item(rows: list[tuple[Item, list[float]]]) -> None:
    some = scored(rows)
    if not any(item.others for item, _ in rows):
        return
    metrics = (Metric("s", "accuracy", (Part(("s",), share_of_pairs),)),)
    result = measure_benchmark(Benchmark("b", tuple(i for i, _ in rows), metrics, 0.5), some, draws=0)
    found = comparisons_of(result)
    arrays = found.item, found.better, found.worse, found.margin, found.won
    assert list(zip(*(a.tolist() for a in arrays), strict=True)) == slow_credits.comparisons(some)
    row = result.frame.row(0, named=True)
    assert (row["comparisons"], row["ties"]) == slow_credits.ties(
        share_of_pairs, [s for s in some if s.item.others]
    )
    table = item_table(result)
    places = [(one, i) for one in some for i in range(len(one.item.responses))]
    for (one, i), line in zip(places, table.iter_rows(named=True), strict=True):
        score, margin, correct = slow_credits.candidate_row(one, i)
        assert (line["candidate"], line["score"], line["margin"]) == (i, score, margin)
        assert line["correct"] == (None if correct is None else pytest.approx(correct, abs=1e-12))


def test_a_judge_is_asked_item_by_item_and_only_about_its_pairs() -> None:
    item = Item("i", "s", "p", ("a", "b", "c"), (1.0, 0.0, 0.0))
    some = [scored_by_judge(item, [(0, 1), (0, 2)], [1.0, float("nan")], tie_value=0.5)]
    assert paid(share_of_pairs, some, stacks_of(some)).tolist() == [0.5]
    with pytest.raises(SchemaError, match="does not name"):
        paid(rules.best_is_good_or_shares, some, stacks_of(some))


@settings(max_examples=15)
@given(st.lists(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), min_size=7, max_size=7), min_size=1, max_size=6))  # fmt: skip
def test_curves_of_many_items(tables: list[list[tuple[int, int]]]) -> None:
    strengths, grades = np.array(tables, dtype=np.float64).transpose(2, 0, 1)
    expected = [curve(one, other) for one, other in zip(strengths, grades, strict=True)]
    np.testing.assert_allclose(curves(strengths, grades), expected, rtol=0, atol=1e-12)


def test_figures_that_share_parts_are_drawn_as_if_they_were_alone() -> None:
    rng = np.random.default_rng(0)
    rows = [
        (Item(str(k), "xy"[k % 2], f"p{k}", ("a", "b"), (1.0, 0.0 if k % 7 else 1.0)), rng.random(2).tolist())
        for k in range(60)
    ]
    x, y = Part(("x",), share_of_pairs), Part(("y",), share_of_pairs)
    pooled = Part(("x", "y"), share_of_pairs)
    metrics = [Metric("all", str(n), parts) for n, parts in enumerate([(x,), (x, y), (pooled,), (y,)])]
    book = CreditBook(scored(rows))
    together = draw_figures([Drawn(m, book.credits(m)) for m in metrics], book.n_prompts, draws=40, seed=3)
    # Without sharing: a book of its own for every figure, so that no array is the same.
    apart = [Drawn(m, CreditBook(scored(rows)).credits(m)) for m in metrics]
    np.testing.assert_array_equal(together, draw_figures(apart, book.n_prompts, draws=40, seed=3))
