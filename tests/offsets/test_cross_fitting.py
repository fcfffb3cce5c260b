"""Cross-fitted win rates: against a slow twin, and against fresh prompts."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import CharmWarning
from charm_rm.offsets import solve_joint_offsets, solve_offsets
from charm_rm.offsets.cross_fitting import as_fresh
from charm_rm.splits import fold_of, only_prompts
from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.tables import Offsets, Ratings, Scores
from reference.slow_offsets import hard_win_rate
from simulated_offsets import arena, ratings_of


def solve(verb: Any, scores: Scores, ratings: Ratings, **how: Any) -> Offsets:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return verb(scores, ratings, **{"draws": 0} | how)


def slow_cross_fit(verb: Any, scores: Scores, ratings: Ratings, pair: tuple[str, str], **how: Any) -> float:
    """Solve on each half by the plain verb, measure on the other, put the two together."""
    prompts = sorted(scores.frame["prompt_id"].unique())
    fold = fold_of(prompts, 2, seed=0)
    rates = []
    for half in (0, 1):
        train, held_out = (
            only_prompts(scores, [p for p, f in zip(prompts, fold, strict=True) if (f == half) == kept])
            for kept in (True, False)
        )
        found = solve(verb, train, ratings, cross_fit=False, **how).frame
        deltas = dict(zip(found["policy"], found["delta"], strict=True))
        wide = held_out.frame.pivot(on="policy", index="prompt_id", values="score").drop_nulls(list(pair))
        a, b = (wide[p].to_list() for p in pair)
        rates.append(hard_win_rate(a, b, deltas[pair[0]] - deltas[pair[1]]))
    return (rates[0] + rates[1]) / 2 + (rates[0] - rates[1]) / (2 * 2**0.5)


@pytest.mark.parametrize("link", ["hard", "sigmoid"])
@pytest.mark.parametrize("paired", [True, False])
def test_one_pair_is_that_of_the_slow_twin(link: str, paired: bool) -> None:
    scores, ratings = arena(61, 3, seed=2, missing=0.1 if paired else 0.0)
    how = {"over": "A", "references": "B", "link": link, "temperature": 0.5}
    found = solve(solve_offsets, scores, ratings, paired=paired, **how)
    if paired:
        slow = slow_cross_fit(solve_offsets, scores, ratings, ("A", "B"), **how)
        assert found.residuals["after_cross_fitted"][0] == pytest.approx(slow)
    if link == "hard":
        assert found.frame["attained_cross_fitted"][0] == pytest.approx(
            found.residuals["after_cross_fitted"][0]
        )
    assert found.frame["attained_cross_fitted"][1] is None


def test_joint_offsets_are_those_of_the_slow_twin() -> None:
    """To about a prompt: the halves are solved from another start."""
    scores, ratings = arena(200, 4, seed=3)
    found = solve(solve_joint_offsets, scores, ratings)
    for row in found.residuals.iter_rows(named=True):
        slow = slow_cross_fit(solve_joint_offsets, scores, ratings, (row["policy"], row["reference"]))
        assert row["after_cross_fitted"] == pytest.approx(slow, abs=0.02)
    smooth = solve(solve_joint_offsets, scores, ratings, link="sigmoid", temperature=0.5)
    for row in smooth.residuals.iter_rows(named=True):
        slow = slow_cross_fit(
            solve_joint_offsets,
            scores,
            ratings,
            (row["policy"], row["reference"]),
            link="sigmoid",
            temperature=0.5,
        )
        assert row["after_cross_fitted"] == pytest.approx(slow, abs=1e-6)


def test_the_scaling_by_hand() -> None:
    np.testing.assert_allclose(as_fresh(np.array([0.6]), np.array([0.4])), 0.5 + 0.1 / np.sqrt(2))
    np.testing.assert_allclose(as_fresh(np.array([0.6]), np.array([0.6])), 0.6)
    np.testing.assert_allclose(as_fresh(np.array([1.0]), np.array([0.99])), 1.0 - 0.005 + 0.005 / np.sqrt(2))


def test_too_few_prompts_give_none() -> None:
    scores, ratings = arena(9, 2, seed=1)
    for found in (
        solve(solve_offsets, scores, ratings, over="A", references="B"),
        solve(solve_joint_offsets, scores, ratings),
    ):
        assert found.frame["attained_cross_fitted"].is_null().all()
        assert found.residuals["after_cross_fitted"].is_null().all()


def test_a_half_that_says_nothing_is_named() -> None:
    frame = arena(30, 2, seed=1)[0].frame.with_columns(
        pl.when(pl.col("prompt_id") == "p0003").then(pl.col("score")).otherwise(1.0).alias("score")
    )
    with pytest.warns(CharmWarning, match="no cross-fitted win rates"):
        solve_offsets(Scores(frame), ratings_of({"A": 1000, "B": 1000}), over="A", references="B", draws=0)


@pytest.mark.slow
@pytest.mark.parametrize("favour", [0.0, 100.0])
def test_cross_fitted_misses_are_those_of_fresh_prompts(favour: float) -> None:
    """Mean |win rate - target| over pairs: in-sample far too small, cross-fitted as on as many fresh prompts."""
    rng, found = np.random.default_rng(4), []
    names, n = "ABCDEF", 150
    for _ in range(25):
        rating = 1000 + 100 * rng.standard_normal(6)
        theta = (rating + favour * rng.standard_normal(6)) / ELO_PER_LOGIT
        seen, fresh = (theta + rng.gumbel(size=(n, 6)) for _ in range(2))
        scores = Scores(
            pl.DataFrame(
                {
                    "prompt_id": np.repeat([f"p{i}" for i in range(n)], 6),
                    "policy": np.tile(list(names), n),
                    "score": seen.ravel(),
                }
            )
        )
        ratings = ratings_of(dict(zip(names, rating.tolist(), strict=True)))
        solved = solve(solve_joint_offsets, scores, ratings)
        moved = fresh + solved.frame["delta"].to_numpy()
        column = {name: moved[:, k] for k, name in enumerate(names)}
        misses = [
            abs((column[r["policy"]] > column[r["reference"]]).mean() - r["target"])
            for r in solved.residuals.iter_rows(named=True)
        ]
        gaps = [
            (solved.residuals[c] - solved.residuals["target"]).abs().mean()
            for c in ("after", "after_cross_fitted")
        ]
        found.append((*gaps, np.mean(misses)))
    inside, crossed, outside = np.mean(found, axis=0)
    assert inside < 0.6 * outside
    assert crossed == pytest.approx(outside, rel=0.2)
