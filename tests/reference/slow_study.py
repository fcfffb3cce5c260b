"""Slow twins of the study's statistics: one vote at a time."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def two_way_variance(u: Sequence[float], prompt: Sequence[int], rater: Sequence[int]) -> float:
    """Cameron, Gelbach and Miller (2011) pair by pair: Σ_ij u_i u_j over rows that share a prompt, plus a rater, less both.

    Every part with its own G/(G−1), G of raters being (Σ n)² / Σ n² of their votes; a row with rater −1 shares a rater with nobody, itself
    included.
    """
    n = len(u)
    by_prompt = sum(u[i] * u[j] for i in range(n) for j in range(n) if prompt[i] == prompt[j])
    votes = [i for i in range(n) if rater[i] != -1]
    by_rater = sum(u[i] * u[j] for i in votes for j in votes if rater[i] == rater[j])
    by_both = sum(u[i] * u[j] for i in votes for j in votes if (prompt[i], rater[i]) == (prompt[j], rater[j]))
    prompts = len({prompt[i] for i in votes} if votes else set(prompt))
    raters = len({rater[i] for i in votes})
    cells = len({(prompt[i], rater[i]) for i in votes})
    each = [sum(rater[i] == r for i in votes) for r in {rater[i] for i in votes}]
    worth = len(votes) ** 2 / sum(n * n for n in each) if votes else 0.0
    parts = [_scaled(by_prompt, prompts), _scaled(by_rater, worth), _scaled(by_both, cells)]
    if raters < 2:
        return parts[0]
    if prompts < 2:
        return parts[1]
    return max(parts[0] + parts[1] - parts[2], parts[0], parts[1])


def _scaled(total: float, clusters: float) -> float:
    return total * clusters / (clusters - 1) if clusters > 1 else 0.0


def agreement(votes: Sequence[dict[str, Any]], margin: str, *, decided: bool) -> float | None:
    """Σ w agree / Σ w, vote by vote; None where no vote counts."""
    top = bottom = 0.0
    for vote in votes:
        if decided and vote["y"] == 0.5:
            continue
        if vote["y"] == 0.5 or vote[margin] == 0:
            agrees = 0.5
        else:
            agrees = 1.0 if (vote["y"] == 1) == (vote[margin] > 0) else 0.0
        top += vote["weight"] * agrees
        bottom += vote["weight"]
    return top / bottom if bottom else None


def difference(
    votes: Sequence[dict[str, Any]], candidates: Sequence[dict[str, Any]], margin: str, baseline: str
) -> float | None:
    """The share of candidates on which two models disagree, times the mean difference of agreement on votes there."""
    apart = [v for v in votes if (v[margin] > 0) != (v[baseline] > 0)]
    share = sum((c[margin] > 0) != (c[baseline] > 0) for c in candidates) / len(candidates)
    if not share:
        return 0.0
    if not apart:
        return None
    total = sum(v["weight"] for v in apart)
    better = sum(v["weight"] for v in apart if v["y"] != 0.5 and (v["y"] == 1) == (v[margin] > 0))
    worse = sum(v["weight"] for v in apart if v["y"] != 0.5 and (v["y"] == 1) != (v[margin] > 0))
    return share * (better - worse) / total
