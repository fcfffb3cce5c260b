"""Slow, readable twins of the benchmarks' official scoring and of the paired test."""

from __future__ import annotations

from math import comb
from statistics import mean


def rm_bench_domain(items: list[tuple[list[float], list[float]]]) -> dict[str, float]:
    """RM-Bench's three accuracies of one domain, cell by cell, from (chosen scores, rejected scores)."""
    share = [[0.0] * 3 for _ in range(3)]
    for chosen, rejected in items:
        for i in range(3):
            for j in range(3):
                share[i][j] += (chosen[i] > rejected[j]) / len(items)
    return {
        "hard": (share[0][1] + share[0][2] + share[1][2]) / 3,
        "normal": (share[0][0] + share[1][1] + share[2][2]) / 3,
        "easy": (share[1][0] + share[2][0] + share[2][1]) / 3,
    }


def rm_bench_total(domains: dict[str, list[tuple[list[float], list[float]]]]) -> dict[str, float]:
    """RM-Bench's overall figures: each level's mean over domains, each domain's mean over levels, the total."""
    by_domain = {domain: rm_bench_domain(items) for domain, items in domains.items()}
    averages = {domain: mean(levels.values()) for domain, levels in by_domain.items()}
    levels = {level: mean(d[level] for d in by_domain.values()) for level in ("hard", "normal", "easy")}
    return {**averages, **levels, "total": mean(averages.values())}


def llmbar_rating_accuracy(items: list[tuple[float, float, int]]) -> float:
    """LLMBar's average accuracy of a judge that rates outputs alone: (rating 1, rating 2, label).

    The judge is asked in two orders; each order breaks ties for another output.
    """
    first_order = [label == (1 if one > two else 2) for one, two, label in items]
    second_order = [label == (2 if two > one else 1) for one, two, label in items]
    return (mean(first_order) + mean(second_order)) / 2


def mcnemar_by_counting(better: int, worse: int) -> float:
    """Two-sided exact p: the share of the 2^n equally likely splits that are at most as likely as this one."""
    n = better + worse
    return sum(comb(n, k) for k in range(n + 1) if comb(n, k) <= comb(n, better)) / 2**n
