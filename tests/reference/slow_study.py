"""Slow twins of the study's statistics: one vote at a time."""

from __future__ import annotations

from collections.abc import Sequence


def two_way_variance(u: Sequence[float], prompt: Sequence[int], rater: Sequence[int]) -> float:
    """Cameron, Gelbach and Miller (2011) pair by pair: Σ_ij u_i u_j over rows that share a prompt, plus a rater, less both.

    Every part with its own G/(G−1); a row with rater −1 shares a rater with nobody, itself included.
    """
    n = len(u)
    by_prompt = sum(u[i] * u[j] for i in range(n) for j in range(n) if prompt[i] == prompt[j])
    votes = [i for i in range(n) if rater[i] != -1]
    by_rater = sum(u[i] * u[j] for i in votes for j in votes if rater[i] == rater[j])
    by_both = sum(u[i] * u[j] for i in votes for j in votes if (prompt[i], rater[i]) == (prompt[j], rater[j]))
    prompts = len({prompt[i] for i in votes} if votes else set(prompt))
    raters = len({rater[i] for i in votes})
    cells = len({(prompt[i], rater[i]) for i in votes})
    parts = [_scaled(by_prompt, prompts), _scaled(by_rater, raters), _scaled(by_both, cells)]
    if raters < 2:
        return parts[0]
    if prompts < 2:
        return parts[1]
    return max(parts[0] + parts[1] - parts[2], parts[0], parts[1])


def _scaled(total: float, clusters: int) -> float:
    return total * clusters / (clusters - 1) if clusters > 1 else 0.0
