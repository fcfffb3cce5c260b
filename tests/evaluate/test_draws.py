"""Draws of averages over many small subsets."""

from __future__ import annotations

import numpy as np
import pytest

from charm_rm.benchmarks import Benchmark, good_and_bad
from charm_rm.benchmarks.metrics import mean_of_subsets
from charm_rm.comparison.evaluations import bootstrap
from charm_rm.evaluate import compare_with_baseline, measure_benchmark, score_items
from charm_rm.evaluate.draws import drawn_rates


def many_subsets(subsets: int, items: int) -> Benchmark:
    found = tuple(
        good_and_bad(f"{s} {i}", f"s{s}", f"prompt {s} {i}", [f"good {s} {i}"], ["bad"])
        for s in range(subsets)
        for i in range(items)
    )
    overall = mean_of_subsets("all", "accuracy", [[f"s{s}"] for s in range(subsets)])
    return Benchmark("many", found, (overall,), tie_value=0.5)


def measured(benchmark: Benchmark, right: np.ndarray, *, draws: int, seed: int = 0):  # type: ignore[no-untyped-def]
    given = iter(right)
    scores = np.array([float(next(given)) if "good" in r else 0.5 for _, r in benchmark.texts().values()])
    return measure_benchmark(benchmark, score_items(benchmark, scores), draws=draws, seed=seed)


def test_the_interval_of_an_average_over_small_subsets_lies_around_it() -> None:
    """Nine in ten right in each of 23 subsets of ten items: one pseudo-prompt a subset would draw the average to the middle."""
    benchmark = many_subsets(23, 10)
    row = measured(benchmark, np.arange(230) % 10 != 0, draws=2000).frame.row(0, named=True)
    assert row["accuracy"] == pytest.approx(0.9)
    assert row["ci_low"] == pytest.approx(0.9 - 1.96 * np.sqrt(0.09 / 9 / 23), abs=0.01)
    assert row["ci_high"] == pytest.approx(0.9 + 1.96 * np.sqrt(0.09 / 9 / 23), abs=0.01)


def test_all_right_keeps_an_interval_of_the_width_of_one_pooled_sample() -> None:
    row = measured(many_subsets(20, 5), np.ones(100), draws=4000).frame.row(0, named=True)
    assert row["ci_high"] == 1.0
    assert 0.96 < row["ci_low"] < 0.99  # Jeffreys of 100 of 100: 0.975


def test_parts_of_one_prompt_each_have_the_spread_of_one_another() -> None:
    rng = np.random.default_rng(0)
    means = np.array([0.0, 1.0, 1.0, 1.0])
    weights = rng.standard_exponential((20_000, 4))
    one = np.ones(4, dtype=np.int64)
    nothing = np.zeros((2, 20_000, 4))
    drawn = drawn_rates(weights * means, weights, nothing, means=means, units=one, prompts=one).mean(axis=1)
    assert drawn.std() == pytest.approx(means.std(ddof=1) / 2, rel=0.03)


def test_a_difference_is_never_beyond_what_it_can_be() -> None:
    benchmark = many_subsets(3, 3)
    found = compare_with_baseline(
        measured(benchmark, np.ones(9), draws=200), measured(benchmark, np.zeros(9), draws=200), draws=200
    )
    row = found.frame.row(0, named=True)
    assert row["difference"] == row["sim_ci_high"] == row["diff_ci_high"] == 1.0


def test_comparisons_draw_an_average_over_small_subsets_as_evaluations_do() -> None:
    values = np.tile([1.0, 1.0, 1.0, 0.0], 23)
    share, parts, prompts = np.full(92, 1 / 92), np.repeat(np.arange(23), 4), np.arange(92)
    drawn = bootstrap(
        values, share, parts, prompts, draws=4000, rng=np.random.default_rng(0), ends=(0.0, 1.0)
    )
    assert drawn.mean() == pytest.approx(0.75, abs=0.01)
    assert drawn.std() == pytest.approx(np.sqrt(0.75 * 0.25 / 3 / 23), rel=0.08)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("subsets", "items", "rate"), [(23, 4, 0.9), (23, 2, 0.8), (8, 5, 0.9), (4, 25, 0.95)]
)
def test_intervals_cover_by_simulation(subsets: int, items: int, rate: float) -> None:
    """A sample of a benchmark with many subsets: with a pseudo-prompt for each the truth was held 58 to 78 times in 100."""
    benchmark, rng = many_subsets(subsets, items), np.random.default_rng(0)
    runs = 80
    held = 0
    for k in range(runs):
        right = rng.random(subsets * items) < rate
        row = measured(benchmark, right, draws=300, seed=k).frame.row(0, named=True)
        held += row["ci_low"] <= rate <= row["ci_high"]
    assert held >= 0.86 * runs
