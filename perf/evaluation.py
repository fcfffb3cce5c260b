"""Everything after scoring: figures, intervals, tests, tables and the page of an evaluation, in seconds.

    python perf/evaluation.py                 20,000 items, RM beside a baseline
    python perf/evaluation.py --items 2000    fewer

Two benchmarks of made-up texts with random scores: pairs in 23 subsets, as RewardBench has them, and RM-Bench's tables of three by three.
"""

from __future__ import annotations

import argparse
import os
import time

import numpy as np

from charm_rm.benchmarks import Benchmark, good_and_bad, mean_of_subsets
from charm_rm.benchmarks.rm_bench import SUBSETS, TIE_VALUE, official_metrics
from charm_rm.evaluate import compare_with_baseline, diagnose, measure_benchmark, score_items

WORDS = [
    "the",
    "a",
    "model",
    "answers",
    "questions",
    "**boldly**",
    "with",
    "-",
    "lists",
    "and",
    "#",
    "headers",
    "of",
    "many",
    "words",
]


def main() -> None:
    """Measure, print one Markdown row a step."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--items", type=int, default=20_000)
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    print("| benchmark | items | step | seconds | of CPU | load |\n|---|---:|---|---:|---:|---:|")
    for benchmark in (pairs(args.items // 2, rng), tables(args.items // 2, rng)):
        evaluate(benchmark, rng)


def evaluate(benchmark: Benchmark, rng: np.random.Generator) -> None:
    """Time each step of an evaluation of one benchmark."""
    texts = len(benchmark.texts())
    with step(benchmark, "items from scores"):
        mine, theirs = (score_items(benchmark, rng.standard_normal(texts)) for _ in range(2))
    with step(benchmark, "figures with intervals, two models"):
        result, other = (measure_benchmark(benchmark, scored) for scored in (mine, theirs))
    with step(benchmark, "compared with the baseline"):
        result = compare_with_baseline(result, other)
    with step(benchmark, "items, strata, calibration, placebos, label swap"):
        diagnose(result, other, placebos=True)


class step:
    """A timed block that prints its row."""

    def __init__(self, benchmark: Benchmark, name: str) -> None:
        self.label = f"| {benchmark.name} | {len(benchmark.items):,} | {name}"

    def __enter__(self) -> None:
        self.start = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        wall, cpu = time.perf_counter() - self.start[0], time.process_time() - self.start[1]
        print(f"{self.label} | {wall:.2f} | {cpu:.2f} | {os.getloadavg()[0]:.1f} |")


def text(rng: np.random.Generator) -> str:
    """Some 60 words."""
    return " ".join(rng.choice(WORDS, int(rng.integers(20, 100))))


def pairs(n: int, rng: np.random.Generator) -> Benchmark:
    """Pairs in 23 subsets."""
    names = [f"subset-{k:02d}" for k in range(23)]
    items = tuple(
        good_and_bad(str(i), names[i % 23], f"prompt {i}", [text(rng)], [text(rng)]) for i in range(n)
    )
    figures = [mean_of_subsets(name, "accuracy", [[name]]) for name in names]
    overall = mean_of_subsets("all", "accuracy", [[name] for name in names])
    return Benchmark("pairs", items, (*figures, overall), 0.5)


def tables(n: int, rng: np.random.Generator) -> Benchmark:
    """Three good against three bad responses."""
    items = tuple(
        good_and_bad(
            str(i), SUBSETS[i % len(SUBSETS)], f"prompt {i}", *([text(rng) for _ in range(3)] for _ in "ab")
        )
        for i in range(n)
    )
    return Benchmark("tables", items, official_metrics(list(SUBSETS)), TIE_VALUE)


if __name__ == "__main__":
    main()
