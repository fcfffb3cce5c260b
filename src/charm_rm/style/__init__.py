"""Style calibration: correcting every response for what a model over-values in it, anchored on human ratings of policies."""

from __future__ import annotations

from .apply import apply_calibrator
from .calibrator import Calibrator, FeatureWeight
from .calibrator_file import is_calibrator, load_calibrator, save_calibrator
from .candidates import expect_favour
from .explain import explain_favour
from .explanation import Explanation, explanation_words, read_explanation, write_explanation
from .leftover import with_leftover_offsets
from .scorer import (
    CalibratedPreference,
    CalibratedReward,
    calibrated,
    calibrator_doubts,
    uncalibrated,
)
from .sharpness import solve_sharpness
from .solve import STYLE_FEATURES, solve_style_offsets
from .votes import VoteWeights, compare_with_votes, fit_vote_weights, with_votes

__all__ = [
    "STYLE_FEATURES",
    "CalibratedPreference",
    "CalibratedReward",
    "Calibrator",
    "Explanation",
    "FeatureWeight",
    "VoteWeights",
    "apply_calibrator",
    "calibrated",
    "calibrator_doubts",
    "compare_with_votes",
    "expect_favour",
    "explain_favour",
    "explanation_words",
    "fit_vote_weights",
    "is_calibrator",
    "load_calibrator",
    "read_explanation",
    "save_calibrator",
    "solve_sharpness",
    "solve_style_offsets",
    "uncalibrated",
    "with_leftover_offsets",
    "with_votes",
    "write_explanation",
]
