"""Official figures, intervals and the paired comparison."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest

from charm_rm.benchmarks import Benchmark, Item, good_and_bad
from charm_rm.benchmarks.llmbar import TIE_VALUE as LLMBAR_TIE
from charm_rm.benchmarks.llmbar import official_metrics as llmbar_metrics
from charm_rm.benchmarks.rm_bench import TIE_VALUE as RM_BENCH_TIE
from charm_rm.benchmarks.rm_bench import official_metrics as rm_bench_metrics
from charm_rm.errors import ModelError, NoOverlap
from charm_rm.evaluate import BenchmarkResult, compare_with_baseline, evaluate_benchmark, exact_mcnemar
from reference.slow_benchmarks import llmbar_rating_accuracy, mcnemar_by_counting, rm_bench_total

Scored = tuple[list[float], list[float]]


class Lookup:
    """A scorer that reads its score out of the response's text, and counts what it is asked."""

    def __init__(self, bias: float = 0.0) -> None:
        self.asked: list[tuple[str, str]] = []
        self.bias = bias

    def __call__(self, prompts: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
        self.asked += list(zip(prompts, responses, strict=True))
        return np.array([float(r.split("=")[1]) + self.bias * r.startswith("chosen") for r in responses])


def item(subset: str, number: int, scored: Scored, prompt: str | None = None) -> Item:
    chosen, rejected = (
        tuple(f"{side}{i}={s}" for i, s in enumerate(scores))
        for side, scores in zip(("chosen", "rejected"), scored, strict=True)
    )
    return good_and_bad(str(number), subset, prompt or f"{subset} {number}", chosen, rejected)


def rm_bench(scored: dict[str, list[Scored]]) -> Benchmark:
    items = tuple(item(s, i, scores) for s, rows in scored.items() for i, scores in enumerate(rows))
    return Benchmark("rm-bench", items, rm_bench_metrics(list(scored)), RM_BENCH_TIE)


def llmbar(subset_pairs: dict[str, list[tuple[float, float]]]) -> Benchmark:
    items = tuple(
        item(s, i, ([c], [r])) for s, pairs in subset_pairs.items() for i, (c, r) in enumerate(pairs)
    )
    return Benchmark("llmbar", items, llmbar_metrics(list(subset_pairs)), LLMBAR_TIE)


def row_of(result: BenchmarkResult, subset: str, metric: str = "accuracy") -> dict[str, Any]:
    return result.frame.row(
        by_predicate=(pl.col("subset") == subset) & (pl.col("metric") == metric), named=True
    )


# --- official figures ---------------------------------------------------------------------------


def test_rm_bench_golden_by_hand() -> None:
    """chosen 2, 3, 5 against rejected 1, 4, 5 (concise, detailed, markdown):

    chosen 2: 1 0 0    chosen 3: 1 0 0    chosen 5: 1 1 0 (5 = 5 is a tie, and wrong)
    easy (lower left) 1 + 1 + 1 of 3; normal (diagonal) 1 + 0 + 0 of 3; hard (upper right) 0 of 3
    """
    result = evaluate_benchmark(Lookup(), rm_bench({"chat": [([2, 3, 5], [1, 4, 5])]}))
    assert [row_of(result, "chat", m)["accuracy"] for m in ("easy", "normal", "hard")] == [
        1,
        pytest.approx(1 / 3),
        0,
    ]
    assert row_of(result, "chat", "average")["accuracy"] == pytest.approx(4 / 9)
    assert [row_of(result, "chat", m)["ties"] for m in ("easy", "normal", "hard", "average")] == [0, 1, 0, 1]
    assert row_of(result, "chat", "average")["comparisons"] == 9


levels = st.lists(st.integers(0, 3).map(float), min_size=3, max_size=3)
domain = st.lists(st.tuples(levels, levels), min_size=1, max_size=4)


@settings(max_examples=40)
@given(chat=domain, math=domain, code=domain, refuse=domain, response=domain)
def test_rm_bench_is_the_official_computation(
    chat: list[Scored], math: list[Scored], code: list[Scored], refuse: list[Scored], response: list[Scored]
) -> None:
    scored = {"chat": chat, "math": math, "code": code, "safety-refuse": refuse, "safety-response": response}
    result = evaluate_benchmark(Lookup(), rm_bench(scored), draws=0)
    official = rm_bench_total({"chat": chat, "math": math, "code": code, "safety": refuse + response})
    for name in ("chat", "math", "code", "safety"):
        assert result.accuracy(name) == pytest.approx(official[name])
    for name in ("easy", "normal", "hard"):
        assert result.accuracy("all", name) == pytest.approx(official[name])
    assert result.accuracy() == pytest.approx(official["total"])


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=12))
def test_llmbar_is_the_official_computation_ties_included(pairs: list[tuple[int, int]]) -> None:
    result = evaluate_benchmark(Lookup(), llmbar({"Natural": [(float(c), float(r)) for c, r in pairs]}))
    official = llmbar_rating_accuracy([(c, r, 1) for c, r in pairs])
    assert result.accuracy("Natural") == pytest.approx(official)


