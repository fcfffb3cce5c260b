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
        "Report the mismatch against this policy; repeatable (default: every pair).",
        flags=("--reference",),
        metavar="POLICY",
    )
    outcome: Outcome = setting(
        "hard", "Win rate: share of prompts won, or mean sigmoid(margin / temperature)."
    )
    ties: TieRule = setting("half", "What equal scores count as hard outcomes.")
    temperature: float = setting(1.0, "Temperature of the soft win rate.", above=0)
    scope: Scope = setting(
        "sample",
        "Intervals and tests of favour and sharpness: policies as a sample of others like them, or these alone.",
    )
    draws: int = setting(
        1000,
        "Bootstrap draws behind the intervals: 0 (closed-form intervals where there are any) or at least 100.",
        check=check_draws,
    )
