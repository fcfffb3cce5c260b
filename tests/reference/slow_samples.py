"""Outcomes of several samples, slowly and plainly: one prompt, one pair of samples at a time."""

from __future__ import annotations

import math
from collections.abc import Mapping

Key = tuple[str, str, int]


def outcome_of_prompt(
    scores: Mapping[Key, float], prompt: str, policy: str, reference: str, *, temperature: float | None = None
) -> float | None:
    """Mean over every sample of the one with every sample of the other; None where a side has none."""
    mine = [s for (p, k, _), s in scores.items() if (p, k) == (prompt, policy)]
    theirs = [s for (p, k, _), s in scores.items() if (p, k) == (prompt, reference)]
    won = []
    for one in mine:
        for other in theirs:
            if temperature is not None:
                won.append(1 / (1 + math.exp(-(one - other) / temperature)))
            else:
                won.append(1.0 if one > other else 0.5 if one == other else 0.0)
    return sum(won) / len(won) if won else None


def win_rate(
    scores: Mapping[Key, float], policy: str, reference: str, *, temperature: float | None = None
) -> tuple[float, int]:
    """Each prompt once, and how many prompts there are."""
    outcomes = [
        o
        for prompt in sorted({p for p, _, _ in scores})
        if (o := outcome_of_prompt(scores, prompt, policy, reference, temperature=temperature)) is not None
    ]
    return sum(outcomes) / len(outcomes), len(outcomes)


def std_err(scores: Mapping[Key, float], policy: str, reference: str) -> float:
    """Of the win rate: one pseudo-prompt half won and half lost beside the prompts, weights uniform on the simplex."""
    outcomes = [
        o
        for prompt in sorted({p for p, _, _ in scores})
        if (o := outcome_of_prompt(scores, prompt, policy, reference)) is not None
    ]
    weighted = [(0.5, 1.0), (0.5, 0.0)] + [(1.0, o) for o in outcomes]
    total = sum(w for w, _ in weighted)
    mean = sum(w * o for w, o in weighted) / total
    square = sum(w * o * o for w, o in weighted) / total
    return math.sqrt((square - mean**2) / (total + 1))
