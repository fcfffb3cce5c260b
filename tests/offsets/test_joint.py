"""All policies at once: the system's solution, its gauge, its reduction to one pair, bad input."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, NotIdentifiable, UnknownPolicy
from charm_rm.margins import all_pairs, pair_margins
from charm_rm.offsets import solve_joint_offsets, solve_offsets
from charm_rm.offsets.joint_equations import JointEquations, sigmoid_rates
from charm_rm.ratings import expected_win_rate
from charm_rm.tables import Offsets, Ratings, Scores
from simulated_offsets import arena, ratings_of, scores_of


def solve(scores: Scores, ratings: Ratings, **settings: Any) -> Offsets:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return solve_joint_offsets(scores, ratings, **{"draws": 0, "cross_fit": False} | settings)


@pytest.mark.parametrize(("references", "said"), [((), False), (("B",), True)])
def test_without_references_an_interval_about_0_says_nothing(references: tuple[str, ...], said: bool) -> None:
    """Four alike policies: every interval covers 0, but without references 0 is a convention."""
    values = np.random.default_rng(0).normal(size=(4, 200))
    scores = scores_of({name: row.tolist() for name, row in zip("ABCD", values, strict=True)})
    even = ratings_of(dict.fromkeys("ABCD", 1000.0))
    found = solve(scores, even, draws=200, references=references)
    moved = found.frame.filter(~pl.col("is_reference"))
    assert ((moved["ci_low"] <= 0) & (moved["ci_high"] >= 0)).all()
    assert any("already aligned" in note for note in found.provenance["warnings"]) is said


def mean_residual(offsets: Offsets, when: str = "after") -> float:
    assert offsets.residuals is not None
    return float((offsets.residuals[when] - offsets.residuals["target"]).abs().mean())


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("references", [[], ["C"], ["C", "E"]])
def test_sigmoid_meets_every_total(missing: float, references: list[str]) -> None:
    scores, ratings = arena(150, 6, seed=0, missing=missing)
    offsets = solve(scores, ratings, link="sigmoid", temperature=0.3, references=references)
    free = offsets.frame.filter(~pl.col("is_reference"))
    assert (free["target"] - free["attained"]).abs().max() < 1e-10
    assert offsets.provenance["largest_total_wins_residual"] < 1e-10


@pytest.mark.parametrize("missing", [0.0, 0.3])
@pytest.mark.parametrize("references", [[], ["C"], ["C", "E"]])
def test_hard_meets_every_total_to_about_one_prompt(missing: float, references: list[str]) -> None:
    scores, ratings = arena(150, 6, seed=0, missing=missing)
    offsets = solve(scores, ratings, references=references)
    free = offsets.frame.filter(~pl.col("is_reference"))
    worst = (free["target"] - free["attained"]).abs().max()
    assert worst <= 1 / 150
    assert mean_residual(offsets) < mean_residual(offsets, "before")


@pytest.mark.parametrize("link", ["hard", "sigmoid"])
def test_two_policies_are_one_pair(link: str) -> None:
    scores, ratings = arena(90, 2, seed=1)
    settings: dict[str, Any] = {"link": link, "temperature": 0.4}
    joint = solve(scores, ratings, references="B", **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        pair = solve_offsets(scores, ratings, over="A", references="B", draws=0, **settings)
    if link == "sigmoid":
        assert joint.frame["delta"][0] == pytest.approx(pair.frame["delta"][0], abs=1e-10)
    assert joint.frame["attained"][0] == pytest.approx(pair.frame["attained"][0], abs=1e-9)


def test_references_only_choose_the_level() -> None:
    scores, ratings = arena(120, 5, seed=2)
    free, held = (solve(scores, ratings, link="sigmoid", references=r) for r in ([], ["B"]))
    assert free.frame["delta"].mean() == pytest.approx(0, abs=1e-12)
    assert held.frame["delta"][1] == 0
    difference = (free.frame["delta"] - held.frame["delta"]).to_numpy()
    np.testing.assert_allclose(difference, difference[0], atol=1e-9)


def test_scores_that_already_agree_keep_offset_0() -> None:
    # Every pair of policies wins and loses equally often, as equal ratings ask.
    scores = scores_of({"A": [1, 2, 3], "B": [2, 3, 1], "C": [3, 1, 2]})
    offsets = solve(scores, ratings_of({"A": 0, "B": 0, "C": 0}), link="sigmoid")
    np.testing.assert_allclose(offsets.frame["delta"], 0, atol=1e-10)


def test_least_squares_is_nearer_pair_by_pair() -> None:
    scores, ratings = arena(200, 6, seed=3)
    settings: dict[str, Any] = {"link": "sigmoid", "temperature": 0.5}

    k, r = all_pairs(6).T
    rating = ratings.frame["rating"].to_numpy()
    target = expected_win_rate(rating[k], rating[r])

    def squares(offsets: Offsets) -> float:
        equations = JointEquations(pair_margins(scores), target, np.ones(6, dtype=bool))
        rates = sigmoid_rates(equations, offsets.frame["delta"].to_numpy(), 0.5)[0]
        return float(((rates - target) ** 2).sum())

    wins, least = (solve(scores, ratings, objective=m, **settings) for m in ("total-wins", "least-squares"))
    assert squares(least) < squares(wins)
    assert least.provenance["largest_total_wins_residual"] > wins.provenance["largest_total_wins_residual"]


def test_a_low_temperature_converges_by_cooling() -> None:
    scores, ratings = arena(100, 5, seed=4)
    offsets = solve(scores, ratings, link="sigmoid", temperature=0.01)
    assert (offsets.frame["target"] - offsets.frame["attained"]).abs().max() < 1e-9


def test_residuals_put_references_on_their_side() -> None:
    scores, ratings = arena(50, 4, seed=5)
    residuals = solve(scores, ratings, references="A").residuals
    assert residuals is not None
    assert residuals.height == 6
    assert residuals.filter(pl.col("reference") == "A").height == 3
    assert residuals.filter(pl.col("policy") == "A").height == 0


def test_unrated_policies_are_skipped_where_asked() -> None:
    scores, ratings = arena(50, 4, seed=6)
    known = Ratings(ratings.frame.filter(pl.col("policy") != "B"))
    with pytest.raises(UnknownPolicy, match="'B'"):
        solve(scores, known)
    assert solve(scores, known, unrated="skip").frame["policy"].to_list() == ["A", "C", "D"]


# --- uncertainty --------------------------------------------------------------------------------


def test_intervals_are_about_the_spread_of_repeated_experiments() -> None:
    rng = np.random.default_rng(7)
    exact = ratings_of(dict.fromkeys("ABCD", 1000), std_err=0)
    deltas, errors = [], []
    for _ in range(40):
        values = {
            name: column.tolist() for name, column in zip("ABCD", rng.normal(size=(4, 100)), strict=True)
        }
        frame = solve(scores_of(values), exact, draws=200).frame
        deltas.append(frame["delta"].to_numpy())
        errors.append(frame["std_err"].to_numpy())
    assert np.mean(errors) == pytest.approx(np.std(deltas), rel=0.2)


@pytest.mark.slow
@pytest.mark.parametrize("link", ["hard", "sigmoid"])
@pytest.mark.parametrize("references", [[], ["B"]])
def test_linearised_draws_match_solving_again(link: str, references: list[str]) -> None:
    """Resample prompts and ratings outright, solve each time, compare the spread."""
    scores, ratings = arena(150, 5, seed=8)
    settings: dict[str, Any] = {"link": link, "temperature": 0.5, "references": references}
    quick = solve(scores, ratings, draws=1000, **settings).frame.filter(~pl.col("is_reference"))
    rng = np.random.default_rng(9)
    wide = scores.frame.pivot(on="policy", index="prompt_id", values="score")
    solved = []
    for _ in range(150):
        again = wide[rng.integers(0, wide.height, wide.height)]
        drawn = ratings_of(
            dict(zip("ABCDE", rng.normal(ratings.frame["rating"], 5).tolist(), strict=True)), std_err=0
        )
        frame = solve(scores_of(again.drop("prompt_id").to_dict(as_series=False)), drawn, **settings).frame
        solved.append(frame.filter(~pl.col("is_reference"))["delta"].to_numpy())
    np.testing.assert_allclose(quick["std_err"], np.std(solved, axis=0), rtol=0.25)


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "settings", "error", "message"),
    [
        ({"A": [1, 2, None, None], "B": [2, 1, None, None], "C": [None, None, 1, 2]}, {}, NoOverlap, "'C'"),
        ({"A": [1, 2], "B": [2, None], "C": [3, 1]}, {}, NotIdentifiable, "'B' share a single prompt"),
        ({"A": [1, 2], "B": [1, 2], "C": [1, 2]}, {}, NotIdentifiable, "all scores are equal"),
        ({"A": [1, 2], "B": [0, 1]}, {"references": ["A", "B"]}, ConfigError, "nothing to solve"),
        ({"A": [1, 2], "B": [0, 1]}, {"references": "Z"}, UnknownPolicy, "'Z'"),
        ({"A": [1, 2], "B": [0, 1]}, {"objective": "mlp"}, ConfigError, "mlp"),
    ],
)
def test_bad_input_is_named(values: dict, settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        solve(scores_of(values), ratings_of({"A": 1000, "B": 1000, "C": 1000}), **settings)


@pytest.mark.realdata
def test_real_scores_of_46_policies(real_data: Path) -> None:
    scores = store.load(Scores, real_data / "scores" / "minilm_alpaca_eval.parquet")
    table = pl.read_csv(real_data / "alpaca_eval" / "arena_names.csv")
    ratings = Ratings(table.select("policy", "rating", "ci_low", "ci_high"))
    hard = solve(scores, ratings, draws=200)
    assert 0.15 < mean_residual(hard, "before") < 0.19
    assert mean_residual(hard) < 0.04
    assert hard.provenance["largest_total_wins_residual"] < 1 / 200
    soft = solve(scores, ratings, link="sigmoid", temperature=1.0)
    assert mean_residual(soft) > 0.15
