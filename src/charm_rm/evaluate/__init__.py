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
from .calibration import Calibration, calibration_of
from .details import Details
from .diagnosis import Diagnosis, diagnose, tables_of
from .files import evaluation_json, save_evaluation
from .item_table import item_table
from .label_swap import LabelSwap, swap_labels
from .paired import exact_mcnemar
from .repeats import repeats_table
from .rulers import PLACEBOS, placebo_results, placebo_table
from .strata import strata_table

__all__ = [
    "PLACEBOS",
    "AlignmentResult",
    "BenchmarkResult",
    "Calibration",
    "Details",
    "Diagnosis",
    "LabelSwap",
    "Scorer",
    "alignment_with_ratings",
    "calibration_of",
    "compare_with_baseline",
    "diagnose",
    "evaluate_benchmark",
    "evaluation_json",
    "exact_mcnemar",
    "item_table",
    "measure_benchmark",
    "placebo_results",
    "placebo_table",
    "repeats_table",
    "save_evaluation",
    "score_items",
    "strata_table",
    "swap_labels",
    "tables_of",
]
