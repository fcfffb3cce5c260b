"""The audit's arithmetic again, slowly and plainly: one prompt, one pair at a time."""

from __future__ import annotations

import math
from collections.abc import Sequence


def outcome(margin: float, ties: str = "half") -> float:
    if margin > 0:
        return 1.0
    return 0.5 if margin == 0 and ties == "half" else 0.0


def win_rate(
    scores: dict[tuple[str, str], float], policy: str, reference: str, ties: str = "half"
) -> tuple[float, int]:
    """Win rate over the prompts that both answered, and how many these are."""
    prompts = {p for p, k in scores if k == policy} & {p for p, k in scores if k == reference}
    won = [outcome(scores[p, policy] - scores[p, reference], ties) for p in sorted(prompts)]
    return sum(won) / len(won), len(won)


def soft_win_rate(
    scores: dict[tuple[str, str], float], policy: str, reference: str, temperature: float
) -> float:
    prompts = {p for p, k in scores if k == policy} & {p for p, k in scores if k == reference}
    total = 0.0
    for p in sorted(prompts):
        total += 1 / (1 + math.exp(-(scores[p, policy] - scores[p, reference]) / temperature))
    return total / len(prompts)


def soft_std_err(
    scores: dict[tuple[str, str], float], policy: str, reference: str, temperature: float
) -> float:
    """Of the soft win rate: each prompt once, one pseudo-prompt half won and half lost, weights uniform on the simplex.

    A mean with Dirichlet weights has variance (mean of squares - square of mean) / (total weight + 1).
    """
    prompts = {p for p, k in scores if k == policy} & {p for p, k in scores if k == reference}
    margins = [(scores[p, policy] - scores[p, reference]) / temperature for p in sorted(prompts)]
    weighted = [(0.5, 1.0), (0.5, 0.0)] + [(1.0, 1 / (1 + math.exp(-x))) for x in margins]
    total = sum(w for w, _ in weighted)
    mean = sum(w * o for w, o in weighted) / total
    square = sum(w * o * o for w, o in weighted) / total
    return math.sqrt((square - mean**2) / (total + 1))


def expected(rating: float, reference: float) -> float:
    return 1 / (1 + 10 ** ((reference - rating) / 400))


def mismatch_degree(win: float, human: float) -> float:
    return abs(win - human) / max(human, 1 - human)


def q_values(p_values: Sequence[float]) -> list[float]:
    """Benjamini-Hochberg by its definition: for each p, the least of p' m / #{p'' <= p'} over p' >= p."""
    m = len(p_values)
    return [
        min(1.0, min(other * m / sum(x <= other for x in p_values) for other in p_values if other >= p))
        for p in p_values
    ]


def bradley_terry(wins: Sequence[Sequence[float]], *, rounds: int = 20000) -> list[float]:
    """Zermelo's iteration: s_k <- W_k / sum_l n_kl / (s_k + s_l); returns log-strengths with mean 0."""
    size = len(wins)
    strength = [1.0] * size
    for _ in range(rounds):
        strength = [
            sum(wins[k])
            / sum((wins[k][j] + wins[j][k]) / (strength[k] + strength[j]) for j in range(size) if j != k)
            for k in range(size)
        ]
    logs = [math.log(s) for s in strength]
    return [x - sum(logs) / size for x in logs]
