"""Slow, readable twins of the offset solvers: loops, no cleverness."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence


def hard_win_rate(over: Sequence[float], reference: Sequence[float], delta: float) -> float:
    """Mean of 1 for a win, ½ for a tie, over paired scores."""
    return sum(1.0 if a + delta > b else 0.5 * (a + delta == b) for a, b in zip(over, reference)) / len(over)  # noqa: B905


def best_possible_gap(margins: Sequence[float], target: float) -> float:
    """The least |win rate - target| over all offsets: try every threshold and every gap between two."""
    thresholds = sorted({-m for m in margins})
    between = [(a + b) / 2 for a, b in itertools.pairwise(thresholds)]
    zeros = [0.0] * len(margins)
    return min(abs(hard_win_rate(margins, zeros, x) - target) for x in thresholds + between)


def sigmoid_win_rate(margins: Sequence[float], delta: float, temperature: float) -> float:
    """Mean of 1 / (1 + e^-((m + Δ)/τ))."""
    return sum(1 / (1 + math.exp(-(m + delta) / temperature)) for m in margins) / len(margins)


def bisect_sigmoid(margins: Sequence[float], target: float, temperature: float) -> float:
    """The sigmoid offset by plain bisection."""
    low, high = -100.0, 100.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if sigmoid_win_rate(margins, middle, temperature) < target else (low, middle)
        )
    return (low + high) / 2
