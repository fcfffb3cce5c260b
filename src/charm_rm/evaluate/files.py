"""The files of an evaluation: benchmarks.parquet, credits.parquet, alignment.parquet, evaluation.json, and the tables of its diagnoses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any

import polars as pl

from ..folders import replacing_directory
from ..store import write_frame, write_json, write_text
from .accuracy import BenchmarkResult
from .alignment import AlignmentResult
from .contributions import contributions
from .diagnosis import Diagnosis, tables_of

_BENCHMARKS, _ALIGNMENT, _SUMMARY = "benchmarks.parquet", "alignment.parquet", "evaluation.json"
_CREDITS = "credits.parquet"


def evaluation_json(
    results: Sequence[BenchmarkResult],
    alignment: AlignmentResult | None = None,
    diagnoses: Sequence[Diagnosis] = (),
    *,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything an evaluation found, as JSON-able values; ``warnings`` say what is partial or was cut."""
    notes = [f"{r.benchmark.name}: {note}" for r in results for note in (*r.benchmark.notes, *r.warnings)]
    return {
        "benchmarks": [_benchmark_json(r, d) for r, d in zip_longest(results, diagnoses)],
        "alignment": [] if alignment is None else alignment.frame.to_dicts(),
        "warnings": notes + ([] if alignment is None else list(alignment.warnings)),
        "provenance": dict(provenance or {}),
    }


def save_evaluation(
    directory: str | Path,
    results: Sequence[BenchmarkResult] = (),
    alignment: AlignmentResult | None = None,
    diagnoses: Sequence[Diagnosis] = (),
    *,
    provenance: Mapping[str, Any] | None = None,
    pages: Mapping[str, str] | None = None,
    force: bool = False,
) -> Path:
    """Write what there is of an evaluation as the folder ``directory``, whole or not at all; with ``force`` an older one makes way.

    ``pages`` are further files of text, by name.

    Raises:
        OutputExists: the folder holds something and ``force`` is off, or something that is not charm's own.
        WriteFailed: the file system refused.
    """
    with replacing_directory(directory, force=force) as temporary:
        if results:
            write_frame(pl.concat(r.frame for r in results), temporary / _BENCHMARKS)
            write_frame(contributions(results), temporary / _CREDITS)
        if alignment is not None:
            write_frame(alignment.frame, temporary / _ALIGNMENT)
        for name, frame in tables_of(diagnoses).items():
            write_frame(frame, temporary / f"{name}.parquet")
        for name, text in (pages or {}).items():
            write_text(text, temporary / name)
        summary = evaluation_json(results, alignment, diagnoses, provenance=provenance)
        write_json(summary, temporary / _SUMMARY)
    return Path(directory)


def _benchmark_json(result: BenchmarkResult, diagnosis: Diagnosis | None) -> dict[str, Any]:
    benchmark = result.benchmark
    metrics = result.frame.drop("benchmark").to_dicts()
    for row, notes in zip(metrics, diagnosis.saturation if diagnosis else [[]] * len(metrics), strict=True):
        row["saturation"] = list(notes)
    return {
        "benchmark": benchmark.name,
        "items": len(benchmark.items),
        "subsets": benchmark.subsets,
        "tie_value": benchmark.tie_value,
        "partial": benchmark.partial,
        "unanswered": result.unanswered,
        "notes": list(benchmark.notes),
        "remarks": list(benchmark.remarks),
        "metrics": metrics,
        **({} if diagnosis is None else diagnosis.to_json()),
    }
