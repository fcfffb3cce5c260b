"""PPE's correctness: sampled pairs, and the best-of-k curve against enumeration of all draws."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.official_layouts import by_text, write_lines, write_parquet
from charm_rm.benchmarks.ppe_correctness import SETS, curve, load_ppe_best_of_k, load_ppe_correctness
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark
from charm_rm.statistics import FloatArray

SCORED = [
    ([3.0, 1.0, 2.0, 0.0], [True, False, False, True]),
    ([1.0, 1.0, 0.0, 2.0], [False, True, False, False]),
]


def row(number: int, truth: list[bool], pairs: list[list[int]], **more: Any) -> dict[str, Any]:
    texts = {f"response_{i + 1}": f"{number} {i}" for i in range(len(truth))}
    about = {"question_id": number, "model_name": "m", "prompt": f"p{number}", "scores": truth}
    return about | texts | {"sampled_conflict_pairs": pairs} | more


def write(folder: Path, subset: str = "math") -> dict[str, float]:
    rows = [row(0, SCORED[0][1], [[0, 1], [2, 3]]), row(1, SCORED[1][1], [[0, 1], [1, 2], [3, 1]])]
    write_parquet(folder / SETS[subset] / "data" / "train-00000-of-00001.parquet", rows)
    return {f"{n} {i}": s for n, (scores, _) in enumerate(SCORED) for i, s in enumerate(scores)}


def slow_curve(scores: FloatArray, grades: FloatArray) -> list[float]:
    """For every k: every draw of k responses, and the mean grade of those with the highest score in it."""
    points = []
    for k in range(1, len(scores) + 1):
        taken = []
        for draw in combinations(range(len(scores)), k):
            chosen = np.array(draw)
            taken.append(grades[chosen[scores[chosen] == scores[chosen].max()]].mean())
        points.append(float(np.mean(taken)))
    return points


@given(
    st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=7, unique_by=lambda p: p[0])
)
def test_the_curve_is_the_mean_over_all_draws(answers: list[tuple[int, bool]]) -> None:
    scores, grades = (np.array(side, dtype=float) for side in zip(*answers, strict=True))
    assert curve(scores, grades) == pytest.approx(slow_curve(scores, grades))


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=2, max_size=6))
def test_ties_share_their_ranks_so_that_the_ends_are_exact(answers: list[tuple[int, bool]]) -> None:
    scores, grades = (np.array(side, dtype=float) for side in zip(*answers, strict=True))
    points = curve(scores, grades)
    assert points[0] == pytest.approx(grades.mean())
    assert points[-1] == pytest.approx(grades[scores == scores.max()].mean())


def test_the_figures_by_hand(tmp_path: Path) -> None:
    scores = write(tmp_path)
    benchmark = load_ppe_best_of_k(tmp_path)
    result = evaluate_benchmark(by_text(scores), benchmark, draws=100)
    curves = [curve(np.array(s), np.array(t, dtype=float)) for s, t in SCORED]
    ideal = [curve(np.array(t, dtype=float), np.array(t, dtype=float)) for _, t in SCORED]
    assert result.accuracy("math", "end") == 0.5  # the first is right, the second is not
    assert result.accuracy("math", "max") == pytest.approx(np.mean(curves, axis=0).max())
    assert result.accuracy("math", "regret (less is better)") == pytest.approx(
        np.mean(np.subtract(ideal, curves))
    )
    assert result.accuracy("math", "auc") == pytest.approx((2 / 4 + 1.5 / 3) / 2)
    assert "mmlu-pro, gpqa, ifeval, mbpp-plus missing" in benchmark.notes[0]


def test_sampled_pairs_are_items_that_belong_together(tmp_path: Path) -> None:
    scores = write(tmp_path) | write(tmp_path, "gpqa")
    benchmark = load_ppe_correctness(tmp_path)
    assert benchmark.subsets == {"math": 5, "gpqa": 5}
    assert benchmark.items[1].chosen == ("0 3",)  # the right answer of [2, 3]
    assert {i.linked for i in benchmark.items if i.subset == "math"} == {"math:m:0", "math:m:1"}
    result = evaluate_benchmark(by_text(scores), benchmark, draws=100)
    assert result.accuracy("math") == pytest.approx((1 + 0 + 0.5 + 1 + 0) / 5)
    assert result.headline == result.accuracy("math")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampled_conflict_pairs": [[0, 3]]}, "no right and wrong answer"),
        ({"sampled_conflict_pairs": [[0, 9]]}, "no right and wrong answer"),
        ({"sampled_conflict_pairs": [0, 1]}, "should be a list of pairs of positions"),
        ({"sampled_conflict_pairs": None}, "should be a list of pairs of positions"),
        ({"scores": [True]}, "'scores' should be a list of truth values"),
        ({"scores": [True, 0.5, False, False]}, "'scores' should be a list of truth values"),
        ({"scores": [True, False, False, True, True]}, "key 'response_5' is missing"),
        ({"model_name": None}, "'model_name' should be text"),
    ],
)
def test_wrong_questions_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / f"{SETS['math']}.jsonl"
    write_lines(path, [row(0, SCORED[0][1], [[0, 1]]) | change])
    with pytest.raises(SchemaError, match=message) as caught:
        load_ppe_correctness(tmp_path)
    assert f"{path}: item 1" in str(caught.value)


def test_the_folder_of_fetched_data_is_read(tmp_path: Path) -> None:
    write_parquet(
        tmp_path / "ppe-math" / "data" / "train-00000-of-00001.parquet", [row(0, SCORED[0][1], [[0, 1]])]
    )
    assert load_ppe_correctness(tmp_path).subsets == {"math": 1}


def test_nothing_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no PPE correctness files"):
        load_ppe_best_of_k(tmp_path)
