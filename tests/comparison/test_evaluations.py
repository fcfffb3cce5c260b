"""Evaluations as evidence: what is read, what is refused, and differences on the same items against slow twins."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm.comparison import compare_models, is_evaluation, read_evaluation
from charm_rm.comparison.benchmarks import with_interval
from charm_rm.comparison.evaluations import bootstrap, contrast
from charm_rm.errors import CharmWarning, NoOverlap, SchemaError, UnreadableFile
from charm_rm.evaluate import (
    compare_with_baseline,
    exact_mcnemar,
    measure_benchmark,
    save_evaluation,
    score_items,
)

from .worlds import benchmark, evaluation

RIGHT = np.arange(60) % 5 != 0


def test_a_folder_is_read_and_known(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "one", RIGHT)
    found = read_evaluation(folder)
    assert found.headlines == [("quiz", "all", "accuracy")]
    assert is_evaluation(folder)
    assert not is_evaluation(tmp_path)


def test_an_exchange_is_mcnemar_where_every_prompt_counts_the_same(tmp_path: Path) -> None:
    other = RIGHT.copy()
    other[[1, 2, 4, 7, 8, 11, 13, 16]] = False
    other[[5]] = True
    one, two = (read_evaluation(evaluation(tmp_path / n, r)) for n, r in (("a", RIGHT), ("b", other)))
    figure = ("quiz", "easy", "accuracy")
    found = contrast(one.of(figure), two.of(figure), draws=20_000, seed=0)
    easy = np.arange(60) % 3 != 0
    better, worse = int((RIGHT & ~other)[easy].sum()), int((~RIGHT & other)[easy].sum())
    assert found.difference == pytest.approx(RIGHT[easy].mean() - other[easy].mean())
    p = (np.abs(found.exchanged) >= abs(found.difference) - 1e-12).mean()
    assert p == pytest.approx(exact_mcnemar(better, worse), abs=0.01)


def test_exchanges_against_all_there_are(tmp_path: Path) -> None:
    """A weighted figure: every exchange of eight prompts, worked out by hand."""
    right, other = np.array([1, 1, 0, 1, 1, 1], bool), np.array([0, 1, 1, 0, 0, 0], bool)
    one, two = (
        read_evaluation(evaluation(tmp_path / n, r, benchmark(6))) for n, r in (("a", right), ("b", other))
    )
    figure = ("quiz", "all", "accuracy")
    found = contrast(one.of(figure), two.of(figure), draws=40_000, seed=1)
    hard = np.arange(6) % 3 == 0
    weight = np.where(hard, 0.5 / hard.sum(), 0.5 / (~hard).sum())
    gap = weight * (right.astype(float) - other)
    every = np.array([np.dot(signs, gap) for signs in itertools.product([1, -1], repeat=6)])
    assert found.difference == pytest.approx(gap.sum())
    exact = (np.abs(every) >= abs(gap.sum()) - 1e-12).mean()
    assert (np.abs(found.exchanged) >= abs(gap.sum()) - 1e-12).mean() == pytest.approx(exact, abs=0.01)


def test_the_bootstrap_draws_prompts_whole() -> None:
    """Twin: one draw at a time. Copies of a prompt add nothing to what is known."""
    values = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 1.0])
    share = np.full(6, 1 / 6)
    once = bootstrap(values, share, np.zeros(6), np.arange(6), draws=4000, rng=np.random.default_rng(0))
    tripled = bootstrap(
        np.repeat(values, 3), np.repeat(share, 3) / 3, np.zeros(18), np.repeat(np.arange(6), 3), draws=4000, rng=np.random.default_rng(0)
    )  # fmt: skip
    np.testing.assert_allclose(once, tripled)
    rng = np.random.default_rng(0)
    weights = rng.standard_exponential((4000, 6))
    slow = [float(np.average(values, weights=w)) for w in weights]
    np.testing.assert_allclose(once, slow)


def test_models_that_agree_on_every_prompt_have_the_interval_that_their_evaluation_gives(
    tmp_path: Path,
) -> None:
    """The difference is 0 on these 40 prompts; on others they may differ, by about 2.1 / n to either side."""
    one = read_evaluation(evaluation(tmp_path / "one", RIGHT))
    figure = ("quiz", "easy", "accuracy")
    found = contrast(one.of(figure), one.of(figure), draws=4000, seed=0)
    compared = np.quantile(found.draws, (0.025, 0.975))
    quiz = benchmark()
    scores = np.array([s for ok in RIGHT for s in ((1.0, 0.0) if ok else (0.0, 1.0))])
    result = measure_benchmark(quiz, score_items(quiz, scores), draws=4000)
    row = compare_with_baseline(result, result, draws=4000).frame.row(0, named=True)
    assert (found.difference, row["difference"], row["p_value"]) == (0.0, 0.0, 1.0)
    for low, high in (compared, (row["diff_ci_low"], row["diff_ci_high"])):
        assert (low, high) == pytest.approx((-2.1 / 40, 2.1 / 40), rel=0.15)


def test_only_items_that_all_have_count_and_that_is_said(tmp_path: Path) -> None:
    one = evaluation(tmp_path / "a", RIGHT, benchmark(60))
    two = evaluation(tmp_path / "b", ~RIGHT[:45], benchmark(45))
    with pytest.warns(CharmWarning, match="a: not all models have 15 items of quiz: left out"):
        found = compare_models(evaluations={"a": one, "b": two}, draws=200)
    row = found.differences.row(0, named=True)
    hard = np.arange(45) % 3 == 0
    right = RIGHT[:45]
    assert row["baseline_value"] == pytest.approx((right[hard].mean() + right[~hard].mean()) / 2)
    assert row["reading"] == "worse"


def test_several_benchmarks_have_a_mean(tmp_path: Path) -> None:
    both = (benchmark(60), benchmark(30, name="riddles"))
    one, two = (evaluation(tmp_path / n, r, *both) for n, r in (("a", RIGHT), ("b", np.roll(RIGHT, 1))))
    found = compare_models(evaluations={"a": one, "b": two}, draws=200, subsets=True)
    values = dict(found.figures.filter(pl.col("model") == "a").select("figure", "value").iter_rows())
    assert values["mean of benchmarks"] == pytest.approx((values["quiz"] + values["riddles"]) / 2)
    assert "quiz hard" in values
    assert found.summary["benchmarks"] == ["quiz", "riddles"]
    assert found.summary["partial"] == []
    assert found.pareto.height == 0


def test_a_sample_of_a_benchmark_is_called_partial(tmp_path: Path) -> None:
    some = benchmark(60).sample(30)
    one, two = (evaluation(tmp_path / n, r, some) for n, r in (("a", RIGHT[:30]), ("b", ~RIGHT[:30])))
    found = compare_models(evaluations={"a": one, "b": two}, draws=100)
    assert found.summary["partial"] == ["quiz"]
    assert "quiz (partial)" in found.summary()


def test_what_is_no_evaluation_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match=r"there is no evaluation\.json"):
        read_evaluation(tmp_path)
    save_evaluation(tmp_path / "scores-only")
    with pytest.raises(UnreadableFile, match=r"there is no benchmarks\.parquet"):
        read_evaluation(tmp_path / "scores-only")


def test_an_evaluation_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "old", RIGHT)
    (folder / "credits.parquet").unlink()
    with pytest.raises(UnreadableFile, match="another version of charm") as refused:
        read_evaluation(folder)
    assert "run the same charm evaluate again" in str(refused.value)
    folder = evaluation(tmp_path / "renamed", RIGHT)
    frame = pl.read_parquet(folder / "credits.parquet")
    frame.rename({"credit": "points"}).write_parquet(folder / "credits.parquet")
    with pytest.raises(SchemaError, match="column 'credit' is missing"):
        read_evaluation(folder)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (pl.lit(float("nan")).alias("credit"), "'credit' is missing or not finite"),
        (pl.lit(None, pl.Float64).alias("weight"), "'weight' is missing or not finite"),
        ((1 - pl.col("credit")).alias("credit"), "the files are of two runs"),
    ],
)
def test_numbers_that_cannot_be(tmp_path: Path, change: pl.Expr, says: str) -> None:
    folder = evaluation(tmp_path / "one", RIGHT)
    frame = pl.read_parquet(folder / "credits.parquet").with_columns(change)
    frame.write_parquet(folder / "credits.parquet")
    with pytest.raises(SchemaError, match=says):
        read_evaluation(folder)


def test_an_item_that_stands_twice(tmp_path: Path) -> None:
    folder = evaluation(tmp_path / "one", RIGHT)
    frame = pl.read_parquet(folder / "credits.parquet")
    pl.concat([frame, frame.head(1)]).write_parquet(folder / "credits.parquet")
    with pytest.raises(SchemaError, match="an item stands twice"):
        read_evaluation(folder)


def test_nothing_in_common(tmp_path: Path) -> None:
    one = evaluation(tmp_path / "a", RIGHT)
    other = evaluation(tmp_path / "b", RIGHT, benchmark(60, name="riddles"))
    with pytest.raises(NoOverlap, match="no benchmark in common"):
        compare_models(evaluations={"a": one, "b": other})


@pytest.mark.parametrize("draws", [0, 400])
def test_the_very_same_credits_are_a_difference_of_0_and_no_certainty(tmp_path: Path, draws: int) -> None:
    both = (benchmark(60), benchmark(30, name="riddles"))
    one, two = (evaluation(tmp_path / name, RIGHT, *both) for name in ("a", "b"))
    with pytest.warns(
        CharmWarning, match="b and a earn the very same credit on each of the 90 items"
    ) as said:
        found = compare_models(evaluations={"a": one, "b": two}, draws=draws, subsets=True)
    assert len(said) == 1
    assert found.differences["reading"].unique().to_list() == ["the same on every item"]
    assert found.differences["difference"].to_list() == [0.0] * 7
    assert found.differences["p_value"].to_list() == [1.0] * 7
    if draws:
        assert (found.differences["ci_low"] < -0.01).all()
        assert (found.differences["ci_high"] > 0.01).all()
    else:
        assert found.differences["ci_low"].null_count() == 7
    assert "beyond chance" not in str(found.summary()) or "0 beyond chance" in str(found.summary())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("one_way", "differ", "least"), [(0.5, 1.0, 0.95), (0.5, 3.0, 0.92), (1.0, 1.0, 0.95), (1.0, 2.5, 0.87)]
)
def test_intervals_hold_where_models_hardly_ever_differ(one_way: float, differ: float, least: float) -> None:
    """Of 50 prompts so many differ in the mean, a share of them for the better. The last is the worst case: none is seen in 8 % of draws."""
    n, runs, rng = 50, 300, np.random.default_rng(0)
    items = {"part": 0, "item": range(n), "prompt": [f"p{i:02d}" for i in range(n)], "weight": 1.0}
    truth, held = differ / n * (2 * one_way - 1), 0
    for run in range(runs):
        turned, up = rng.random(n) < differ / n, rng.random(n) < one_way
        base = np.where(turned, ~up, rng.random(n) < 0.7)
        new = np.where(turned, up, base)
        one, other = (pl.DataFrame({**items, "credit": c.astype(float)}) for c in (new, base))
        _, low, high = with_interval(contrast(one, other, draws=300, seed=run))
        assert low is not None
        assert high is not None
        assert low < 0 < high or (new != base).any()
        held += low <= truth <= high
    assert held / runs >= least


def test_one_item_that_differs_is_no_sameness(tmp_path: Path) -> None:
    other = RIGHT.copy()
    other[1] = not other[1]  # an easy one: the hard ones are the same
    one, two = (evaluation(tmp_path / n, r) for n, r in (("a", RIGHT), ("b", other)))
    with warnings.catch_warnings():
        warnings.simplefilter("error", CharmWarning)
        found = compare_models(evaluations={"a": one, "b": two}, draws=100, subsets=True)
    assert dict(found.differences.select("figure", "reading").iter_rows()) == {
        "quiz easy": "within chance",
        "quiz hard": "the same on every item",
        "quiz": "within chance",
    }