def test_llmbar_averages_weigh_subsets_not_items() -> None:
    # GPT-4/Vanilla as published in the LLMBar repository, in right answers out of the subset's size (both orders)
    published = {
        "Natural": (191, 100),
        "Adversarial/Neighbor": (211, 134),
        "Adversarial/GPTInst": (159, 92),
        "Adversarial/GPTOut": (73, 47),
        "Adversarial/Manual": (74, 46),
    }
    pairs = {
        s: [(1.0, 0.0)] * (right // 2)
        + [(0.0, 0.0)] * (right % 2)
        + [(0.0, 1.0)] * (n - right // 2 - right % 2)
        for s, (right, n) in published.items()
    }
    result = evaluate_benchmark(Lookup(), llmbar(pairs))
    assert result.accuracy("Natural") == pytest.approx(0.955)
    assert result.accuracy("Adversarial/Neighbor") == pytest.approx(0.7873134328)
    assert result.accuracy("Adversarial/GPTInst") == pytest.approx(0.8641304348)
    assert result.accuracy("Adversarial") == pytest.approx(
        np.mean([0.7873134328, 0.8641304348, 0.7765957447, 0.8043478261])
    )
    assert result.accuracy() == pytest.approx(
        np.mean([0.955, 0.7873134328, 0.8641304348, 0.7765957447, 0.8043478261])
    )


# --- scoring ------------------------------------------------------------------------------------


def test_each_distinct_pair_is_scored_once() -> None:
    shared = [item("chat", i, ([1, 2, 3], [1, 2, 3]), prompt="the same") for i in range(5)]
    scorer = Lookup()
    evaluate_benchmark(scorer, Benchmark("b", tuple(shared), rm_bench_metrics(["chat"]), 0.0))
    assert len(scorer.asked) == len(set(scorer.asked)) == 6


@pytest.mark.parametrize(
    ("scores", "message"),
    [(np.array([1.0]), "shape"), (np.array([np.nan, 1.0]), "1 of 2"), (np.array([[1.0], [2.0]]), "shape")],
)
def test_bad_scores_are_refused(scores: np.ndarray, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        evaluate_benchmark(lambda _prompts, _responses: scores, llmbar({"Natural": [(1, 0)]}))


# --- intervals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (61, 92), (92, 92)])
def test_one_comparison_a_prompt_has_wilsons_interval(right: int, n: int) -> None:
    result = evaluate_benchmark(Lookup(), llmbar({"Natural": [(1, 0)] * right + [(0, 1)] * (n - right)}))
    oracle = binomtest(right, n).proportion_ci(method="wilson")
    row = row_of(result, "Natural")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((oracle.low, oracle.high))


def test_nine_comparisons_of_a_prompt_are_not_nine_observations() -> None:
    """All nine go together, so the interval is as wide as for one comparison a prompt."""
    rng = np.random.default_rng(0)
    right = rng.random(100) < 0.6
    one = evaluate_benchmark(Lookup(), llmbar({"Natural": [(float(r), 0.5) for r in right]}))
    nine = evaluate_benchmark(
        Lookup(), rm_bench({"chat": [([float(r)] * 3, [0.5] * 3) for r in right]}), draws=4000
    )
    wide, row = row_of(one, "Natural"), row_of(nine, "chat", "average")
    assert row["ci_high"] - row["ci_low"] == pytest.approx(wide["ci_high"] - wide["ci_low"], rel=0.1)


def test_repeated_prompts_are_one_cluster() -> None:
    rng = np.random.default_rng(1)
    right = rng.random(40) < 0.5
    once = [item("chat", i, ([float(r)] * 3, [0.5] * 3)) for i, r in enumerate(right)]
    widths = []
    for copies in (1, 4):
        benchmark = Benchmark("b", tuple(once * copies), rm_bench_metrics(["chat"]), 0.0)
        row = row_of(evaluate_benchmark(Lookup(), benchmark, draws=4000), "chat", "average")
        widths.append(row["ci_high"] - row["ci_low"])
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_all_right_still_has_an_interval_that_holds_it() -> None:
    row = row_of(
        evaluate_benchmark(Lookup(), rm_bench({"chat": [([1] * 3, [0] * 3)] * 30})), "chat", "average"
    )
    assert row["accuracy"] == row["ci_high"] == 1.0
    assert 0.8 < row["ci_low"] < 1.0


def test_no_draws_no_bootstrap_interval() -> None:
    result = evaluate_benchmark(Lookup(), rm_bench({"chat": [([1, 2, 3], [1, 2, 3])]}), draws=0)
    assert row_of(result, "all", "average")["ci_low"] is None


@pytest.mark.slow
def test_bootstrap_interval_covers_the_truth() -> None:
    """Two subsets of unequal size and accuracy, three correlated comparisons a prompt: 95 % to within noise."""
    rng = np.random.default_rng(5)
    truth, covered, runs = (0.7 + 0.4) / 2, 0, 300
    for run in range(runs):
        scored = {}
        for subset, n, p in (("chat", 60, 0.7), ("code", 25, 0.4)):
            lean = rng.beta(4 * p, 4 * (1 - p), size=n)
            scored[subset] = [([float(rng.random() < q) for _ in range(3)], [0.5] * 3) for q in lean]
        row = row_of(evaluate_benchmark(Lookup(), rm_bench(scored), draws=400, seed=run), "all", "normal")
        covered += row["ci_low"] <= truth <= row["ci_high"]
    assert 0.91 <= covered / runs <= 0.985


# --- the baseline -------------------------------------------------------------------------------


@settings(max_examples=60)
@given(st.integers(0, 25), st.integers(0, 25))
def test_mcnemar_is_the_count_of_splits(better: int, worse: int) -> None:
    assert exact_mcnemar(better, worse) == pytest.approx(mcnemar_by_counting(better, worse))


def paired(both: int, mine: int, theirs: int, neither: int) -> tuple[BenchmarkResult, BenchmarkResult]:
    """Two results on the same items with the four cells of a paired table."""
    benchmark = llmbar({"Natural": [(0.0, 0.5)] * (both + mine + theirs + neither)})
    right = np.repeat([[1, 1], [1, 0], [0, 1], [0, 0]], [both, mine, theirs, neither], axis=0)

    def scorer(column: int) -> Any:
        def score(prompts: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
            won = {f"Natural {i}": r for i, r in enumerate(right[:, column])}
            return np.array(
                [won[p] if r.startswith("chosen") else 0.5 for p, r in zip(prompts, responses, strict=True)]
            )

        return score

    return evaluate_benchmark(scorer(0), benchmark), evaluate_benchmark(scorer(1), benchmark)


def test_comparison_golden_by_hand() -> None:
    row = row_of(compare_with_baseline(*paired(50, 15, 5, 30)), "Natural")
    assert (row["better"], row["worse"]) == (15, 5)
    assert row["baseline_accuracy"] == pytest.approx(0.55)
    assert row["difference"] == pytest.approx(0.10)
    assert row["p_value"] == pytest.approx(binomtest(15, 20).pvalue)
    # Normal theory for a paired difference: sqrt((b + c) - (b - c)^2 / n) / n
    half = 1.96 * np.sqrt(20 - 100 / 100) / 100
    assert row["diff_ci_low"] == pytest.approx(0.10 - half, abs=0.012)
    assert row["diff_ci_high"] == pytest.approx(0.10 + half, abs=0.012)


def test_a_model_against_itself_differs_in_nothing() -> None:
    result, _ = paired(10, 5, 5, 10)
    row = row_of(compare_with_baseline(result, result), "all")
    assert (row["difference"], row["better"], row["worse"], row["p_value"], row["q_value"]) == (0, 0, 0, 1, 1)
    assert row["diff_ci_low"] <= 0 <= row["diff_ci_high"]


def test_a_prompt_counts_once_however_many_of_its_comparisons_change() -> None:
    benchmark = rm_bench({"chat": [([0] * 3, [0.5] * 3)] * 8})
    result = compare_with_baseline(
        evaluate_benchmark(Lookup(bias=1), benchmark), evaluate_benchmark(Lookup(), benchmark)
    )
    row = row_of(result, "chat", "average")
    assert (row["better"], row["worse"]) == (8, 0)
    assert row["p_value"] == pytest.approx(2 / 2**8)
    assert row["difference"] == 1.0


def test_swapping_model_and_baseline_turns_the_sign() -> None:
    mine, theirs = paired(20, 9, 3, 8)
    there, back = (
        row_of(compare_with_baseline(mine, theirs), "all"),
        row_of(compare_with_baseline(theirs, mine), "all"),
    )
    assert there["difference"] == pytest.approx(-back["difference"])
    assert there["p_value"] == back["p_value"]
    assert (there["better"], there["worse"]) == (back["worse"], back["better"])


def test_q_values_are_no_smaller_than_p_values() -> None:
    frame = compare_with_baseline(*paired(20, 9, 3, 8)).frame
    assert (frame["q_value"] >= frame["p_value"]).all()


def test_results_of_other_items_are_refused() -> None:
    result, _ = paired(10, 5, 5, 10)
    other, _ = paired(10, 5, 5, 11)
    with pytest.raises(NoOverlap, match="not of the same items"):
        compare_with_baseline(result, other)


def test_without_baseline_its_columns_are_null() -> None:
    frame = paired(1, 1, 1, 1)[0].frame
    assert frame.select("baseline_accuracy", "difference", "p_value", "q_value").null_count().row(0) == (
        2,
        2,
        2,
        2,
    )


def test_the_same_seed_gives_the_same_intervals() -> None:
    benchmark = rm_bench({"chat": [([2, 3, 5], [1, 4, 5]), ([1, 1, 1], [2, 0, 2])]})
    first, again, other = (evaluate_benchmark(Lookup(), benchmark, seed=s).frame for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)
