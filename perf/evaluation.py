"""Everything of an evaluation but scoring: files to items, figures, intervals, tests, tables and files, in seconds.

    python perf/evaluation.py                                 every kind of benchmark, whole
    python perf/evaluation.py --kinds pairs --items 2000      one kind, fewer items
    python perf/evaluation.py --beside OLD/src                the same by another checkout's code, a ratio a step

Made-up texts of some 60 words with random scores. ``pairs``: 23 subsets, as RewardBench has them, in the original layout. ``tables``:
RM-Bench's three by three. ``four``: best of four, as in RewardBench 2. ``ratings``: four responses, each with a person's rating. ``ppe-human``:
battles of 20 models. ``ppe-best-of-k``: questions with 32 answers. Seconds are processor time; every kind has a process of its own, so peak memory
is its own, too.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import polars as pl

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
SIZES = {
    "pairs": 20_000,
    "tables": 20_000,
    "four": 20_000,
    "ratings": 20_000,
    "ppe-human": 20_000,
    "ppe-best-of-k": 2_560,
}
T = TypeVar("T")
Rows = list[dict[str, object]]


def main() -> None:
    """Measure each kind in a process of its own, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kinds", nargs="*", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--items", type=int, help="items of each kind; the size of the whole without")
    parser.add_argument(
        "--beside", type=Path, help="src folder of another checkout, measured in turn with this one"
    )
    parser.add_argument("--one", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        print(json.dumps(measure(args.kinds[0], Path(args.one))))
        return
    print(
        "| benchmark | items | step | CPU seconds | before | ratio | load |\n|---|---:|---|---:|---:|---:|---:|"
    )
    for kind in args.kinds:
        beside(kind, args.items or SIZES[kind], args.beside)


def beside(kind: str, items: int, other: Path | None) -> None:
    """Rows of one kind: this code, and another checkout's on the same files."""
    with tempfile.TemporaryDirectory() as folder:
        write(kind, items, Path(folder))
        mine = in_a_process(kind, folder, None)
        theirs = in_a_process(kind, folder, other) if other else {}
    for step, value in mine.items():
        before = theirs.get(step)
        ratio = "-" if before is None else f"{before / max(value, 1e-3):.1f}"
        shown = "-" if before is None else f"{before:,.2f}"
        print(
            f"| {kind} | {items:,} | {step} | {value:,.2f} | {shown} | {ratio} | {os.getloadavg()[0]:.0f} |",
            flush=True,
        )


def in_a_process(kind: str, folder: str, source: Path | None) -> dict[str, float]:
    """What one process measured, by step."""
    src = source or Path(__file__).parents[1] / "src"
    paths = {**os.environ, "PYTHONPATH": str(src), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "--kinds", kind, "--one", folder]
    said = subprocess.run(command, env=paths, stdout=subprocess.PIPE, check=True, text=True)
    return dict(json.loads(said.stdout))


def measure(kind: str, folder: Path) -> dict[str, float]:
    """Processor seconds of each step, and peak memory in MiB."""
    from charm_rm.benchmarks import load_benchmark, load_own
    from charm_rm.evaluate import (
        compare_with_baseline,
        diagnose,
        measure_benchmark,
        save_evaluation,
        score_items,
    )
    from charm_rm.report.evaluation import render_evaluation

    steps: dict[str, float] = {}

    def timed(name: str, do: Callable[[], T]) -> T:
        start = time.process_time()
        found = do()
        steps[name] = time.process_time() - start
        return found

    names = {"pairs": "rewardbench", "tables": "rm-bench", "four": "rewardbench2"}
    own = kind == "ratings"
    read = timed(
        "files to items",
        lambda: load_own(folder / "own.jsonl") if own else load_benchmark(names.get(kind, kind), folder),
    )
    rng = np.random.default_rng(0)
    texts = len(read.texts())
    scores = [rng.standard_normal(texts) for _ in range(2)]
    mine = timed("items from scores", lambda: score_items(read, scores[0]))
    result = timed("figures with intervals", lambda: measure_benchmark(read, mine))
    diagnosis = timed("items, strata, calibration, label swap", lambda: diagnose(result))
    page = timed(
        "the page",
        lambda: render_evaluation([result], [diagnosis], None, model="m", baseline="", provenance={}),
    )
    about = {"provenance": {}, "pages": {"evaluation.html": page}}
    timed(
        "files written",
        lambda: save_evaluation(folder / "out", [result], None, [diagnosis], **about, force=True),
    )
    steps = {**steps, "**all of one model**": sum(steps.values())}
    other = measure_benchmark(read, score_items(read, scores[1]))
    timed("beside a baseline", lambda: compare_with_baseline(result, other))
    timed("placebos", lambda: diagnose(result, placebos=True))
    steps["placebos"] -= steps["items, strata, calibration, label swap"]
    steps["peak memory, MiB"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return steps


# --- made-up files ----------------------------------------------------------------------------------


def write(kind: str, items: int, folder: Path) -> None:
    """The original files of a benchmark of this kind, with made-up texts."""
    rng = np.random.default_rng(0)
    pool = [" ".join(rng.choice(WORDS, int(rng.integers(20, 100)))) for _ in range(2_000)]
    drawn = iter(rng.integers(len(pool), size=40 * items + 100).tolist())
    count = iter(range(10**9))

    def text() -> str:
        return f"{next(count)} {pool[next(drawn)]}"

    {
        "pairs": write_pairs,
        "tables": write_tables,
        "four": write_four,
        "ratings": write_ratings,
        "ppe-human": write_battles,
        "ppe-best-of-k": write_questions,
    }[kind](items, folder, text, rng)


def write_pairs(items: int, folder: Path, text: Callable[[], str], _rng: np.random.Generator) -> None:
    """RewardBench: one chosen and one rejected response in 23 subsets."""
    from charm_rm.benchmarks.rewardbench import WEIGHTS

    names = list(WEIGHTS)
    rows = [
        {
            "id": i,
            "subset": names[i % len(names)],
            "prompt": f"prompt {i}",
            "chosen": text(),
            "rejected": text(),
            "chosen_model": "a",
            "rejected_model": "b",
        }
        for i in range(items)
    ]
    pl.DataFrame(rows).write_parquet(folder / "filtered-00000-of-00001.parquet")


def write_tables(items: int, folder: Path, text: Callable[[], str], _rng: np.random.Generator) -> None:
    """RM-Bench: three chosen and three rejected responses, a file a domain."""
    from charm_rm.benchmarks.rm_bench import SUBSETS

    for k, name in enumerate(SUBSETS):
        rows = [
            {
                "id": i,
                "prompt": f"prompt {i}",
                "chosen": [text() for _ in range(3)],
                "rejected": [text() for _ in range(3)],
            }
            for i in range(k, items, len(SUBSETS))
        ]
        (folder / f"{name}_filtered.json").write_text(json.dumps(rows))


def write_four(items: int, folder: Path, text: Callable[[], str], _rng: np.random.Generator) -> None:
    """RewardBench 2: one chosen response of four, and a tenth of Ties."""
    subsets = ("Factuality", "Precise IF", "Math", "Safety", "Focus")
    rows = [
        {
            "id": str(i),
            "subset": subsets[i % 5],
            "prompt": f"prompt {i}",
            "chosen": [text()],
            "rejected": [text() for _ in range(3)],
        }
        for i in range(items)
    ]
    pl.DataFrame(rows).write_parquet(folder / "test-00000-of-00001.parquet")


def write_ratings(items: int, folder: Path, text: Callable[[], str], rng: np.random.Generator) -> None:
    """A table of one's own: four responses with ratings of 1 to 5."""
    rows: Rows = [
        {
            "prompt": f"prompt {i}",
            "responses": [text() for _ in range(4)],
            "ratings": rng.integers(1, 6, 4).tolist(),
        }
        for i in range(items)
    ]
    (folder / "own.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_battles(items: int, folder: Path, text: Callable[[], str], rng: np.random.Generator) -> None:
    """PPE's battles of 20 models."""
    winners = ("model_a", "model_b", "tie", "tie (bothbad)")
    rows: Rows = []
    for i in range(items):
        first, second = rng.choice(20, 2, replace=False)
        rows.append(
            {
                "question_id": str(i),
                "model_a": f"m{first:02d}",
                "model_b": f"m{second:02d}",
                "winner": winners[int(rng.integers(4))],
                "prompt": f"prompt {i}",
                "response_1": text(),
                "response_2": text(),
            }
        )
    pl.DataFrame(rows).write_parquet(folder / "ppe_human.parquet")


def write_questions(items: int, folder: Path, text: Callable[[], str], rng: np.random.Generator) -> None:
    """PPE's questions with 32 answers each, in five sets."""
    from charm_rm.benchmarks.ppe_correctness import SETS

    for k, name in enumerate(SETS.values()):
        rows: Rows = []
        for i in range(k, items, len(SETS)):
            answers = {f"response_{j + 1}": text() for j in range(32)}
            rows.append(
                {
                    "question_id": i,
                    "model_name": "m",
                    "prompt": f"prompt {i}",
                    "scores": [bool(v) for v in rng.integers(0, 2, 32)],
                    "sampled_conflict_pairs": [[0, 1]],
                    **answers,
                }
            )
        pl.DataFrame(rows).write_parquet(folder / f"{name}.parquet")


if __name__ == "__main__":
    main()
