"""Style calibration: correcting every response for what a model over-values in it, anchored on human ratings of policies."""

from __future__ import annotations

from .calibrator import Calibrator, FeatureWeight
from .calibrator_file import load_calibrator, save_calibrator
from .explain import explain_favour
from .explanation import Explanation, explanation_words, read_explanation, write_explanation
from .solve import STYLE_FEATURES, solve_style_offsets

__all__ = [
    "STYLE_FEATURES",
    "Calibrator",
    "Explanation",
    "FeatureWeight",
    "explain_favour",
    "explanation_words",
    "load_calibrator",
    "read_explanation",
    "save_calibrator",
    "solve_style_offsets",
    "write_explanation",
]
