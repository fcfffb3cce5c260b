"""How good is a scorer: official benchmarks, and agreement with human ratings over policies."""

from __future__ import annotations

from .accuracy import (
    BenchmarkResult,
    Scorer,
    compare_with_baseline,
    evaluate_benchmark,
    measure_benchmark,
    score_items,
)
from .alignment import AlignmentResult, alignment_with_ratings
from .files import evaluation_json, save_evaluation
from .paired import exact_mcnemar

__all__ = [
    "AlignmentResult",
    "BenchmarkResult",
    "Scorer",
    "alignment_with_ratings",
    "compare_with_baseline",
    "evaluate_benchmark",
    "evaluation_json",
    "exact_mcnemar",
    "measure_benchmark",
    "save_evaluation",
    "score_items",
]
