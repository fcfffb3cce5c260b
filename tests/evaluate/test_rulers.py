"""Placebos, and what makes a figure say little."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest

from charm_rm.evaluate import PLACEBOS, measure_benchmark, placebo_results, placebo_table, score_items
from charm_rm.evaluate.rulers import saturation
from worlds_of_evaluation import pairs_of, scored_pairs


def test_a_ruler_alone_is_right_where_the_better_response_is_the_longer_one() -> None:
    benchmark = pairs_of([("long " * 9, "short"), ("brief", "wordy " * 7)] * 6, subsets=("up", "down"))
    found = placebo_results(benchmark, draws=200)
    assert list(found) == list(PLACEBOS)
    assert [found["longest"].accuracy(s) for s in ("up", "down")] == [1.0, 0.0]
    assert [found["shortest"].accuracy(s) for s in ("up", "down")] == [0.0, 1.0]
    assert 0 < found["noise"].accuracy("all") < 1


def test_a_model_that_is_a_ruler_is_not_told_from_one() -> None:
    texts = [("long " * (i + 2), "short") if i % 3 else ("brief", "wordy " * 7) for i in range(60)]
    benchmark = pairs_of(texts)
    length = np.array([len(r) for _, r in benchmark.texts().values()], dtype=float)
    result = measure_benchmark(benchmark, score_items(benchmark, length), draws=200)
    table = placebo_table(result, placebo_results(benchmark, draws=200), draws=200)
    longest = table.row(by_predicate=pl.col("placebo") == "longest", named=True)
    assert longest["difference"] == 0
    notes = saturation(result, table)[0]
    assert any(n.startswith("not told from longest") for n in notes)
    assert not any("shortest" in n for n in notes)


@pytest.mark.parametrize(
    ("wrong", "n", "said"),
    [(0, 100, "at the ceiling"), (5, 100, "at the ceiling"), (6, 100, ""), (3, 5, "too few prompts")],
)
def test_the_ceiling_is_where_a_perfect_model_could_not_be_told_apart(wrong: int, n: int, said: str) -> None:
    """McNemar's p of k prompts, all in favour of a perfect model, is 2^(1-k): above 5 % up to k = 5."""
    notes = saturation(scored_pairs([-1.0] * wrong + [1.0] * (n - wrong)))[0]
    assert (notes[0] if notes else "").startswith(said)
    assert bool(notes) == bool(said)


def test_a_model_below_a_placebo_is_said_to_be() -> None:
    benchmark = pairs_of([("long " * (i + 2), "short") for i in range(40)])
    length = np.array([-len(r) for _, r in benchmark.texts().values()], dtype=float)
    result = measure_benchmark(benchmark, score_items(benchmark, length), draws=200)
    notes = saturation(result, placebo_table(result, placebo_results(benchmark, draws=200), draws=200))[0]
    assert "below longest (100.0 %)" in notes
