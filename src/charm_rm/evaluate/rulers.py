"""What a benchmark pays for nothing: models that look at length alone, and noise; and what that says of a model's own figures.

A ruler alone is right on every item of some subsets. What a model scores there says little, and neither does a figure that a perfect model could not
be told from, or that noise reaches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl

from ..benchmarks import Benchmark
from ..estimates import LEVEL
from ..statistics import FloatArray
from .accuracy import BenchmarkResult, compare_with_baseline, measure_benchmark, score_items
from .paired import exact_mcnemar

# Share of prompts not fully right up to which a figure is near its ceiling: beyond it the number of prompts is to blame.
_NEAR = 0.1
# Name of each placebo, and what it prefers.
PLACEBOS = {
    "longest": "the longest response (characters)",
    "shortest": "the shortest response (characters)",
    "noise": "a random response",
}


def placebo_results(benchmark: Benchmark, *, draws: int = 1000, seed: int = 0) -> dict[str, BenchmarkResult]:
    """The benchmark's figures of each of :data:`PLACEBOS`, as of any model."""
    length = np.array([len(response) for _, response in benchmark.texts().values()], dtype=np.float64)
    noise = np.random.default_rng(seed).standard_normal(len(length))
    scores: Mapping[str, FloatArray] = {"longest": length, "shortest": -length, "noise": noise}
    return {
        name: measure_benchmark(benchmark, score_items(benchmark, scores[name]), draws=draws, seed=seed)
        for name in PLACEBOS
    }


def placebo_table(
    result: BenchmarkResult, placebos: Mapping[str, BenchmarkResult], *, draws: int = 1000, seed: int = 0
) -> pl.DataFrame:
    """Every figure beside every placebo's: benchmark, subset, metric, placebo, accuracy, ci_low, ci_high (the placebo's own), and of the
    model less the placebo difference, diff_ci_low, diff_ci_high, p_value, q_value (adjusted over the rows of the placebo)."""
    frames = []
    for name, placebo in placebos.items():
        against = compare_with_baseline(result, placebo, draws=draws, seed=seed).frame
        own = placebo.frame.select("benchmark", "subset", "metric", pl.lit(name).alias("placebo"), "accuracy", "ci_low", "ci_high")  # fmt: skip
        frames.append(
            own.hstack(against.select("difference", "diff_ci_low", "diff_ci_high", "p_value", "q_value"))
        )
    return pl.concat(frames)


def saturation(result: BenchmarkResult, placebos: pl.DataFrame | None = None) -> list[list[str]]:
    """Per row of the result's table what makes the figure say little, in words; an empty list where nothing does.

    - at the ceiling, or too few prompts: a perfect model would earn more on so few of them that McNemar's test could not tell the two apart;
    - not told from a placebo: the interval of the difference holds 0;
    - below a placebo: the placebo is better beyond chance.
    """
    found = [_ceiling(result, k) for k in range(result.frame.height)]
    if placebos is not None:
        for name in PLACEBOS:
            rows = placebos.filter(pl.col("placebo") == name).to_dicts()
            for notes, row in zip(found, rows, strict=True):
                notes += _beside(name, row)
    return found


def _ceiling(result: BenchmarkResult, k: int) -> list[str]:
    metric = result.benchmark.metrics[k]
    if metric.combine is not None:
        return []
    parts = result.book.credits(metric)
    prompts = np.concatenate([part.prompts for part in parts])
    lost = np.concatenate([np.nan_to_num(part.high - part.values) for part in parts])
    imperfect = int((np.bincount(prompts, weights=lost) > 1e-9).sum())
    if exact_mcnemar(imperfect, 0) <= 1 - LEVEL:
        return []
    near = imperfect <= _NEAR * len(np.unique(prompts))
    return [
        f"{'at the ceiling' if near else 'too few prompts'}: a perfect model could not be told from this one"
    ]


def _beside(name: str, row: Mapping[str, Any]) -> list[str]:
    low, high = row["diff_ci_low"], row["diff_ci_high"]
    if low is None or high is None:
        return []
    if high < 0:
        return [f"below {name} ({100 * row['accuracy']:.1f} %)"]
    return [f"not told from {name} ({100 * row['accuracy']:.1f} %)"] if low <= 0 else []
