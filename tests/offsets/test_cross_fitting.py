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
from simulated_offsets import arena, ratings_of, scores_of


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


def aligned_in_ties(seed: int, names: str = "ABC") -> tuple[Scores, Ratings]:
    """The same whole-number scores in another order for each policy, rated alike."""
    rng = np.random.default_rng(seed)
    column = rng.integers(4, 7, size=60).astype(float)
    values = {name: rng.permutation(column).tolist() for name in names}
    return scores_of(values), ratings_of(dict.fromkeys(names, 1000.0))


@pytest.mark.parametrize("link", ["hard", "sigmoid"])
def test_joint_offsets_that_stay_0_gain_and_lose_nothing(link: str) -> None:
    scores, ratings = aligned_in_ties(3)
    if link == "sigmoid":  # each policy meets each other the same way both times: 0 is the solution, exactly
        frame = scores.frame.filter(pl.col("policy") == "A")
        scores = Scores(pl.concat(frame.with_columns(policy=pl.lit(name)) for name in "ABC"))
    found = solve(solve_joint_offsets, scores, ratings, link=link)
    assert not found.frame["delta"].to_numpy().any()
    assert found.residuals["after_cross_fitted"].to_list() == found.residuals["before"].to_list()
    assert found.frame["attained_cross_fitted"].to_list() == found.frame["attained"].to_list()
    assert not any("worse" in note for note in found.provenance["warnings"])


def test_pairs_that_offsets_leave_alone_are_what_they_were() -> None:
    """A fourth policy, a whole point too high, is taken back; the other three stay, and so do their pairs."""
    scores, ratings = aligned_in_ties(1, "ABCD")
    biased = Scores(scores.frame.with_columns(pl.col("score") + (pl.col("policy") == "D").cast(float)))
    found = solve(solve_joint_offsets, biased, ratings, references=["A"])
    deltas = dict(found.frame.select("policy", "delta").iter_rows())
    assert deltas == {"A": 0.0, "B": 0.0, "C": 0.0, "D": -1.0}
    for row in found.residuals.iter_rows(named=True):
        assert (row["after_cross_fitted"] == row["before"]) is ("D" not in (row["policy"], row["reference"]))


def test_a_single_offset_that_stays_0_gains_and_loses_nothing() -> None:
    """Ties that no offset turns in part: half of the prompts alone would choose otherwise."""
    rng = np.random.default_rng(0)
    values = {"A": rng.permutation([1.0] * 36 + [2.0] * 4).tolist(), "B": [1.0] * 40}
    found = solve(
        solve_offsets, scores_of(values), ratings_of({"A": 1000, "B": 1000}), over="A", references="B"
    )
    assert found.frame["delta"][0] == 0
    assert found.residuals["after_cross_fitted"][0] == found.residuals["before"][0] == 0.55
    assert found.frame["attained_cross_fitted"][0] == 0.55


@pytest.mark.parametrize(("favour", "warned"), [(0.0, True), (2.0, False)])
def test_offsets_that_make_fresh_prompts_worse_are_warned_of(favour: float, warned: bool) -> None:
    """An aligned RM has nothing to correct; one that favours D by far has."""
    values = np.random.default_rng(2).normal(size=(6, 100))
    values[3] += favour
    scores = scores_of({name: row.tolist() for name, row in zip("ABCDEF", values, strict=True)})
    found = solve(solve_joint_offsets, scores, ratings_of(dict.fromkeys("ABCDEF", 1000.0)))
    before, crossed = (
        (found.residuals[c] - found.residuals["target"]).abs().mean()
        for c in ("before", "after_cross_fitted")
    )
    assert (crossed > before) is warned
    said = [note for note in found.provenance["warnings"] if "better leave the scores as they are" in note]
    assert len(said) == warned
    assert all(f"{before:.4f} before, {crossed:.4f} cross-fitted" in note for note in said)


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
        solve_offsets(Scores(frame), ratings_of({"A": 415, "B": 1000}), over="A", references="B", draws=0)


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
