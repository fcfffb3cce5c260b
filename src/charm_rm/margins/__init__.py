"""Scores or judgements -> margins by prompt -> win rates."""

from .pairing import (
    JudgedMargins,
    PairedMargins,
    ScoreMargins,
    ScoreMatrix,
    all_pairs,
    margins_from_scores,
    pair_margins,
    position,
    reference_pairs,
    score_matrix,
)
from .tally import Tally, tally_margins

__all__ = [
    "JudgedMargins",
    "PairedMargins",
    "ScoreMargins",
    "ScoreMatrix",
    "Tally",
    "all_pairs",
    "margins_from_scores",
    "pair_margins",
    "position",
    "reference_pairs",
    "score_matrix",
    "tally_margins",
]
