"""Accuracy must turn when labels do."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.benchmarks import Benchmark, Item, mean_of_subsets, rule, scored_by_judge
from charm_rm.benchmarks.rules import best_against_others, best_is_good
from charm_rm.evaluate import measure_benchmark, score_items, swap_labels
from worlds_of_evaluation import pairs_of


@given(st.lists(st.sampled_from([-1.0, 0.0, 2.0]), min_size=1, max_size=12), st.sampled_from([0.0, 0.5, 1.0]))
def test_right_swapped_and_tied_are_all(margins: list[float], tie_value: float) -> None:
    benchmark = pairs_of([(f"g{i}", f"b{i}") for i in range(len(margins))], tie_value=tie_value)
    scores = np.zeros(2 * len(margins))
    scores[::2] = margins
    found = swap_labels(measure_benchmark(benchmark, score_items(benchmark, scores), draws=0))
    assert found is not None
    assert found.holds
    assert found.items == len(margins)
    assert found.accuracy == pytest.approx(np.mean([np.heaviside(m, tie_value) for m in margins]))
    assert found.swapped == pytest.approx(np.mean([np.heaviside(-m, tie_value) for m in margins]))


def test_no_verdict_is_lost_either_way() -> None:
    benchmark = pairs_of([("g", "b"), ("h", "c")])
    scored = [
        scored_by_judge(i, [(0, 1)], [m], tie_value=0.5)
        for i, m in zip(benchmark.items, (np.nan, 1.0), strict=True)
    ]
    found = swap_labels(measure_benchmark(benchmark, scored, draws=0))
    assert found is not None
    assert (found.accuracy, found.swapped, found.unanswered, found.total) == (0.5, 0.0, 0.5, 1.0)


def test_a_rule_that_looks_at_positions_is_found() -> None:
    @rule(best_against_others)
    def first_is_preferred(scored: object) -> float:
        return float(scored.margins[0, 1] > 0)  # type: ignore[attr-defined]

    plain = pairs_of([("g", "b"), ("h", "c")])
    metric = mean_of_subsets("s", "accuracy", [["s"]], first_is_preferred)
    benchmark = replace(plain, metrics=(metric,))
    found = swap_labels(
        measure_benchmark(benchmark, score_items(benchmark, np.array([1.0, 0, 1, 0])), draws=0)
    )
    assert found is not None
    assert not found.holds
    assert found.total == 2.0


def test_there_is_nothing_to_swap_in_items_of_many() -> None:
    item = Item("1", "s", "p", ("a", "b", "c"), (1.0, 0.0, 0.0))
    benchmark = Benchmark("b", (item,), (mean_of_subsets("s", "best", [["s"]], best_is_good),), 0.5)
    assert swap_labels(measure_benchmark(benchmark, score_items(benchmark, np.arange(3.0)), draws=0)) is None
