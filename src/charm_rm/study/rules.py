"""How votes are collected: what raters are asked, and which share of what they see is repeats and checks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import BadSetting, did_you_mean

KEY = "rules"
QUESTION = "Which answer is better?"


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What the plan says of collecting; kept in a study's provenance under ``rules``, and with it in the database.

    ``question`` stands above the two answers. ``repeats`` and ``checks`` are shares of all that a rater sees: comparisons that come a
    second time with sides swapped, at least ``repeat_gap`` comparisons after the first; and attention checks. An assignment that nobody
    has voted on for ``stale_minutes`` frees its place for others. ``seed`` draws order and sides.
    """

    question: str = QUESTION
    seed: int = 0
    repeats: float = 0.05
    checks: float = 0.05
    repeat_gap: int = 8
    stale_minutes: float = 30.0

    def __post_init__(self) -> None:
        for name in ("repeats", "checks"):
            _hold(name, getattr(self, name), low=0.0, high=0.5)
        _hold("repeat_gap", self.repeat_gap, low=1, high=10_000)
        _hold("stale_minutes", self.stale_minutes, low=0.0, high=1e6)
        if not self.question.strip():
            raise BadSetting("the question is empty", setting="question", fix=f"ask, say, {QUESTION!r}")

    def as_provenance(self) -> dict[str, Any]:
        """The rules as they stand in a study's provenance: ``Study(..., provenance={**rules.as_provenance(), ...})``."""
        return {KEY: asdict(self)}


def rules_of(provenance: Mapping[str, Any]) -> Rules:
    """The rules in a study's provenance; those left out have their defaults.

    Raises:
        BadSetting: one is unknown or out of bounds.
    """
    told = provenance.get(KEY) or {}
    known = [field.name for field in fields(Rules)]
    if unknown := [name for name in told if name not in known]:
        raise BadSetting(
            f"unknown rule {unknown[0]!r}.{did_you_mean(unknown[0], known)}",
            fix=f"rules are {', '.join(known)}",
        )
    return Rules(**told)


def _hold(name: str, value: float, *, low: float, high: float) -> None:
    if not (math.isfinite(value) and low <= value <= high):
        raise BadSetting(
            f"{name} is {value!r}", setting=name, fix=f"give a number between {low:g} and {high:g}"
        )
