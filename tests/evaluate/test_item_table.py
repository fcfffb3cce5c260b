"""The item-level table."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from charm_rm.benchmarks import Benchmark, Item, mean_of_subsets, scored_by_judge
from charm_rm.evaluate import Details, item_table, measure_benchmark, score_items

ITEM = Item("7", "s", "p", ("a", "bbb", "cc", "dddd"), (1.0, 0.0, 1.0, 0.0))
BENCHMARK = Benchmark("b", (ITEM,), (mean_of_subsets("s", "accuracy", [["s"]]),), 0.5)


def test_a_reward_model_by_hand() -> None:
    """Scores 2, 1 | 0, 2 of good, bad, good, bad: the first good one beats one bad and ties with the other."""
    scored = score_items(BENCHMARK, np.array([2.0, 1.0, 0.0, 2.0]))
    result = measure_benchmark(BENCHMARK, scored, draws=0, details=Details(frozenset({(0, 3)})))
    rows = item_table(result, model="mine")
    assert rows["model"].unique().to_list() == ["mine"]
    assert rows["candidate"].to_list() == [0, 1, 2, 3]
    assert rows["score"].to_list() == [2, 1, 0, 2]
    assert rows["margin"].to_list() == [0, -1, -2, 0]
    assert rows["correct"].to_list() == [0.75, 0.5, 0.0, 0.25]
    assert rows["length"].to_list() == [1, 3, 2, 4]
    assert rows["truncated"].to_list() == [False, False, False, True]
    assert rows["against"].null_count() == 4


def test_the_share_of_right_comparisons_is_the_accuracy() -> None:
    scored = score_items(BENCHMARK, np.array([2.0, 1.0, 0.0, 2.0]))
    result = measure_benchmark(BENCHMARK, scored, draws=0)
    good = item_table(result).filter(pl.col("grade") == 1)
    assert good["correct"].mean() == pytest.approx(result.headline)


def test_a_judge_has_a_row_per_comparison_and_order() -> None:
    cells = BENCHMARK.comparisons()[0]
    scored = scored_by_judge(ITEM, cells, [1.0, 0.0, np.nan, -2.0], tie_value=0.5)
    orders = {(0, *cells[0]): (0.9, 0.6), (0, *cells[1]): (0.7, np.nan)}
    rows = item_table(measure_benchmark(BENCHMARK, [scored], draws=0, details=Details(orders=orders)))
    assert rows["order"].to_list() == ["first", "second"] * 4
    assert list(zip(rows["candidate"].to_list(), rows["against"].to_list(), strict=True))[::2] == list(cells)
    assert rows["score"].to_list() == [0.9, 0.6, 0.7, None, None, None, None, None]
    assert rows["margin"].to_list()[::2] == [1.0, 0.0, None, -2.0]
    assert rows["correct"].to_list()[::2] == [1.0, 0.5, 0.0, 0.0]


def test_equal_prompts_have_equal_keys_and_no_text_is_kept() -> None:
    items = (ITEM, Item("8", "s", [{"role": "user", "content": "p"}], ("x", "y"), (1.0, 0.0)))
    benchmark = Benchmark("b", items, BENCHMARK.metrics, 0.5)
    scored = score_items(benchmark, np.arange(len(benchmark.texts()), dtype=float))
    rows = item_table(measure_benchmark(benchmark, scored, draws=0))
    assert rows["prompt_key"].n_unique() == 1
    assert "dddd" not in str(rows.to_dicts())
