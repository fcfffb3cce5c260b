"""How many prompts, how many votes: the sample size for an effect, and the effect for a sample size."""

from .assumed import World, assume_favour, assume_favour_gap, assume_mismatch
from .plans import (
    Asked,
    How,
    Plan,
    assume_accuracy,
    plan_accuracy,
    plan_favour,
    plan_favour_gap,
    plan_mismatch,
)
from .votes import rating_half_width, scaled_votes, votes_for_width

__all__ = [
    "Asked",
    "How",
    "Plan",
    "World",
    "assume_accuracy",
    "assume_favour",
    "assume_favour_gap",
    "assume_mismatch",
    "plan_accuracy",
    "plan_favour",
    "plan_favour_gap",
    "plan_mismatch",
    "rating_half_width",
    "scaled_votes",
    "votes_for_width",
]
