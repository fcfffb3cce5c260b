"""Settings of the audit."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, check_draws, setting
from .vocabulary import Outcome, Scope, TieRule


@dataclass(frozen=True, kw_only=True)
class AuditSettings(Settings):
    """Audit the scores or judgements against the ratings, on the test prompts."""

    references: tuple[str, ...] | None = setting(
        None,
        "Report mismatch against this policy only; repeatable (default: every pair).",
        flags=("--reference",),
        metavar="POLICY",
    )
    candidates: tuple[str, ...] = setting(
        (),
        "A policy of your own without a human rating, to be placed beside the rated ones; repeatable.",
        flags=("--candidate",),
        metavar="POLICY",
    )
    outcome: Outcome = setting(
        "hard", "Win rate: share of prompts won, or mean sigmoid(margin / temperature)."
    )
    ties: TieRule = setting("half", "What equal scores count as: half a win for each, or a loss.")
    temperature: float = setting(1.0, "Temperature of the soft win rate.", above=0)
    scope: Scope = setting(
        "sample",
        "Intervals and tests of favour and sharpness for: a population that the policies are a sample of, or these policies only.",
    )
    draws: int = setting(
        1000,
        "Bootstrap draws for the intervals: at least 100, or 0 for closed-form intervals where there are any.",
        check=check_draws,
    )
