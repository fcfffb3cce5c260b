"""Small benchmarks whose scores are known, for the tests of what is said beyond accuracy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from charm_rm.benchmarks import Benchmark, good_and_bad, mean_of_subsets
from charm_rm.evaluate import BenchmarkResult, measure_benchmark, score_items


def pairs_of(
    texts: Sequence[tuple[str, str]], *, subsets: Sequence[str] = ("s",), tie_value: float = 0.5
) -> Benchmark:
    """One good and one bad response an item, dealt into subsets in turn."""
    items = tuple(
        good_and_bad(str(i), subsets[i % len(subsets)], f"prompt {i}", [good], [bad])
        for i, (good, bad) in enumerate(texts)
    )
    metrics = [mean_of_subsets(s, "accuracy", [[s]]) for s in subsets]
    if len(subsets) > 1:
        metrics.append(mean_of_subsets("all", "accuracy", [[s] for s in subsets]))
    return Benchmark("pairs", items, tuple(metrics), tie_value)


def scored_pairs(
    margins: Sequence[float] | np.ndarray, *, subsets: Sequence[str] = ("s",), draws: int = 200, seed: int = 0
) -> BenchmarkResult:
    """A reward model with these margins of good over bad."""
    benchmark = pairs_of([(f"good {i}", f"bad {i}") for i in range(len(margins))], subsets=subsets)
    scores = np.zeros(2 * len(margins))
    scores[::2] = margins
    return measure_benchmark(benchmark, score_items(benchmark, scores), draws=draws, seed=seed)
