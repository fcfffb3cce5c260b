"""Style calibration: correcting every response for what a model over-values in it, anchored on human ratings of policies."""

from __future__ import annotations

from .calibrator import Calibrator, FeatureWeight
from .calibrator_file import load_calibrator, save_calibrator
from .scorer import (
    CalibratedPreference,
    CalibratedReward,
    calibrated,
    calibrator_doubts,
    uncalibrated,
)
from .solve import STYLE_FEATURES, solve_style_offsets

__all__ = [
    "STYLE_FEATURES",
    "CalibratedPreference",
    "CalibratedReward",
    "Calibrator",
    "FeatureWeight",
    "calibrated",
    "calibrator_doubts",
    "load_calibrator",
    "save_calibrator",
    "solve_style_offsets",
    "uncalibrated",
]
