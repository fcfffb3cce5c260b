"""Slow readable twins of the Bradley-Terry fit: one battle at a time, no aggregation, no Newton."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Battle = tuple[str, str, float]  # first, second, outcome (1 first wins, 1/2 tie, 0 second wins)


def strengths(battles: Sequence[Battle], *, rounds: int = 20_000) -> dict[str, float]:
    """Zermelo's fixed point (1929): theta_i <- wins_i / sum_j n_ij / (e_i + e_j); log-strengths, mean 0."""
    names = sorted({n for a, b, _ in battles for n in (a, b)})
    worth = dict.fromkeys(names, 1.0)
    for _ in range(rounds):
        new = {}
        for name in names:
            wins = sum(y if a == name else 1 - y for a, b, y in battles if name in (a, b))
            load = sum(1 / (worth[a] + worth[b]) for a, b, _ in battles if name in (a, b))
            new[name] = wins / load
        level = math.exp(sum(map(math.log, new.values())) / len(new))
        new = {k: v / level for k, v in new.items()}
        moved = max(abs(math.log(new[k] / worth[k])) for k in names)
        worth = new
        if moved < 1e-13:
            break
    return {k: math.log(v) for k, v in worth.items()}


def sandwich(battles: Sequence[Battle], theta: dict[str, float]) -> np.ndarray:
    """H^+ M H^+ with both sums taken battle by battle and the pseudo-inverse taken literally."""
    names = sorted(theta)
    bread, filling = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2)
    for a, b, y in battles:
        z = np.zeros(len(names))
        z[names.index(a)], z[names.index(b)] = 1.0, -1.0
        p = 1 / (1 + math.exp(theta[b] - theta[a]))
        bread += p * (1 - p) * np.outer(z, z)
        filling += (y - p) ** 2 * np.outer(z, z)
    inverse = np.linalg.pinv(bread)
    return inverse @ filling @ inverse


def clustered_sandwich(
    battles: Sequence[Battle], theta: dict[str, float], cluster: Sequence[str]
) -> np.ndarray:
    """H^+ M H^+ with M = G / (G - 1) times the sum over clusters of the outer product of their summed scores."""
    names = sorted(theta)
    bread = np.zeros((len(names),) * 2)
    scores = {c: np.zeros(len(names)) for c in cluster}
    for (a, b, y), c in zip(battles, cluster, strict=True):
        z = np.zeros(len(names))
        z[names.index(a)], z[names.index(b)] = 1.0, -1.0
        p = 1 / (1 + math.exp(theta[b] - theta[a]))
        bread += p * (1 - p) * np.outer(z, z)
        scores[c] += (y - p) * z
    filling = sum(np.outer(u, u) for u in scores.values()) * len(scores) / (len(scores) - 1)
    inverse = np.linalg.pinv(bread)
    return inverse @ filling @ inverse


def one_battle_floor(battles: Sequence[Battle], theta: dict[str, float]) -> np.ndarray:
    """H^+ F H^+ with F the score variance of one further battle of every policy, spread as its battles are."""
    names = sorted(theta)
    bread, floor = np.zeros((len(names),) * 2), np.zeros((len(names),) * 2)
    n = {name: sum(name in (a, b) for a, b, _ in battles) for name in names}
    for a, b, _ in battles:
        z = np.zeros(len(names))
        z[names.index(a)], z[names.index(b)] = 1.0, -1.0
        p = 1 / (1 + math.exp(theta[b] - theta[a]))
        bread += p * (1 - p) * np.outer(z, z)
        floor += p * (1 - p) * np.outer(z, z) / min(n[a], n[b])
    inverse = np.linalg.pinv(bread)
    return inverse @ floor @ inverse
