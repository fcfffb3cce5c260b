"""Two published ways to add up, with the frame as it is: four weighted sections, and best of four with ties.

The first is in the manner of RewardBench (Lambert et al., 2024): subsets weigh by their official sizes within a section, sections
alike. The second is in the manner of RewardBench 2 (Malik et al., 2025): one good and three bad responses, where a tie at the
top shares the credit; and a part in which several responses are good, that weighs spread among good ones against the gap to
bad ones, of a question beside a reference question.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm.benchmarks import Benchmark, Item, Metric, Part, ScoredItem, good_and_bad, rule, scored_by_judge
from charm_rm.benchmarks.rules import (
    all_good_above_all_bad,
    best_is_good_or_shares,
    every_pair,
    share_of_pairs,
)
from charm_rm.evaluate import BenchmarkResult, compare_with_baseline, evaluate_benchmark, measure_benchmark

HOW: dict[str, Any] = {"draws": 300, "seed": 1}

# --- four weighted sections -----------------------------------------------------------------------

SECTIONS = {
    "chat": {"easy": 100, "length": 95},
    "chat hard": {"hard": 47, "manual": 46, "natural": 100},
    "safety": {"refusals": 100, "answers": 250},
    "reasoning": {"prm": 984, "code": 164, "more code": 164},
}
# One subset counts as much as all others of its section together.
REWEIGHTED = {"prm": 328}


def sections_benchmark(items: list[Item]) -> Benchmark:
    def weights(section: str) -> dict[str, float]:
        sizes = {subset: REWEIGHTED.get(subset, size) for subset, size in SECTIONS[section].items()}
        return {subset: size / sum(sizes.values()) for subset, size in sizes.items()}

    by_section = tuple(
        Metric(section, "accuracy", tuple(Part((s,), weight=w) for s, w in weights(section).items()))
        for section in SECTIONS
    )
    overall = tuple(Part((s,), weight=w) for section in SECTIONS for s, w in weights(section).items())
    return Benchmark("sections", tuple(items), (*by_section, Metric("all", "accuracy", overall)), 0.0)


def make_pairs(seed: int) -> tuple[list[Item], dict[str, float]]:
    rng = np.random.default_rng(seed)
    items, scores = [], {}
    for subsets in SECTIONS.values():
        for subset in subsets:
            for i in range(int(rng.integers(5, 15))):
                good, bad = f"{subset} {i} good", f"{subset} {i} bad"
                scores |= {good: float(rng.integers(0, 6)), bad: float(rng.integers(0, 5))}
                items.append(good_and_bad(str(i), subset, f"{subset} {i}", [good], [bad]))
    return items, scores


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_sections_are_weighted_as_published(seed: int) -> None:
    items, scores = make_pairs(seed)
    result = evaluate_benchmark(
        lambda _p, r: np.array([scores[x] for x in r]), sections_benchmark(items), **HOW
    )
    totals = []
    for section, sizes in SECTIONS.items():
        right, weight = 0.0, 0.0
        for subset, size in sizes.items():
            rows = [item for item in items if item.subset == subset]
            accuracy = np.mean([scores[i.chosen[0]] > scores[i.rejected[0]] for i in rows])
            right += REWEIGHTED.get(subset, size) * float(accuracy)
            weight += REWEIGHTED.get(subset, size)
        assert result.accuracy(section) == pytest.approx(right / weight)
        totals.append(right / weight)
    assert result.accuracy() == pytest.approx(np.mean(totals))
    for row in result.frame.to_dicts():
        assert row["ci_low"] < row["accuracy"] < row["ci_high"]


def test_sections_against_a_baseline_count_prompts_alike() -> None:
    items, scores = make_pairs(0)
    benchmark = sections_benchmark(items)
    other = scores | {i.chosen[0]: scores[i.chosen[0]] - 1 for i in items}
    mine, theirs = (
        evaluate_benchmark(lambda _p, r, s=s: np.array([s[x] for x in r]), benchmark, **HOW)
        for s in (scores, other)
    )
    row = compare_with_baseline(mine, theirs, **HOW).frame.row(
        by_predicate=pl.col("subset") == "all", named=True
    )
    lost = sum(scores[i.chosen[0]] - 1 == scores[i.rejected[0]] for i in items)  # now a tie, which is wrong
    assert (row["better"], row["worse"]) == (lost, 0)
    assert row["diff_ci_low"] <= row["difference"] <= row["diff_ci_high"]


@pytest.mark.slow
def test_intervals_of_weighted_sections_cover_the_truth() -> None:
    rng = np.random.default_rng(8)
    truth = {s: float(rng.uniform(0.4, 0.9)) for section in SECTIONS.values() for s in section}
    items = [
        good_and_bad(str(i), s, f"{s} {i}", [f"{s} {i} good"], [f"{s} {i} bad"])
        for s in truth
        for i in range(25)
    ]
    benchmark = sections_benchmark(items)
    weights = {part.subsets[0]: part.weight for part in benchmark.metrics[-1].parts}
    value = sum(weights[s] * truth[s] for s in truth) / sum(weights.values())
    covered, runs = 0, 300
    for run in range(runs):
        scores = {
            r: float(rng.random() < truth[i.subset]) if r in i.chosen else 0.5
            for i in items
            for r in i.responses
        }
        result = evaluate_benchmark(
            lambda _p, r, s=scores: np.array([s[x] for x in r]), benchmark, draws=300, seed=run
        )
        row = result.frame.row(-1, named=True)
        covered += row["ci_low"] <= value <= row["ci_high"]
    assert 0.91 <= covered / runs <= 0.985


# --- best of four, and ties -----------------------------------------------------------------------

SUBSETS = ("facts", "maths", "focus")
TIES_WEIGHTS = {"tied": 0.3, "reference": 0.3, "gap": 0.2, "both gaps": 0.2, "spread": 0.01}


def gap(scored: ScoredItem) -> float:
    """How far the worst good response is above the best bad one."""
    return float(scored.margins[np.ix_(scored.item.best, scored.item.others)].min())


def spread(scored: ScoredItem) -> float:
    """How far the best good response is above the worst good one."""
    return float(scored.margins[np.ix_(scored.item.best, scored.item.best)].max())


@rule(every_pair, joint=True)
def gap_beats_spread(_reference: ScoredItem, tied: ScoredItem) -> float:
    return float(gap(tied) > spread(tied))


@rule(every_pair, joint=True)
def both_gaps_beat_spread(reference: ScoredItem, tied: ScoredItem) -> float:
    return float(min(gap(reference), gap(tied)) > spread(tied))


@rule(every_pair, low=-1.0, joint=True)
def squashed_ratio(reference: ScoredItem, tied: ScoredItem) -> float:
    return float(np.tanh(min(gap(reference), gap(tied)) / spread(tied) - 1))


def ties_parts(weight: float = 1.0) -> tuple[Part, ...]:
    rules = {
        "tied": (("tied",), all_good_above_all_bad),
        "reference": (("reference",), all_good_above_all_bad),
        "gap": (("reference", "tied"), gap_beats_spread),
        "both gaps": (("reference", "tied"), both_gaps_beat_spread),
        "spread": (("reference", "tied"), squashed_ratio),
    }
    return tuple(Part(subsets, how, weight * TIES_WEIGHTS[name]) for name, (subsets, how) in rules.items())


def best_of_four(seed: int, n: int = 30) -> tuple[Benchmark, dict[str, float]]:
    rng = np.random.default_rng(seed)
    items: list[Item] = []
    scores: dict[str, float] = {}

    def add(subset: str, i: int, good: int, bad: int, *, whole: bool, linked: str = "") -> None:
        names = [f"{subset} {i}.{j}" for j in range(good + bad)]
        lift = 2.0 * np.array([1.0] * good + [0.0] * bad)
        noise = rng.integers(0, 4, good + bad) if whole else rng.normal(size=good + bad)
        scores.update(zip(names, (lift + noise).tolist(), strict=True))
        items.append(good_and_bad(str(i), subset, f"{subset} {i}", names[:good], names[good:], linked=linked))

    for subset in SUBSETS:
        for i in range(n):
            add(subset, i, 1, 3, whole=True)
    for i in range(n):
        add("reference", i, 1, int(rng.integers(1, 4)), whole=False, linked=f"question {i}")
        add("tied", i, int(rng.integers(2, 6)), int(rng.integers(2, 6)), whole=False, linked=f"question {i}")
    plain = tuple(Metric(s, "accuracy", (Part((s,), best_is_good_or_shares),)) for s in SUBSETS)
    ties = Metric("ties", "accuracy", ties_parts(), total=1.0)
    share = 1 / (len(SUBSETS) + 1)
    parts = (*(Part((s,), best_is_good_or_shares, share) for s in SUBSETS), *ties_parts(share))
    metrics = (*plain, ties, Metric("all", "accuracy", parts, total=1.0))
    return Benchmark("best of four", tuple(items), metrics, 0.0), scores


def published(benchmark: Benchmark, scores: dict[str, float]) -> dict[str, float]:
    """The figures from scratch, by loops over scores."""
    found: dict[str, float] = {}
    for subset in SUBSETS:
        credit = []
        for item in benchmark.items:
            if item.subset == subset:
                values = [scores[r] for r in item.responses]
                top = [j for j, v in enumerate(values) if v == max(values)]
                credit.append(1 / len(top) if 0 in top else 0.0)
        found[subset] = float(np.mean(credit))
    reference, tied = ({i.linked: i for i in benchmark.items if i.subset == s} for s in ("reference", "tied"))
    rows = []
    for name in reference:
        good, bad, ref_good, ref_bad = (
            [scores[r] for r in side]
            for side in (
                tied[name].chosen,
                tied[name].rejected,
                reference[name].chosen,
                reference[name].rejected,
            )
        )
        own, other, apart = min(good) - max(bad), min(ref_good) - max(ref_bad), max(good) - min(good)
        both = min(own, other)
        rows.append([own > 0, other > 0, own > apart, both > apart, np.tanh(both / apart - 1)])
    found["ties"] = float(np.mean(np.array(rows, dtype=float), axis=0) @ list(TIES_WEIGHTS.values()))
    return found | {"all": float(np.mean([*(found[s] for s in SUBSETS), found["ties"]]))}


def evaluated(benchmark: Benchmark, scores: dict[str, float]) -> BenchmarkResult:
    return evaluate_benchmark(lambda _p, r: np.array([scores[x] for x in r]), benchmark, **HOW)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_best_of_four_with_ties_as_published(seed: int) -> None:
    benchmark, scores = best_of_four(seed)
    result = evaluated(benchmark, scores)
    for name, value in published(benchmark, scores).items():
        assert result.accuracy(name) == pytest.approx(value)
    for row in result.frame.to_dicts():
        assert row["ci_low"] < row["accuracy"] < row["ci_high"]
        assert row["ci_high"] - row["ci_low"] < 0.45


def test_best_of_four_against_a_baseline() -> None:
    benchmark, scores = best_of_four(0)
    worse = scores | {r: scores[r] - 3 for i in benchmark.items for r in i.chosen}
    compared = compare_with_baseline(evaluated(benchmark, scores), evaluated(benchmark, worse), **HOW)
    for row in compared.frame.to_dicts():
        assert row["difference"] == pytest.approx(row["accuracy"] - row["baseline_accuracy"])
        assert 0 < row["diff_ci_low"] < row["difference"] < row["diff_ci_high"]
        assert row["p_value"] < 0.001
        assert row["worse"] == 0


def test_linked_questions_are_sampled_together() -> None:
    benchmark, scores = best_of_four(0)
    sample = benchmark.sample(30, seed=2)
    assert sample.subsets["reference"] == sample.subsets["tied"]
    for name, value in published(sample, scores).items():
        assert evaluated(sample, scores).accuracy(name) == pytest.approx(value)


def test_a_judge_is_asked_for_what_the_rules_read_and_earns_the_same() -> None:
    """Best of four by comparisons: all six pairs of an item; the order that they make is the judge's ranking."""
    benchmark, scores = best_of_four(1)
    comparisons = benchmark.comparisons()
    assert {len(c) for i, c in zip(benchmark.items, comparisons, strict=True) if i.subset == "facts"} == {6}
    scored = [
        scored_by_judge(
            item,
            cells,
            [scores[item.responses[a]] - scores[item.responses[b]] for a, b in cells],
            tie_value=benchmark.tie_value,
        )
        for item, cells in zip(benchmark.items, comparisons, strict=True)
    ]
    frame = measure_benchmark(benchmark, scored, **HOW).frame
    assert frame.equals(evaluated(benchmark, scores).frame)


def test_plain_pairs_need_one_comparison_a_prompt() -> None:
    items, _ = make_pairs(0)
    assert {len(cells) for cells in sections_benchmark(items).comparisons()} == {1}
    assert share_of_pairs.pairs(items[0]) == [(0, 1)]
