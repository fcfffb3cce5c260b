"""A simulated arena with known truth. Everything here is simulated and says so in its provenance.

Real data never tell which of two answers is better, only what people or models said. Here it is known, so that
the audit, the calibration and the trained reward model can be checked against the truth.
"""

from __future__ import annotations

from .arena import VOTE_SLOPE, Arena, draw_votes, simulate_arena, vote_probability
from .coverage import ANNOTATORS, RULE, annotate, quality_of, vote_on
from .instructions import INSTRUCTIONS
from .policies import POLICIES, Answer, Policy, respond
from .preferences import STYLE_SLOPE, biased_preferences, true_preferences
from .tasks import Task, draw_tasks

__all__ = [
    "ANNOTATORS",
    "INSTRUCTIONS",
    "POLICIES",
    "RULE",
    "STYLE_SLOPE",
    "VOTE_SLOPE",
    "Answer",
    "Arena",
    "Policy",
    "Task",
    "annotate",
    "biased_preferences",
    "draw_tasks",
    "draw_votes",
    "quality_of",
    "respond",
    "simulate_arena",
    "true_preferences",
    "vote_on",
    "vote_probability",
]
