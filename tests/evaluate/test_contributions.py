"""What every prompt adds to a figure adds up to the figure."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.benchmarks import Benchmark, Metric, Part, mean_of_subsets
from charm_rm.benchmarks.items import good_and_bad
from charm_rm.evaluate import measure_benchmark, score_items
from charm_rm.evaluate.contributions import SCHEMA, contributions


def _benchmark(sizes: tuple[int, int]) -> Benchmark:
    items = tuple(
        good_and_bad(str(i), subset, f"{subset} {i}", [f"good {i}"], [f"bad {i}", f"worse {i}"])
        for subset, n in zip("ab", sizes, strict=True)
        for i in range(n)
    )
    weighted = Metric("all", "weighted", (Part(("a",), weight=3.0), Part(("b",), weight=1.0)))
    return Benchmark("two", items, (mean_of_subsets("a", "accuracy", [["a"]]), weighted), 0.5)


@settings(max_examples=20)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_credits_add_up_to_the_official_figure(a: int, b: int, seed: int) -> None:
    benchmark = _benchmark((a, b))
    scores = np.random.default_rng(seed).integers(0, 3, len(benchmark.texts())).astype(float)
    result = measure_benchmark(benchmark, score_items(benchmark, scores), draws=0)
    found = contributions([result])
    assert found.schema == SCHEMA
    for row in result.frame.iter_rows(named=True):
        mine = found.filter((pl.col("subset") == row["subset"]) & (pl.col("metric") == row["metric"]))
        parts = mine.group_by("part").agg(pl.col("weight").first() * pl.col("credit").mean())
        assert parts["weight"].sum() == pytest.approx(row["accuracy"])
        assert not mine.select("part", "item").is_duplicated().any()


def test_a_figure_that_is_no_mean_has_no_rows() -> None:
    benchmark = _benchmark((2, 2))
    ratio = Metric(
        "all", "ratio", (Part(("a",)), Part(("b",))), combine=lambda v: v[..., 0] / (1 + v[..., 1])
    )
    other = Benchmark("two", benchmark.items, (*benchmark.metrics, ratio), 0.5)
    result = measure_benchmark(other, score_items(other, np.arange(12.0)), draws=0)
    assert set(contributions([result])["metric"]) == {"accuracy", "weighted"}


def test_items_of_one_name_are_told_apart_and_prompts_are_no_text() -> None:
    items = tuple(good_and_bad("7", "a", "the same prompt", [f"g{i}"], [f"b{i}"]) for i in range(2))
    benchmark = Benchmark("one", items, (mean_of_subsets("a", "accuracy", [["a"]]),), 0.5)
    found = contributions([measure_benchmark(benchmark, score_items(benchmark, np.arange(4.0)), draws=0)])
    assert found["item"].to_list() == ["a/7", "a/7 #2"]
    assert found["prompt"].n_unique() == 1
    assert "prompt" not in found["prompt"][0]
