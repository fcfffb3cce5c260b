"""The files of an evaluation: benchmarks.parquet, alignment.parquet, evaluation.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ..store import refuse_existing, write_frame, write_json
from .accuracy import BenchmarkResult
from .alignment import AlignmentResult

_BENCHMARKS, _ALIGNMENT, _SUMMARY = "benchmarks.parquet", "alignment.parquet", "evaluation.json"


def refuse_existing_evaluation(directory: str | Path, *, force: bool) -> None:
    """Raise :class:`OutputExists` where an evaluation is there already and ``force`` is off."""
    for name in (_BENCHMARKS, _ALIGNMENT, _SUMMARY):
        refuse_existing(Path(directory) / name, force=force)


def evaluation_json(
    results: Sequence[BenchmarkResult],
    alignment: AlignmentResult | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Everything an evaluation found, as JSON-able values; ``warnings`` say what is partial or was cut."""
    notes = [f"{r.benchmark.name}: {note}" for r in results for note in (*r.benchmark.notes, *r.warnings)]
    return {
        "benchmarks": [_benchmark_json(r) for r in results],
        "alignment": [] if alignment is None else alignment.frame.to_dicts(),
        "warnings": notes + ([] if alignment is None else list(alignment.warnings)),
        "provenance": dict(provenance or {}),
    }


def save_evaluation(
    directory: str | Path,
    results: Sequence[BenchmarkResult] = (),
    alignment: AlignmentResult | None = None,
    *,
    provenance: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Path:
    """Write what there is of an evaluation into ``directory``; with ``force`` an older one makes way.

    Raises:
        OutputExists: an evaluation is there and ``force`` is off.
    """
    directory = Path(directory)
    refuse_existing_evaluation(directory, force=force)
    frames = {
        _BENCHMARKS: pl.concat(r.frame for r in results) if results else None,
        _ALIGNMENT: None if alignment is None else alignment.frame,
    }
    for name, frame in frames.items():
        if frame is None:
            (directory / name).unlink(missing_ok=True)  # of an older evaluation
        else:
            write_frame(frame, directory / name, force=force)
    write_json(evaluation_json(results, alignment, provenance=provenance), directory / _SUMMARY, force=force)
    return directory


def _benchmark_json(result: BenchmarkResult) -> dict[str, Any]:
    benchmark = result.benchmark
    return {
        "benchmark": benchmark.name,
        "items": len(benchmark.items),
        "subsets": benchmark.subsets,
        "tie_value": benchmark.tie_value,
        "partial": benchmark.partial,
        "unanswered": result.unanswered,
        "notes": list(benchmark.notes),
        "metrics": result.frame.drop("benchmark").to_dicts(),
    }
