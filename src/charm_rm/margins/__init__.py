"""Scores or judgements -> margins by prompt -> win rates."""

from .counting import GROUPS, PairCounter, PairCounts, influences
from .outcomes import hard_outcomes, soft_outcomes, tie_credit, with_ties_halved
from .pairing import (
    JudgedMargins,
    PairedMargins,
    SampledMargins,
    ScoreMargins,
    ScoreMatrix,
    all_pairs,
    blocks,
    incidence,
    margins_between,
    margins_from_scores,
    only_policies,
    pair_judgements,
    pair_margins,
    pair_samples,
    position,
    reference_pairs,
    score_matrix,
)
from .swaps import Swapped, swap_models
from .tally import Tally, check_shared, tally_counts, tally_margins

__all__ = [
    "GROUPS",
    "JudgedMargins",
    "PairCounter",
    "PairCounts",
    "PairedMargins",
    "SampledMargins",
    "ScoreMargins",
    "ScoreMatrix",
    "Swapped",
    "Tally",
    "all_pairs",
    "blocks",
    "check_shared",
    "hard_outcomes",
    "incidence",
    "influences",
    "margins_between",
    "margins_from_scores",
    "only_policies",
    "pair_judgements",
    "pair_margins",
    "pair_samples",
    "position",
    "reference_pairs",
    "score_matrix",
    "soft_outcomes",
    "swap_models",
    "tally_counts",
    "tally_margins",
    "tie_credit",
    "with_ties_halved",
]
