"""Style calibration: correcting every response for what a model over-values in it, anchored on human ratings of policies."""

from __future__ import annotations

from .calibrator import Calibrator, FeatureWeight
from .calibrator_file import load_calibrator, save_calibrator
from .solve import STYLE_FEATURES, solve_style_offsets
from .votes import VoteWeights, compare_with_votes, fit_vote_weights, with_votes

__all__ = [
    "STYLE_FEATURES",
    "Calibrator",
    "FeatureWeight",
    "VoteWeights",
    "compare_with_votes",
    "fit_vote_weights",
    "load_calibrator",
    "save_calibrator",
    "solve_style_offsets",
    "with_votes",
]
