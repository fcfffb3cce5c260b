"""Offsets of judgements: the same path as scores, in log-odds."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm import store
from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, NotIdentifiable, UnknownPolicy
from charm_rm.margins import margins_from_scores
from charm_rm.offsets import apply_offsets, solve_joint_offsets, solve_offsets
from charm_rm.statistics import sigmoid
from charm_rm.tables import Margins, Offsets, Ratings, Scores
from simulated_offsets import arena, ratings_of, scores_of


def quietly(solve: Any, source: Scores | Margins, ratings: Ratings, **how: Any) -> Offsets:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return solve(source, ratings, **{"draws": 0, "cross_fit": False} | how)


def turned(margins: Margins, seed: int) -> Margins:
    """The same judgements, about half of them written the other way round."""
    frame = margins.frame
    turn = pl.Series("turn", np.random.default_rng(seed).random(frame.height) < 0.5)
    sides = frame.with_columns(turn).select(
        "prompt_id",
        policy=pl.when("turn").then("reference").otherwise("policy"),
        reference=pl.when("turn").then("policy").otherwise("reference"),
        margin=pl.when("turn").then(-pl.col("margin")).otherwise("margin"),
    )
    return Margins(sides)


PAIR = {"over": ["A", "C"], "references": ["B", "D"], "reference_weights": [2, 1]}
CASES = [
    (solve_offsets, PAIR),
    (solve_offsets, {"over": "D", "references": "B"}),
    (solve_joint_offsets, {}),
    (solve_joint_offsets, {"references": ["B"]}),
]


@given(st.integers(0, 10_000), st.sampled_from([0.0, 0.3]), st.sampled_from(range(len(CASES))))
@settings(max_examples=25)
def test_scores_and_their_margins_have_the_same_offsets(seed: int, missing: float, case: int) -> None:
    solve, how = CASES[case]
    scores, ratings = arena(30, 4, seed=seed, missing=missing)
    margins = turned(margins_from_scores(scores), seed)
    # A prompt that no pair shares is in the scores alone; sums then run in another order.
    for link, exact in (("hard", 1e-12 if missing else 0.0), ("sigmoid", 1e-9)):
        one, other = (quietly(solve, x, ratings, link=link, **how) for x in (scores, margins))
        assert one.frame["policy"].to_list() == other.frame["policy"].to_list()
        np.testing.assert_allclose(one.frame["delta"], other.frame["delta"], rtol=0, atol=exact)
        assert one.residuals.select("n", "target", "before").equals(
            other.residuals.select("n", "target", "before")
        )
        assert (one.provenance["unit"], other.provenance["unit"]) == ("score", "log-odds")


@pytest.mark.parametrize("link", ["hard", "sigmoid"])
def test_least_squares_is_the_same_path(link: str) -> None:
    """Its sum of squares is not convex: rounding alone may decide where it ends, so that a few fixed cases have to do."""
    for seed in range(10):
        scores, ratings = arena(60, 4, seed=seed)
        how = {"link": link, "objective": "least-squares"}
        one, other = (
            quietly(solve_joint_offsets, x, ratings, **how) for x in (scores, margins_from_scores(scores))
        )
        np.testing.assert_allclose(one.frame["delta"], other.frame["delta"], rtol=0, atol=1e-12)


def test_intervals_are_those_of_the_scores_where_all_prompts_are_shared() -> None:
    scores, ratings = arena(80, 4, seed=3)
    for solve, how in CASES:
        one, other = (
            quietly(solve, x, ratings, draws=200, seed=5, **how)
            for x in (scores, margins_from_scores(scores))
        )
        np.testing.assert_allclose(
            one.frame["ci_low"].drop_nulls(), other.frame["ci_low"].drop_nulls(), atol=1e-9
        )


def judged(n: int, bias: float, *, seed: int) -> Margins:
    """A judge of A against the baseline B: log-odds with a bias."""
    draws = np.random.default_rng(seed).logistic(size=n)
    return Margins(
        pl.DataFrame(
            {
                "prompt_id": [f"p{i}" for i in range(n)],
                "policy": "A",
                "reference": "B",
                "margin": draws + bias,
            }
        )
    )


@pytest.mark.parametrize("link", ["hard", "sigmoid"])
def test_a_calibrated_judge_wins_as_often_as_people_say(link: str) -> None:
    margins, ratings = judged(300, 1.0, seed=1), ratings_of({"A": 1000, "B": 1000})
    offsets = quietly(solve_offsets, margins, ratings, over="A", references="B", link=link)
    after = apply_offsets(margins, offsets).frame["margin"].to_numpy()
    rate = (after > 0).mean() if link == "hard" else sigmoid(after).mean()
    assert rate == pytest.approx(0.5, abs=1 / 600)
    assert offsets.frame["delta"][0] == pytest.approx(-1, abs=0.3)


def test_intervals_of_a_judges_offset_cover_its_bias() -> None:
    hits = 0
    for seed in range(40):
        ratings = ratings_of({"A": 1000, "B": 1000}, std_err=0)
        found = quietly(
            solve_offsets, judged(150, 0.8, seed=seed), ratings, over="A", references="B", draws=300
        )
        hits += found.frame["ci_low"][0] <= -0.8 <= found.frame["ci_high"][0]
    assert hits >= 34


# --- applying ---------------------------------------------------------------------------------------


def test_an_offset_counts_for_either_side() -> None:
    margins = Margins(
        pl.DataFrame({"prompt_id": ["p", "q"], "policy": ["A", "B"], "reference": ["B", "A"], "margin": 1.0})
    )
    table = Offsets(
        pl.DataFrame(
            {"policy": ["A", "B"], "delta": [-0.75, 0.0], "is_reference": [False, True]}
        ).with_columns(
            pl.lit(None, dtype=pl.Float64).alias(c)
            for c in ("std_err", "ci_low", "ci_high", "target", "attained")
        )
    )
    assert apply_offsets(margins, table).frame["margin"].to_list() == [0.25, 1.75]


def test_calibrated_margins_are_what_calibrated_scores_give() -> None:
    scores, ratings = arena(40, 4, seed=2)
    offsets = quietly(solve_joint_offsets, scores, ratings)
    one = margins_from_scores(apply_offsets(scores, offsets)).frame
    plain = Offsets(offsets.frame)  # without a word of what it was solved on
    other = apply_offsets(margins_from_scores(scores), plain).frame
    assert one.drop("margin").equals(other.drop("margin"))
    np.testing.assert_allclose(one["margin"], other["margin"], atol=1e-12)


def test_policies_without_an_offset_are_named() -> None:
    scores, ratings = arena(40, 3, seed=2)
    margins = margins_from_scores(scores)
    offsets = quietly(solve_offsets, margins, ratings, over="A", references="B")
    with pytest.warns(CharmWarning, match="no offset for 'C': their margins stay"):
        apply_offsets(margins, offsets)
    strange = Margins(
        pl.DataFrame({"prompt_id": ["p"], "policy": ["x"], "reference": ["y"], "margin": [1.0]})
    )
    with pytest.raises(UnknownPolicy, match="no policy of the margins"):
        apply_offsets(strange, offsets)


def test_log_odds_are_not_added_to_scores(tmp_path: Path) -> None:
    scores, ratings = arena(40, 3, seed=2)
    margins = margins_from_scores(scores)
    solved = [quietly(solve_joint_offsets, x, ratings) for x in (scores, margins)]
    of_scores, of_margins = (
        store.load(Offsets, store.save(o, tmp_path / f"{i}.parquet")) for i, o in enumerate(solved)
    )
    with pytest.raises(ConfigError, match="log-odds units, solved on margins; these are scores"):
        apply_offsets(scores, of_margins)
    with pytest.raises(ConfigError, match="score units, solved on scores; these are margins"):
        apply_offsets(margins, of_scores)


# --- bad input --------------------------------------------------------------------------------------


def test_judgements_are_paired_by_nature() -> None:
    margins, ratings = judged(30, 0.5, seed=0), ratings_of({"A": 1000, "B": 1000})
    with pytest.raises(ConfigError, match="no scores of their own to compare unpaired"):
        quietly(solve_offsets, margins, ratings, over="A", references="B", paired=False)


def test_pairs_that_were_never_judged_are_named() -> None:
    margins = margins_from_scores(scores_of({"A": [1, 2, 3], "B": [2, 1, 0], "C": [1, 1, 2]}))
    star = Margins(margins.frame.filter(pl.col("policy") != "A"))  # B against C alone
    ratings = ratings_of({"A": 1000, "B": 1000, "C": 1000})
    with pytest.raises(UnknownPolicy, match="'A' among those scored or judged"):
        quietly(solve_offsets, star, ratings, over="A", references="B")
    both = Margins(margins.frame.filter(pl.col("reference") != "B"))  # A and B meet C, never one another
    with pytest.raises(NoOverlap, match="'A' and 'B': they share no prompt"):
        quietly(solve_offsets, both, ratings, over="A", references="B")
    assert quietly(solve_offsets, both, ratings, over="A", references="C").frame.height == 2


def test_sure_judgements_that_are_all_alike_are_refused() -> None:
    frame = judged(30, 0.5, seed=0).frame.with_columns(pl.lit(23.0).alias("margin"))
    ratings = ratings_of({"A": 1000, "B": 1000})
    with pytest.raises(NotIdentifiable, match="all margins are equal"):
        quietly(solve_offsets, Margins(frame), ratings, over="A", references="B")


def verdicts(sure: float = 23.03, seed: int = 0) -> Margins:
    """Who won and no more: sure margins and ties."""
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{i}", k, r, float(rng.choice([sure, -sure, 0.0], p=[0.5, 0.4, 0.1])))
        for i in range(60)
        for k, r in (("A", "B"), ("B", "C"), ("A", "C"))
    ]
    return Margins(pl.DataFrame(rows, schema=["prompt_id", "policy", "reference", "margin"], orient="row"))


@pytest.mark.parametrize("sure", [13.8155, 23.03])  # as `charm judge` writes them, and as they are imported
@pytest.mark.parametrize("solve", [solve_offsets, solve_joint_offsets])
def test_verdicts_without_a_probability_are_warned_of(solve: Any, sure: float) -> None:
    how = {"over": "A", "references": "B"} if solve is solve_offsets else {}
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        found = solve(verdicts(sure), ratings_of({"A": 1000, "B": 1100, "C": 1200}), draws=0, **how)
    text = " ".join(str(w.message) for w in said)
    assert "85% of the judgements are sure ones" in text
    assert "their wins turn all at once" in text
    assert any("sure ones" in w for w in found.provenance["warnings"])
