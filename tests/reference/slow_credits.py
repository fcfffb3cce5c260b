"""Slow, readable twins of what is done to many scored items at once: one item, one comparison at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence

from charm_rm.benchmarks import Rule, ScoredItem


def credits(rule: Rule, scored: Sequence[ScoredItem]) -> list[float]:
    """The rule's own formula, asked about one item after the other."""
    return [rule(one) for one in scored]


def comparisons(scored: Sequence[ScoredItem]) -> list[tuple[int, int, int, float, float]]:
    """Item, better, worse, margin and outcome of every comparison of different grades that was asked."""
    return [
        (k, i, j, float(one.margins[i, j]), float(one.outcomes[i, j]))
        for k, one in enumerate(scored)
        for i, better in enumerate(one.item.grades)
        for j, worse in enumerate(one.item.grades)
        if better > worse and one.asked[i, j]
    ]


def candidate_row(scored: ScoredItem, i: int) -> tuple[float, float | None, float | None]:
    """Score of a response, its margin over the best of another grade, and the share of its comparisons that came out right."""
    grades, scores = scored.item.grades, scored.strengths.tolist()
    rivals = [j for j, grade in enumerate(grades) if grade != grades[i]]
    if not rivals:
        return scores[i], None, None
    right = [scored.outcomes[i, j] if grades[i] > grades[j] else scored.outcomes[j, i] for j in rivals]
    return scores[i], min(scores[i] - scores[j] for j in rivals), math.fsum(right) / len(rivals)


def ties(rule: Rule, scored: Sequence[ScoredItem]) -> tuple[int, int]:
    """How many comparisons the rule reads, and how many of them are level."""
    cells = [(one, i, j) for one in scored for i, j in set(rule.pairs(one.item))]
    return len(cells), sum(one.margins[i, j] == 0 for one, i, j in cells)
