"""Synthetic benchmarks of every shape that real ones have: the frame holds them as it is.

Each is defined here as a benchmark's own file would define it, and held against a slow computation of its figures.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm.benchmarks import Benchmark, Item, Metric, Part, good_and_bad, mean_of_subsets, rule
from charm_rm.benchmarks.rules import (
    all_good_above_all_bad,
    best_is_good,
    best_of,
    kendall_with_grades,
    no_pair,
    share_of_pairs,
)
from charm_rm.benchmarks.scored import ScoredItem
from charm_rm.errors import NotIdentifiable
from charm_rm.evaluate import BenchmarkResult, compare_with_baseline, evaluate_benchmark

Scores = dict[str, float]
HOW: dict[str, Any] = {"draws": 400, "seed": 3}


def scorer_of(scores: Scores) -> Callable[..., np.ndarray]:
    return lambda _prompts, responses: np.array([scores[r] for r in responses])


def ragged(seed: int, n: int = 40) -> tuple[list[tuple[list[str], list[str]]], Scores]:
    """Items of one to four good and one to five bad responses, and a model that is right more often than not."""
    rng = np.random.default_rng(seed)
    sides, scores = [], {}
    for i in range(n):
        good, bad = (
            [f"{name} {i}.{j}" for j in range(rng.integers(1, top))] for name, top in (("g", 5), ("b", 6))
        )
        for response in good + bad:
            scores[response] = float(rng.integers(0, 5) + (response[0] == "g"))
        sides.append((good, bad))
    return sides, scores


def row(result: BenchmarkResult, subset: str, metric: str) -> dict[str, Any]:
    return result.frame.row(
        by_predicate=(pl.col("subset") == subset) & (pl.col("metric") == metric), named=True
    )


# --- ragged: k good against m bad -----------------------------------------------------------------


@rule(no_pair, high=100.0)
def pairs_won(scored: ScoredItem) -> float:
    return float(scored.table.sum())


@rule(no_pair, high=100.0)
def pairs_met(scored: ScoredItem) -> float:
    return float(scored.table.size)


def ragged_benchmark(sides: Sequence[tuple[list[str], list[str]]], tie: float = 0.5) -> Benchmark:
    items = tuple(
        good_and_bad(str(i), ("x", "y")[i % 2], f"p{i}", good, bad) for i, (good, bad) in enumerate(sides)
    )
    both = [["x", "y"]]
    pooled = Metric(
        "all",
        "pairs pooled",
        tuple(Part(("x", "y"), counted) for counted in (pairs_won, pairs_met)),
        combine=lambda sums: sums[..., 0] / sums[..., 1],
    )
    metrics = (
        mean_of_subsets("x", "pairs", [["x"]]),
        mean_of_subsets("all", "pairs", both),
        mean_of_subsets("all", "every", both, all_good_above_all_bad),
        mean_of_subsets("all", "best", both, best_is_good),
        pooled,
    )
    return Benchmark("ragged", items, metrics, tie)


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("tie", [0.0, 0.5])
def test_ragged_tables(seed: int, tie: float) -> None:
    sides, scores = ragged(seed)
    result = evaluate_benchmark(scorer_of(scores), ragged_benchmark(sides, tie), **HOW)
    won = [
        [1.0 if scores[g] > scores[b] else tie if scores[g] == scores[b] else 0.0 for g in good for b in bad]
        for good, bad in sides
    ]
    assert row(result, "all", "pairs")["accuracy"] == pytest.approx(np.mean([np.mean(w) for w in won]))
    assert row(result, "x", "pairs")["accuracy"] == pytest.approx(np.mean([np.mean(w) for w in won[::2]]))
    assert row(result, "all", "every")["accuracy"] == pytest.approx(np.mean([min(w) for w in won]))
    assert row(result, "all", "pairs")["comparisons"] == sum(map(len, won))
    assert row(result, "all", "pairs")["ties"] == sum(
        scores[g] == scores[b] for good, bad in sides for g in good for b in bad
    )
    pooled = row(result, "all", "pairs pooled")
    assert pooled["accuracy"] == pytest.approx(sum(map(sum, won)) / sum(map(len, won)))
    for name in ("pairs", "every", "best", "pairs pooled"):
        found = row(result, "all", name)
        assert found["ci_low"] < found["accuracy"] < found["ci_high"]


def test_ragged_tables_against_a_baseline() -> None:
    sides, scores = ragged(0)
    benchmark = ragged_benchmark(sides)
    worse = scores | {r: s - 2 for r, s in scores.items() if r[0] == "g"}
    results = [evaluate_benchmark(scorer_of(s), benchmark, **HOW) for s in (scores, worse)]
    frame = compare_with_baseline(*results, **HOW).frame
    for found in frame.to_dicts():
        assert found["diff_ci_low"] < found["difference"] < found["diff_ci_high"]
        assert found["difference"] == pytest.approx(found["accuracy"] - found["baseline_accuracy"])
        assert found["difference"] > 0.1
    tested = frame.filter(pl.col("metric") != "pairs pooled")
    assert (tested["worse"] == 0).all()
    assert tested["p_value"].to_list() == pytest.approx([2 / 2**n for n in tested["better"]])
    assert (tested["p_value"] < 0.05).all()
    # A ratio of sums is no mean over prompts: there is an interval, and no count of prompts.
    untested = frame.filter(pl.col("metric") == "pairs pooled")
    assert untested.select("better", "worse", "p_value", "q_value").row(0) == (None,) * 4


# --- ratings per response -------------------------------------------------------------------------


@rule(no_pair, low=-100.0, high=100.0)
def mean_score(scored: ScoredItem) -> float:
    return float(scored.strengths.mean())


@rule(no_pair, low=0.0, high=10.0)
def mean_grade(scored: ScoredItem) -> float:
    return float(scored.grades.mean())


def _moment(a: int, b: int) -> Any:
    return rule(no_pair, low=-1e4, high=1e4)(lambda s: float((s.strengths**a * s.grades**b).mean()))


def _pearson(m: np.ndarray) -> np.ndarray:
    """Correlation from the means of x, y, x², y², xy."""
    x, y, xx, yy, xy = np.moveaxis(m, -1, 0)
    result: np.ndarray = (xy - x * y) / np.sqrt((xx - x**2) * (yy - y**2))
    return result


def test_ratings_per_response() -> None:
    """Order within a prompt, the grade of the response that is taken, and correlation over all responses."""
    rng = np.random.default_rng(4)
    items, scores = [], {}
    for i in range(60):
        grades = tuple(rng.integers(1, 11, size=4).astype(float).tolist())
        responses = tuple(f"r{i}.{j}" for j in range(4))
        scores |= {r: g / 3 + float(rng.normal()) for r, g in zip(responses, grades, strict=True)}
        items.append(Item(str(i), "rated", f"p{i}", responses, grades))
    parts = tuple(Part(("rated",), _moment(*powers)) for powers in ((1, 0), (0, 1), (2, 0), (0, 2), (1, 1)))
    metrics = (
        mean_of_subsets("all", "concordant pairs", [["rated"]], share_of_pairs),
        mean_of_subsets("all", "kendall", [["rated"]], kendall_with_grades),
        mean_of_subsets("all", "grade of best of 4", [["rated"]], best_of(4, low=1, high=10)),
        Metric("all", "pearson", parts, combine=_pearson),
    )
    result = evaluate_benchmark(scorer_of(scores), Benchmark("rated", tuple(items), metrics, 0.5), **HOW)
    table = np.array([[scores[r] for r in item.responses] for item in items])
    grades = np.array([item.grades for item in items])
    pairs = [
        np.mean([(t[i] - t[j]) * (g[i] - g[j]) > 0 for i, j in combinations(range(4), 2) if g[i] != g[j]])
        for t, g in zip(table, grades, strict=True)
        if np.ptp(g)
    ]
    assert result.accuracy("all", "concordant pairs") == pytest.approx(np.mean(pairs))
    taken = grades[np.arange(60), table.argmax(axis=1)]
    assert result.accuracy("all", "grade of best of 4") == pytest.approx(taken.mean())
    correlation = row(result, "all", "pearson")
    assert correlation["accuracy"] == pytest.approx(np.corrcoef(table.ravel(), grades.ravel())[0, 1])
    assert 0 < correlation["ci_low"] < correlation["accuracy"] < correlation["ci_high"] < 1


def test_one_response_a_prompt_can_be_rated_too() -> None:
    items = tuple(Item(str(i), "s", f"p{i}", (f"r{i}",), (float(i),)) for i in range(5))
    parts = (Part(("s",), mean_score), Part(("s",), mean_grade))
    gap = Metric("all", "gap", parts, combine=lambda m: m[..., 0] - m[..., 1])
    scorer = scorer_of({f"r{i}": 2.0 * i for i in range(5)})
    result = evaluate_benchmark(scorer, Benchmark("b", items, (gap,), 0.0))
    assert result.accuracy() == pytest.approx(2.0)
    nothing = Benchmark("b", items, (mean_of_subsets("all", "accuracy", [["s"]]),), 0.0)
    with pytest.raises(NotIdentifiable, match=r"all/accuracy: no item of s has anything to compare"):
        evaluate_benchmark(scorer, nothing)


# --- best of n ------------------------------------------------------------------------------------


def test_best_of_n_curves_and_the_most_that_they_reach() -> None:
    """As in correctness benchmarks: many sampled answers a prompt, each right or wrong; accuracy by n, and its maximum."""
    rng = np.random.default_rng(6)
    n, sizes = 8, (1, 2, 4, 8)
    items, scores = [], {}
    for i in range(50):
        right = rng.random(n) < rng.uniform(0.2, 0.8)
        responses = tuple(f"r{i}.{j}" for j in range(n))
        scores |= {r: float(rng.normal() + c) for r, c in zip(responses, right, strict=True)}
        items.append(Item(str(i), "math", f"p{i}", responses, tuple(right.astype(float).tolist())))
    curve = tuple(mean_of_subsets("math", f"best of {k}", [["math"]], best_of(k)) for k in sizes)
    peak = Metric(
        "math",
        "most",
        tuple(Part(("math",), best_of(k)) for k in sizes),
        combine=lambda means: means.max(axis=-1),
    )
    auc = mean_of_subsets("math", "auc", [["math"]], share_of_pairs)
    result = evaluate_benchmark(
        scorer_of(scores), Benchmark("bon", tuple(items), (*curve, peak, auc), 0.5), **HOW
    )
    table = np.array([[scores[r] for r in item.responses] for item in items])
    right = np.array([item.grades for item in items])
    found = [result.accuracy("math", f"best of {k}") for k in sizes]
    for k, accuracy in zip(sizes, found, strict=True):
        draws = [list(draw) for draw in combinations(range(n), k)]
        expected = np.mean(
            [[c[d][np.argmax(t[d])] for d in draws] for t, c in zip(table, right, strict=True)]
        )
        assert accuracy == pytest.approx(expected)
    assert result.accuracy("math", "most") == max(found)
    # Items that are all right or all wrong have no pair to compare, and are left out of that figure alone.
    mixed = int(((right.sum(axis=1) > 0) & (right.sum(axis=1) < n)).sum())
    assert row(result, "math", "auc")["n"] == mixed <= 50
    assert row(result, "math", "best of 4")["n"] == 50


# --- conversations --------------------------------------------------------------------------------


def test_chat_prompts_reach_the_model_as_they_are() -> None:
    system = {"role": "system", "content": "Answer in French."}
    turns = [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Salut."},
        {"role": "user", "content": "Thanks."},
    ]
    prompts: list[Any] = [[system, *turns], turns, "Thanks.", [system, turns[0]]]
    items = tuple(good_and_bad(str(i), "chat", p, ["De rien."], ["No."]) for i, p in enumerate(prompts))
    seen: list[Any] = []

    def scorer(asked: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
        seen.extend(asked)
        return np.array([len(str(p)) * (r == "De rien.") for p, r in zip(asked, responses, strict=True)])

    result = evaluate_benchmark(
        scorer, Benchmark("chat", items, (mean_of_subsets("all", "accuracy", [["chat"]]),), 0.5)
    )
    assert seen == [p for p in prompts for _ in range(2)]
    assert result.accuracy() == 1.0
    assert row(result, "all", "accuracy")["n"] == 4


# --- what is drawn together -----------------------------------------------------------------------


def test_a_part_twice_is_as_uncertain_as_once() -> None:
    """Parts that share their items share every draw: the mean of a figure with itself is the figure."""
    sides, scores = ragged(2)
    one = ragged_benchmark(sides)
    once = mean_of_subsets("all", "once", [["x", "y"]])
    twice = mean_of_subsets("all", "twice", [["x", "y"]] * 2)
    apart = mean_of_subsets("all", "apart", [["x"], ["y"]])
    benchmark = Benchmark("b", one.items, (once, twice, apart), 0.5)
    result = evaluate_benchmark(scorer_of(scores), benchmark, **HOW)
    first, second = (row(result, "all", name) for name in ("once", "twice"))
    assert [second[c] for c in ("accuracy", "ci_low", "ci_high")] == pytest.approx(
        [first[c] for c in ("accuracy", "ci_low", "ci_high")]
    )
