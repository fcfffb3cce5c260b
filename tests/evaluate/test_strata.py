"""Accuracy where the better response is the shorter, the longer, the less, the more formatted one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from charm_rm.benchmarks import Benchmark, good_and_bad, mean_of_subsets
from charm_rm.evaluate import measure_benchmark, score_items, strata_table
from worlds_of_evaluation import pairs_of

LONG, SHORT, MARKED = "a b c d e f g", "a b", "**a** b c\n- d\n- e\n- f"


def strata_of(
    benchmark: Benchmark, scores: list[float], **how: int
) -> dict[tuple[str, str], dict[str, object]]:
    result = measure_benchmark(benchmark, score_items(benchmark, np.array(scores)), draws=0)
    return {(r["by"], r["stratum"]): r for r in strata_table(result, **how).to_dicts()}


def test_each_comparison_is_in_its_stratum() -> None:
    benchmark = pairs_of([(LONG, SHORT), (SHORT, LONG), (MARKED, SHORT), (LONG, "g f e d c b a")])
    rows = strata_of(benchmark, [1, 0, 0, 1, 1, 0, 1, 0], draws=200)
    assert (rows["length", "longer"]["n"], rows["length", "longer"]["accuracy"]) == (2, 1.0)
    assert (rows["length", "shorter"]["n"], rows["length", "shorter"]["accuracy"]) == (1, 0.0)
    assert rows["length", "as long"]["n"] == 1
    assert rows["length", "difference"]["accuracy"] == 1.0
    assert (rows["format", "more formatted"]["n"], rows["format", "as formatted"]["n"]) == (1, 3)
    assert rows["both", "longer and more formatted"]["n"] == 1
    assert ("format", "less formatted") not in rows
    assert ("format", "difference") not in rows


def test_an_item_weighs_one_however_many_comparisons_it_has() -> None:
    """Item 1: one right of four; item 2: its only one right: (1/4 + 1) / 2."""
    items = (
        good_and_bad("1", "s", "p", [LONG, LONG + " h"], [SHORT, "x y"]),
        good_and_bad("2", "s", "q", [LONG], [SHORT]),
    )
    benchmark = Benchmark("b", items, (mean_of_subsets("s", "accuracy", [["s"]]),), 0.5)
    rows = strata_of(benchmark, [2, 0, 1, 3, 1, 0], draws=200)
    longer = rows["length", "longer"]
    assert (longer["n"], longer["comparisons"]) == (2, 5)
    assert longer["accuracy"] == pytest.approx((0.25 + 1) / 2)
    assert longer["ci_low"] < longer["accuracy"] < longer["ci_high"]


def test_intervals_are_over_prompts() -> None:
    """The same pair asked twenty times is one prompt: as uncertain as one."""
    apart = pairs_of([(LONG + f" {i}", SHORT) for i in range(60)])
    items = tuple(
        good_and_bad(str(i), "s", f"p{i % 3}", [LONG + f" {i}"], [SHORT + f" {i}"]) for i in range(60)
    )
    together = Benchmark("b", items, apart.metrics, 0.5)
    widths = []
    for benchmark in (apart, together):
        scores = [float(good == (i % 3 == 0)) for i in range(60) for good in (True, False)]
        row = strata_of(benchmark, scores, draws=400)["length", "longer"]
        widths.append(row["ci_high"] - row["ci_low"])
    assert widths[1] > 2 * widths[0]


def test_without_a_comparison_the_table_is_empty() -> None:
    benchmark = pairs_of([(LONG, SHORT)])
    result = measure_benchmark(benchmark, score_items(benchmark, np.array([1.0, 0.0])), draws=0)
    assert strata_table(result, draws=0).filter(pl.col("ci_low").is_not_null()).is_empty()
