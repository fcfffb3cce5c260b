"""Evaluations of models whose credits are known, as folders that ``charm evaluate -o`` writes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from charm_rm.benchmarks import Benchmark, mean_of_subsets
from charm_rm.benchmarks.items import good_and_bad
from charm_rm.evaluate import measure_benchmark, save_evaluation, score_items


def benchmark(n: int = 60, *, name: str = "quiz", first: int = 0) -> Benchmark:
    """Two subsets of unequal size; the whole is the mean of the two."""
    items = tuple(
        good_and_bad(
            str(i), "easy" if i % 3 else "hard", f"{name} question {i}", [f"right {i}"], [f"wrong {i}"]
        )
        for i in range(first, first + n)
    )
    metrics = (
        mean_of_subsets("easy", "accuracy", [["easy"]]),
        mean_of_subsets("hard", "accuracy", [["hard"]]),
        mean_of_subsets("all", "accuracy", [["easy"], ["hard"]]),
    )
    return Benchmark(name, items, metrics, 0.5)


def evaluation(folder: Path, right: Sequence[bool] | np.ndarray, *benchmarks: Benchmark) -> Path:
    """The folder of a model that is right on these items of every benchmark."""
    results = []
    for one in benchmarks or (benchmark(len(right)),):
        scores = [s for ok in list(right)[: len(one.items)] for s in ((1.0, 0.0) if ok else (0.0, 1.0))]
        results.append(measure_benchmark(one, score_items(one, np.array(scores)), draws=100))
    return save_evaluation(folder, results)
