"""Style calibration: correcting every response for what a model over-values in it, anchored on human ratings of policies."""

from __future__ import annotations

from .apply import apply_calibrator
from .calibrator import Calibrator, FeatureWeight
from .calibrator_file import is_calibrator, load_calibrator, save_calibrator
from .leftover import with_leftover_offsets
from .sharpness import solve_sharpness
from .solve import STYLE_FEATURES, solve_style_offsets

__all__ = [
    "STYLE_FEATURES",
    "Calibrator",
    "FeatureWeight",
    "apply_calibrator",
    "is_calibrator",
    "load_calibrator",
    "save_calibrator",
    "solve_sharpness",
    "solve_style_offsets",
    "with_leftover_offsets",
]
