"""Settings of the offsets."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, setting
from .vocabulary import Link, Method, Objective

AUTO = "auto"


def as_names(value: tuple[str, ...] | str) -> tuple[str, ...]:
    """Policies as given, one or several; none where they are to be chosen (``auto``)."""
    names = (value,) if isinstance(value, str) else tuple(value)
    return () if names == (AUTO,) else names


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
