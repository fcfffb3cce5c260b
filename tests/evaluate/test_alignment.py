"""Alignment with ratings: against scipy, against the audit, and where it must refuse."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import polars as pl
import pytest
from scipy import stats

from charm_rm.errors import CharmWarning, NoOverlap, NotIdentifiable, UnknownPolicy
from charm_rm.evaluate import alignment_with_ratings
from charm_rm.mismatch import METRICS, audit
from charm_rm.tables import Ratings, Scores

POLICIES = [f"policy-{k}" for k in range(8)]


def make_ratings(rating: np.ndarray, std_err: float = 5.0) -> Ratings:
    return Ratings(
        pl.DataFrame(
            {"policy": POLICIES[: len(rating)], "rating": rating, "std_err": [std_err] * len(rating)}
        )
    )


def make_scores(values: np.ndarray) -> Scores:
    """From an (n_prompts, K) table."""
    n, size = values.shape
    prompts = np.repeat([f"p{i}" for i in range(n)], size)
    return Scores(
        pl.DataFrame({"prompt_id": prompts, "policy": POLICIES[:size] * n, "score": values.ravel()})
    )


def simulated(seed: int, *, n: int = 60, size: int = 8, noise: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    rating = 1000 + 80 * rng.normal(size=size)
    return (rating - 1000) / 174 + noise * rng.normal(size=(n, size)), rating


def value(frame: pl.DataFrame, metric: str, column: str = "value") -> float:
    return float(frame.row(by_predicate=pl.col("metric") == metric, named=True)[column])


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_values_are_scipys_on_plain_loops(seed: int) -> None:
    values, rating = simulated(seed)
    frame = alignment_with_ratings(make_scores(values), make_ratings(rating), draws=0).frame
    wins = {(k, r): float(np.mean(values[:, k] > values[:, r])) for k, r in combinations(range(8), 2)}
    # With every prompt answered by everyone, Bradley-Terry ranks by total wins.
    total = [
        sum(wins[k, r] if (k, r) in wins else 1 - wins[r, k] for r in range(8) if r != k) for k in range(8)
    ]
    assert value(frame, "spearman") == pytest.approx(stats.spearmanr(total, rating).statistic)
    assert value(frame, "kendall") == pytest.approx(stats.kendalltau(total, rating).statistic)
    gaps = [abs(p - 1 / (1 + 10 ** ((rating[r] - rating[k]) / 400))) for (k, r), p in wins.items()]
    assert value(frame, "mean_abs_mismatch") == pytest.approx(np.mean(gaps))
    assert dict(frame.select("metric", "n").iter_rows()) == {
        "mean_abs_mismatch": 28, "sharpness_fitted_mismatch": 28, "debiased_mismatch": 28,
        "spearman": 8, "kendall": 8, "mean_abs_favour": 8,
    }  # fmt: skip
    assert frame["ci_low"].null_count() == frame["p_value"].null_count() == len(METRICS)


@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")  # policies that win everything
def test_an_rm_that_ranks_as_people_do_correlates_fully_and_a_turned_one_fully_turned() -> None:
    values, rating = simulated(4, noise=1e-3)
    same = alignment_with_ratings(make_scores(values), make_ratings(rating), draws=0).frame
    turned = alignment_with_ratings(make_scores(-values), make_ratings(rating), draws=0).frame
    for metric in ("spearman", "kendall"):
        assert value(same, metric) == pytest.approx(1.0)
        assert value(turned, metric) == pytest.approx(-1.0)


def test_intervals_hold_within_the_range_and_repeat_with_the_seed() -> None:
    values, rating = simulated(5)
    first, again = (
        alignment_with_ratings(make_scores(values), make_ratings(rating), seed=7).frame for _ in range(2)
    )
    assert first.equals(again)
    for row in first.iter_rows(named=True):
        metric = METRICS[row["metric"]]
        assert metric.low <= row["ci_low"] <= row["value"] <= row["ci_high"] <= metric.high
        assert row["ci_low"] < row["ci_high"]


def test_values_are_the_audits() -> None:
    values, rating = simulated(6)
    frame = alignment_with_ratings(make_scores(values), make_ratings(rating), draws=200, seed=3).frame
    audited = audit(make_scores(values), make_ratings(rating), draws=200, seed=3)
    assert value(frame, "spearman") == audited.rank_correlation["spearman"].value
    assert value(frame, "kendall") == audited.rank_correlation["kendall"].value
    assert value(frame, "mean_abs_mismatch") == pytest.approx(audited.summary["mean_abs_mismatch"].value)
    favour = audited.favouritism.frame["favour"].abs().mean()
    assert value(frame, "mean_abs_favour") == pytest.approx(favour)
    assert value(frame, "mean_abs_favour", "floor") == pytest.approx(
        audited.summary["detectable_favour"]["floor"]
    )


def test_a_model_against_itself_differs_in_nothing() -> None:
    values, rating = simulated(7)
    scores = make_scores(values)
    frame = alignment_with_ratings(scores, make_ratings(rating), baseline=scores).frame
    for column in ("difference", "diff_ci_low", "diff_ci_high"):
        assert frame[column].to_list() == pytest.approx([0] * len(METRICS))
    assert (frame["p_value"] == 1).all()


def test_a_favourite_widens_the_mean_mismatch_against_the_baseline() -> None:
    values, rating = simulated(8, n=200)
    favoured = values.copy()
    favoured[:, 0] += 2.0
    frame = alignment_with_ratings(
        make_scores(favoured), make_ratings(rating), baseline=make_scores(values)
    ).frame
    assert value(frame, "mean_abs_mismatch", "diff_ci_low") > 0
    assert value(frame, "mean_abs_mismatch", "difference") == pytest.approx(
        value(frame, "mean_abs_mismatch") - value(frame, "mean_abs_mismatch", "baseline_value")
    )


def test_only_scores_that_both_models_have_are_compared() -> None:
    values, rating = simulated(9)
    scores, ratings = make_scores(values), make_ratings(rating)
    fewer = Scores(scores.frame.filter(pl.col("prompt_id") != "p3"))
    with pytest.warns(CharmWarning, match="8 others are left out"):
        both = alignment_with_ratings(scores, ratings, baseline=fewer, draws=0)
    alone = alignment_with_ratings(fewer, ratings, draws=0)
    assert both.frame["value"].to_list() == alone.frame["value"].to_list()


def test_nothing_in_common_is_refused() -> None:
    values, rating = simulated(10)
    scores = make_scores(values)
    other = Scores(scores.frame.with_columns(prompt_id=pl.col("prompt_id") + "x"))
    with pytest.raises(NoOverlap, match="share no"):
        alignment_with_ratings(scores, make_ratings(rating), baseline=other)


def test_unrated_policies_are_an_error_unless_skipped() -> None:
    values, rating = simulated(11)
    with pytest.raises(UnknownPolicy, match="policy-7"):
        alignment_with_ratings(make_scores(values), make_ratings(rating[:7]))
    with pytest.warns(CharmWarning):
        skipped = alignment_with_ratings(
            make_scores(values), make_ratings(rating[:7]), unrated="skip", draws=0
        )
    assert skipped.policies == tuple(POLICIES[:7])
    alone = alignment_with_ratings(make_scores(values[:, :7]), make_ratings(rating[:7]), draws=0)
    assert skipped.frame["value"].to_list() == alone.frame["value"].to_list()


def test_two_policies_are_too_few() -> None:
    values, rating = simulated(12, size=2)
    with pytest.raises(NoOverlap, match="at least 3"):
        alignment_with_ratings(make_scores(values), make_ratings(rating))


def test_equal_scores_and_equal_ratings_have_no_order() -> None:
    values, rating = simulated(13)
    with pytest.raises(NotIdentifiable, match="no order"):
        alignment_with_ratings(make_scores(np.zeros_like(values)), make_ratings(rating))
    with pytest.raises(NotIdentifiable, match="no order"):
        alignment_with_ratings(make_scores(values), make_ratings(np.full(8, 1000.0)))


def test_one_prompt_gives_no_interval() -> None:
    values, rating = simulated(14, n=1)
    with pytest.raises(NotIdentifiable, match="one prompt only"):
        alignment_with_ratings(make_scores(values), make_ratings(rating))


def test_an_interval_of_a_difference_leaves_0_out_where_its_test_rejects() -> None:
    found = []
    for seed in range(12):
        values, rating = simulated(seed, n=80)
        other = values + np.linspace(0, 0.15 * seed, 8) * np.array([1, -1] * 4)
        frame = alignment_with_ratings(
            make_scores(values), make_ratings(rating), baseline=make_scores(other), draws=200
        ).frame.filter(pl.col("metric").is_in(["spearman", "kendall", "mean_abs_favour"]))
        assert frame.height >= 2
        for row in frame.iter_rows(named=True):
            left_out = not row["diff_ci_low"] <= 0 <= row["diff_ci_high"]
            assert left_out == (row["p_value"] <= 0.05)
            assert row["diff_ci_low"] <= row["difference"] <= row["diff_ci_high"]
            found.append(left_out)
    assert set(found) == {True, False}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
def test_intervals_of_the_mean_mismatch_cover_where_percentiles_never_do() -> None:
    """Noise inflates mean |P̂ - P|; the basic interval takes that back out. Truth from 300,000 prompts."""
    rng = np.random.default_rng(1)
    strength = np.linspace(-0.8, 0.8, 8)
    rating = 1000 + 174 * (strength + rng.normal(size=8) * 0.3)
    many = strength + rng.normal(size=(300_000, 8))
    truth = np.mean(
        [
            abs(np.mean(many[:, k] > many[:, r]) - 1 / (1 + 10 ** ((rating[r] - rating[k]) / 400)))
            for k, r in combinations(range(8), 2)
        ]
    )
    covered, runs = 0, 120
    for seed in range(runs):
        scores = make_scores(strength + rng.normal(size=(60, 8)))
        measured = make_ratings(rating + 5 * rng.normal(size=8))
        frame = alignment_with_ratings(scores, measured, draws=300, seed=seed).frame
        covered += (
            value(frame, "mean_abs_mismatch", "ci_low")
            <= truth
            <= value(frame, "mean_abs_mismatch", "ci_high")
        )
    assert covered / runs >= 0.8
