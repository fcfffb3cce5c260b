"""Settings of the numeric stages: audit, calibrate, relabel."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, check_draws, setting
from .vocabulary import Link, Method, Objective, Outcome, Scope, Strategy, TieRule

AUTO = "auto"


def as_names(value: tuple[str, ...] | str) -> tuple[str, ...]:
    """Policies as given, one or several; none where they are to be chosen (``auto``)."""
    names = (value,) if isinstance(value, str) else tuple(value)
    return () if names == (AUTO,) else names


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


@dataclass(frozen=True, kw_only=True)
class CalibrateSettings(Settings):
    """Solve offsets on the train prompts (null: stop after the audit)."""

    method: Method = setting(
        "pair",
        "Which offsets: `pair`, of policies over their references; `joint`, of every rated policy at once.",
    )
    over: tuple[str, ...] | str = setting(
        AUTO, "Policy to calibrate; repeatable. `auto`: the most favoured one.", metavar="POLICY"
    )
    references: tuple[str, ...] | str = setting(
        AUTO,
        "Reference, offset 0; repeatable. `auto`: the least favoured, either way, of those near the policy's rating.",
        flags=("--ref",),
        metavar="POLICY",
    )
    link: Link = setting("hard", "Match the win rate itself, or the mean sigmoid of the margins.")
    temperature: float = setting(1.0, "Of the sigmoid link, in units of the margins.", above=0)
    objective: Objective = setting(
        "total-wins", "Joint offsets: meet each policy's total wins, or least squares over all pairs."
    )
    paired: bool = setting(
        True,
        "Compare by prompt, or all responses with all (scores of one pair only).",
        flags=("--paired/--unpaired",),
    )
    cross_fit: bool = setting(
        True,
        "Show beside each in-sample win rate what as many fresh prompts would show.",
        flags=("--cross-fit/--no-cross-fit",),
    )
    held_out: tuple[str, ...] = setting(
        (),
        "Policy never used in calibration, to see whether it carries over; repeatable.",
        metavar="POLICY",
    )


@dataclass(frozen=True, kw_only=True)
class RelabelSettings(Settings):
    """Turn calibrated scores or judgements of the train prompts into preferences (null: stop after calibrate)."""

    strategy: Strategy = setting(
        "pair",
        "Which responses to compare: each calibrated policy with its references; the best with the worst; every two; "
        "or random pairs.",
    )
    pairs_per_prompt: int = setting(
        4, "Random pairs per prompt, with strategy `sampled`.", least=1, flags=("-k", "--pairs-per-prompt")
    )
    temperature: float = setting(1.0, "Of the soft labels, in units of the margins.", above=0)
