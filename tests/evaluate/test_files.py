"""The files of an evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm.benchmarks import Benchmark, good_and_bad
from charm_rm.benchmarks.llmbar import official_metrics
from charm_rm.errors import OutputExists
from charm_rm.evaluate import AlignmentResult, BenchmarkResult, evaluate_benchmark, save_evaluation
from charm_rm.folders import MARKER


def make_result(notes: tuple[str, ...] = ()) -> BenchmarkResult:
    items = tuple(good_and_bad(str(i), "Natural", f"p{i}", ["good"], ["bad"]) for i in range(4))
    benchmark = Benchmark("llmbar", items, official_metrics(["Natural"]), 0.5, notes)
    return evaluate_benchmark(
        lambda _p, responses: np.array([float(r == "good") for r in responses]), benchmark
    )


ALIGNMENT = AlignmentResult(
    pl.DataFrame({"metric": ["spearman"], "value": [0.5], "ci_low": [0.1], "ci_high": [0.8]}), ("a", "b", "c")
)


def test_files_hold_what_was_found(tmp_path: Path) -> None:
    result = make_result(("math missing",))
    save_evaluation(tmp_path / "evaluation", [result, result], ALIGNMENT, provenance={"verb": "evaluate"})
    assert pl.read_parquet(tmp_path / "evaluation" / "benchmarks.parquet").equals(
        pl.concat([result.frame] * 2)
    )
    assert pl.read_parquet(tmp_path / "evaluation" / "alignment.parquet").equals(ALIGNMENT.frame)
    summary = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert summary["warnings"] == ["llmbar: math missing"] * 2
    assert summary["benchmarks"][0]["partial"]
    assert summary["benchmarks"][0]["subsets"] == {"Natural": 4}
    assert summary["benchmarks"][0]["metrics"][0]["accuracy"] == 1.0
    assert summary["alignment"][0]["value"] == 0.5
    assert summary["provenance"] == {"verb": "evaluate"}


def test_the_table_has_the_columns_that_others_read(tmp_path: Path) -> None:
    save_evaluation(tmp_path, [make_result()])
    columns = set(pl.read_parquet(tmp_path / "benchmarks.parquet").columns)
    assert columns == {
        *(
            "benchmark",
            "subset",
            "metric",
            "n",
            "comparisons",
            "accuracy",
            "ci_low",
            "ci_high",
            "ties",
            "partial",
        ),
        *(
            "baseline_accuracy",
            "difference",
            "diff_ci_low",
            "diff_ci_high",
            "sim_ci_low",
            "sim_ci_high",
            "better",
            "worse",
            "p_value",
            "q_value",
        ),
    }


def test_an_older_evaluation_is_kept_unless_forced_and_then_leaves_nothing_stale(tmp_path: Path) -> None:
    folder = save_evaluation(tmp_path / "evaluation", [make_result()], ALIGNMENT)
    with pytest.raises(OutputExists):
        save_evaluation(folder, [make_result()])
    assert (folder / "alignment.parquet").exists()
    save_evaluation(folder, [make_result()], force=True)
    assert sorted(p.name for p in folder.iterdir()) == [
        MARKER,
        "benchmarks.parquet",
        "credits.parquet",
        "evaluation.json",
    ]


def test_a_folder_of_an_earlier_version_makes_way_but_no_other_file(tmp_path: Path) -> None:
    folder = save_evaluation(tmp_path / "evaluation", [make_result()], ALIGNMENT)
    (folder / MARKER).unlink()
    save_evaluation(folder, [make_result()], force=True)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(OutputExists, match="'notes.txt'"):
        save_evaluation(folder, [make_result()], force=True)
    assert (folder / "notes.txt").read_text() == "mine"
