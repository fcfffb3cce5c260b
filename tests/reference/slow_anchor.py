"""Slow, readable twins of the policy-level loss: loops, and every way to halve a batch."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence


def slow_wins(rewards: Sequence[Sequence[float]], temperature: float) -> list[list[float]]:
    """Per prompt, sigmoid of the difference over the temperature, for each pair of policies k < l."""
    return [
        [
            1 / (1 + math.exp(-(row[k] - row[j]) / temperature))
            for k, j in itertools.combinations(range(len(row)), 2)
        ]
        for row in rewards
    ]


def slow_halves(gaps: Sequence[float]) -> float:
    """The product of the means of two halves, averaged over every way to halve an even number of prompts."""
    n = len(gaps)
    products = []
    for first in itertools.combinations(range(n), n // 2):
        second = [i for i in range(n) if i not in first]
        means = [sum(gaps[i] for i in half) / len(half) for half in (first, second)]
        products.append(means[0] * means[1])
    return sum(products) / len(products)


def slow_kept(rewards: Sequence[Sequence[float]], old: Sequence[Sequence[float]]) -> float:
    """The mean over prompts of the unbiased variance over policies of r - s."""
    total = 0.0
    for now, before in zip(rewards, old, strict=True):
        moved = [r - s for r, s in zip(now, before, strict=True)]
        mean = sum(moved) / len(moved)
        total += sum((x - mean) ** 2 for x in moved) / (len(moved) - 1)
    return total / len(rewards)
