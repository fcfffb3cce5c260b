"""RewardBench 2: best of four with shared credit, and the score of Ties."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.official_layouts import by_text, write_lines, write_parquet
from charm_rm.benchmarks.rewardbench2 import OFFICIAL, load_rewardbench2
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark

# Scores of prompts of Ties: id, how many are right, scores with the right ones first.
TIES = [
    ("ref:0", 1, [3.0, 1.0, 0.5]),
    ("tied:0", 2, [2.0, 1.5, 0.0]),
    ("ref:1", 1, [1.0, 1.0, 0.0]),
    ("tied:1", 3, [2.0, 0.5, 1.0, 0.4]),
    ("ref:2", 1, [0.9, 0.5]),
    ("tied:2", 2, [1.0, 1.0, 0.25, -1.0]),
    ("ref:3", 1, [0.0, 2.0]),
    ("tied:3", 2, [1.0, 1.0, 1.0]),
    ("tied:4", 2, [5.0, 4.0, 3.5]),
    ("ref:5", 1, [1.0, 0.0]),
]
FOUR = [[1.0, 0.0, 0.5, -1], [1.0, 1.0, 0.5, -1], [1, 1, 1, 1], [0.5, 1, 0.5, 0], [2, 2, 2, 0]]


def row(name: str, subset: str, n_right: int, n: int, **more: Any) -> dict[str, Any]:
    texts = [f"{subset} {name} {i}" for i in range(n)]
    counts = {"num_correct": n_right, "num_incorrect": n - n_right, "total_completions": n}
    sides = {"chosen": texts[:n_right], "rejected": texts[n_right:]}
    return {"id": name, "prompt": f"prompt {name}", **sides, **counts, "subset": subset} | more


def ties(numbers: str) -> tuple[list[dict[str, Any]], dict[str, float]]:
    kept = [t for t in TIES if t[0].partition(":")[2] in numbers]
    rows = [row(name, "Ties", n_right, len(scores)) for name, n_right, scores in kept]
    return rows, {f"Ties {name} {i}": s for name, _, scores in kept for i, s in enumerate(scores)}


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ("012345", 0.6205060835603001),
        ("0", 1.009640275800758),
        ("1", 0.29238405844044235),
        ("2", 1.01),
        ("3", -0.01),
    ],
)
def test_ties_are_scored_as_by_the_authors_code(numbers: str, expected: float, tmp_path: Path) -> None:
    """Figures printed by `process_single_model` of allenai/reward-bench at 05a9005 for these scores."""
    rows, scores = ties(numbers)
    write_parquet(tmp_path / "test-00000-of-00001.parquet", rows)
    result = evaluate_benchmark(by_text(scores), load_rewardbench2(tmp_path), draws=100)
    assert result.accuracy("Ties") == pytest.approx(expected, abs=1e-12)


def test_the_best_of_four_is_shared_as_by_the_authors_code(tmp_path: Path) -> None:
    """`reroll_and_score_dataset` of the same gives 1, 1/2, 1/4, 0, 1/3 for these scores."""
    rows = [row(str(i), "Math", 1, 4) for i in range(len(FOUR))]
    scores = {f"Math {i} {j}": float(s) for i, line in enumerate(FOUR) for j, s in enumerate(line)}
    write_lines(tmp_path / "rewardbench2.jsonl", rows)
    result = evaluate_benchmark(by_text(scores), load_rewardbench2(tmp_path), draws=100)
    assert result.accuracy("Math") == pytest.approx((1 + 1 / 2 + 1 / 4 + 0 + 1 / 3) / 5, abs=1e-12)


def test_the_whole_is_the_mean_of_the_subsets_scores(tmp_path: Path) -> None:
    rows, scores = ties("012345")
    for s in OFFICIAL.counts:
        if s != "Ties":
            rows += [row("1", s, 1, 4), row("2", s, 1, 4)]
            scores |= {
                f"{s} {i} {j}": float(j == 0 or (i == "2" and s != "Math")) for i in "12" for j in range(4)
            }
    write_lines(tmp_path / "rewardbench2.jsonl", rows)
    benchmark = load_rewardbench2(tmp_path)
    result = evaluate_benchmark(by_text(scores), benchmark, draws=100)
    expected = (4 * (1 + 1 / 4) / 2 + 1 + 0.6205060835603001) / 6
    assert result.headline == pytest.approx(expected, abs=1e-12)
    assert "Factuality: 2 of 475 items" in benchmark.notes[0]
    assert all(m.partial for m in benchmark.metrics)


def test_the_official_number_is_1865() -> None:
    assert sum(OFFICIAL.counts.values()) == 1865


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_correct": 2}, "item 1: 'num_correct' is 2, and there are 1"),
        ({"num_incorrect": float("nan")}, "item 1: 'num_incorrect' should be a number, found nan"),
        ({"rejected": []}, r"item 1: 'rejected' should be a list of texts, found \[\]"),
        ({"subset": "Factual"}, "unknown subset 'Factual'. Did you mean 'Factuality'"),
        ({"subset": "Ties"}, "id '1' with 1 right answers"),
        ({"chosen": ["a", "b"], "num_correct": 2}, "2 chosen responses, where best-of-four has one"),
        ({"id": 7}, "'id' should be text, found 7"),
    ],
)
def test_wrong_items_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "rewardbench2.jsonl", [row("1", "Math", 1, 4) | change])
    with pytest.raises(SchemaError, match=message):
        load_rewardbench2(tmp_path)


def test_ties_without_their_references_are_refused(tmp_path: Path) -> None:
    rows, _ = ties("012345")
    write_lines(tmp_path / "rewardbench2.jsonl", [r for r in rows if r["id"].startswith("tied")])
    with pytest.raises(SchemaError, match="no prompt of Ties is there with its reference"):
        load_rewardbench2(tmp_path)


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no RewardBench 2 files below this folder"):
        load_rewardbench2(tmp_path)


def test_the_test_split_of_another_benchmark_is_not_taken_for_it(tmp_path: Path) -> None:
    """A mirror of several hub datasets has a `test-00000-of-00001.parquet` for each."""
    write_parquet(
        tmp_path / "reward-bench-2" / "data" / "test-00000-of-00001.parquet", [row("a", "Math", 1, 4)]
    )
    other = [{"prompt": "p", "model_a": "m", "response_1": "x"}]
    write_parquet(tmp_path / "PPE-Human-Preference-V1" / "data" / "test-00000-of-00001.parquet", other)
    assert load_rewardbench2(tmp_path).subsets == {"Math": 1}
    with pytest.raises(UnreadableFile, match="no RewardBench 2 files below this folder"):
        load_rewardbench2(tmp_path / "PPE-Human-Preference-V1")
