"""One policy against its references: through the tables, with intervals, and with bad input."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmWarning, ConfigError, NoOverlap, NotIdentifiable, UnknownPolicy
from charm_rm.offsets import apply_offsets, solve_offsets
from charm_rm.tables import Offsets, Ratings, Scores
from simulated_offsets import arena, ratings_of, scores_of

EVEN = ratings_of({"A": 1000, "B": 1000, "C": 1000})


def solve(scores: Scores, ratings: Ratings = EVEN, **settings: Any) -> Offsets:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return solve_offsets(
            scores, ratings, **{"over": "A", "references": "B", "draws": 0, "cross_fit": False} | settings
        )


def row(offsets: Offsets, policy: str = "A") -> dict[str, Any]:
    return offsets.frame.filter(pl.col("policy") == policy).row(0, named=True)


def test_one_pair_by_hand() -> None:
    # Margins 1, 2, 3, 4: even odds lie between 2 and 3.
    offsets = solve(scores_of({"A": [1, 2, 3, 4], "B": [0, 0, 0, 0]}))
    assert row(offsets)["delta"] == -2.5
    assert (row(offsets)["target"], row(offsets)["attained"]) == (0.5, 0.5)
    assert row(offsets, "B")["delta"] == 0
    assert row(offsets, "B")["is_reference"]
    assert offsets.residuals is not None
    assert offsets.residuals.rows() == [("A", "B", 4, 0.5, 1.0, 0.5, None)]


@pytest.mark.parametrize("link", ["hard", "sigmoid"])
def test_the_attained_win_rate_is_that_of_the_calibrated_scores(link: str) -> None:
    scores, ratings = arena(301, 3, seed=4, missing=0.1)
    offsets = solve(scores, ratings, link=link, temperature=0.5)
    wide = (
        apply_quietly(scores, offsets)
        .frame.pivot(on="policy", index="prompt_id", values="score")
        .drop_nulls(["A", "B"])
    )
    margin = (wide["A"] - wide["B"]).to_numpy()
    rate = (margin > 0).mean() if link == "hard" else (1 / (1 + np.exp(-margin / 0.5))).mean()
    found = row(offsets)
    assert found["attained"] == pytest.approx(rate, abs=1e-12)
    assert abs(found["attained"] - found["target"]) <= (
        1 / (2 * margin.size) + 1e-12 if link == "hard" else 1e-12
    )


def apply_quietly(scores: Scores, offsets: Offsets) -> Scores:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return apply_offsets(scores, offsets)


@pytest.mark.parametrize("link", ["hard", "sigmoid"])
@pytest.mark.parametrize("paired", [True, False])
def test_shifting_a_policy_shifts_its_offset_back(link: str, paired: bool) -> None:
    scores, ratings = arena(60, 2, seed=1)
    shifted = Scores(
        scores.frame.with_columns(pl.col("score") + pl.when(pl.col("policy") == "A").then(2.0).otherwise(0.0))
    )
    settings = {"link": link, "paired": paired}
    before, after = (row(solve(s, ratings, **settings))["delta"] for s in (scores, shifted))
    assert after == pytest.approx(before - 2, abs=1e-9)


def test_several_references_meet_the_weighted_target() -> None:
    scores, ratings = arena(200, 3, seed=2)
    offsets = solve(scores, ratings, references=["B", "C"], reference_weights=[3, 1])
    residuals = offsets.residuals
    assert residuals is not None
    weights = np.array([0.75, 0.25])
    assert row(offsets)["target"] == pytest.approx(weights @ residuals["target"].to_numpy())
    assert row(offsets)["attained"] == pytest.approx(weights @ residuals["after"].to_numpy())
    assert abs(row(offsets)["attained"] - row(offsets)["target"]) <= 0.5 * 0.75 / 200 + 1e-12


def test_several_policies_are_solved_one_by_one() -> None:
    scores, ratings = arena(80, 3, seed=3)
    both = solve(scores, ratings, over=["A", "B"], references="C")
    for name in ("A", "B"):
        assert (
            row(both, name)["delta"] == row(solve(scores, ratings, over=name, references="C"), name)["delta"]
        )


def test_unpaired_uses_all_against_all() -> None:
    offsets = solve(scores_of({"A": [1.0, 3.0, None], "B": [0.0, 10.0, 20.0]}), paired=False)
    # Thresholds -3, -1, 7, 9, 17, 19.
    assert row(offsets)["delta"] == 8.0
    assert offsets.residuals is not None
    assert offsets.residuals.rows() == [("A", "B", 6, 0.5, 2 / 6, 0.5, None)]


def test_offsets_survive_a_file(tmp_path: Path) -> None:
    scores, ratings = arena(50, 2, seed=0)
    offsets = solve(scores, ratings, draws=100)
    back = store.load(Offsets, store.save(offsets, tmp_path / "o.parquet"))
    assert back.frame.equals(offsets.frame)
    assert back.residuals is not None
    assert back.residuals.equals(offsets.residuals)
    assert back.provenance["references"] == ["B"]


# --- uncertainty --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"link": "hard"},
        {"link": "sigmoid", "temperature": 0.5},
        {"link": "hard", "paired": False},
        {"link": "sigmoid", "temperature": 0.5, "paired": False},
    ],
)
def test_the_interval_covers_the_truth(settings: dict[str, Any]) -> None:
    """Scores of known shift, 60 times over: 95 % intervals cover it about 95 % of the time."""
    rng = np.random.default_rng(5)
    covered = 0
    for seed in range(60):
        noise, prompt = rng.normal(size=(2, 80)), rng.normal(size=80)
        truth = ratings_of({"A": rng.normal(1000, 20), "B": rng.normal(1000, 20)}, std_err=20)
        values = {"A": (prompt + noise[0] + 0.7).tolist(), "B": (prompt + noise[1]).tolist()}
        found = row(solve(scores_of(values), truth, draws=200, seed=seed, **settings))
        covered += found["ci_low"] <= -0.7 <= found["ci_high"]
    assert covered >= 52


def test_std_err_matches_repeated_experiments() -> None:
    rng = np.random.default_rng(6)
    exact = ratings_of({"A": 1000, "B": 1000}, std_err=0)
    found = [
        row(solve(scores_of({"A": a.tolist(), "B": [0.0] * 100}), exact, draws=200))
        for a in rng.normal(size=(60, 100))
    ]
    spread = np.std([f["delta"] for f in found])
    assert np.mean([f["std_err"] for f in found]) == pytest.approx(spread, rel=0.25)


def test_rating_uncertainty_widens_the_interval() -> None:
    scores, _ = arena(200, 2, seed=7)
    sure, unsure = (
        row(solve(scores, ratings_of({"A": 1000, "B": 1000}, std_err=e), draws=400)) for e in (0.0, 80.0)
    )
    assert unsure["std_err"] > 1.5 * sure["std_err"]


def test_the_same_seed_gives_the_same_interval() -> None:
    scores, ratings = arena(50, 2, seed=8)
    first, again, other = (solve(scores, ratings, draws=100, seed=s).frame for s in (1, 1, 2))
    assert first.equals(again)
    assert not first.equals(other)


def test_an_aligned_policy_is_warned_of() -> None:
    scores = scores_of({"A": [1, -1, 2, -2, 3, -3], "B": [0] * 6})
    with pytest.warns(CharmWarning, match="calibrating may hurt"):
        offsets = solve_offsets(scores, EVEN, over="A", references="B", draws=100)
    assert "already aligned" in offsets.provenance["warnings"][0]


def test_ratings_without_uncertainty_are_warned_of() -> None:
    exact = Ratings(pl.DataFrame({"policy": ["A", "B"], "rating": [1000.0, 1000.0]}))
    with pytest.warns(CharmWarning, match="carry no uncertainty"):
        solve_offsets(
            scores_of({"A": list(range(7, 67)), "B": [0] * 60}), exact, over="A", references="B", draws=100
        )


# --- bad input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "settings", "error", "message"),
    [
        ({"A": [1, None], "B": [None, 2]}, {}, NoOverlap, "share no prompt"),
        ({"A": [1, None], "B": [1, 2]}, {}, NotIdentifiable, "share one prompt"),
        ({"A": [2, 3, 4], "B": [1, 2, 3]}, {}, NotIdentifiable, "all margins are equal"),
        ({"A": [1, 1, 1], "B": [0, 0, 0]}, {"paired": False}, NotIdentifiable, "all margins are equal"),
        ({"A": [1], "B": [0, 1]}, {"paired": False}, NotIdentifiable, "single score"),
        ({"A": [1, 2], "B": [0, 1]}, {"over": "Z"}, UnknownPolicy, "'Z'"),
        ({"A": [1, 2], "B": [0, 1]}, {"over": "B"}, ConfigError, "against itself"),
        ({"A": [1, 2], "B": [0, 1]}, {"references": []}, ConfigError, "at least one"),
        ({"A": [1, 2], "B": [0, 1]}, {"reference_weights": [0]}, ConfigError, "weights"),
        ({"A": [1, 2], "B": [0, 1]}, {"link": "probit"}, ConfigError, "probit"),
        ({"A": [1, 2], "B": [0, 1]}, {"temperature": 0}, ConfigError, "above 0"),
        ({"A": [1, 2], "B": [0, 1]}, {"temperature": float("nan")}, ConfigError, "above 0"),
        ({"A": [1, 2], "B": [0, 1]}, {"draws": 1}, ConfigError, "draws"),
    ],
)
def test_bad_input_is_named(values: dict, settings: dict, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        solve(scores_of(values), **settings)


def test_a_policy_without_rating_is_named() -> None:
    with pytest.raises(UnknownPolicy, match="'D'"):
        solve(scores_of({"D": [1, 2], "B": [0, 1]}), over="D")


@pytest.mark.parametrize("gap", [-20_000, 20_000])
def test_a_target_of_0_or_1_is_refused(gap: float) -> None:
    with pytest.raises(NotIdentifiable, match="no finite offset"):
        solve(scores_of({"A": [1, 2], "B": [0, 3]}), ratings_of({"A": 1000 + gap, "B": 1000}))


def test_equal_margins_are_fine_for_the_sigmoid() -> None:
    offsets = solve(scores_of({"A": [2, 3, 4], "B": [1, 2, 3]}), link="sigmoid")
    assert row(offsets)["delta"] == pytest.approx(-1.0)


def test_ties_that_hide_the_target_are_warned_of() -> None:
    scores = scores_of({"A": [0, 0, 0, 0, 0, 0, 0, 1], "B": [0] * 8})
    ratings = ratings_of({"A": 1120, "B": 1000})
    with pytest.warns(CharmWarning, match="not 0.66"):
        solve_offsets(scores, ratings, over="A", references="B", draws=0, cross_fit=False)


@pytest.mark.realdata
def test_the_papers_pair(real_data: Path) -> None:
    scores = store.load(Scores, real_data / "scores" / "minilm_alpaca_eval.parquet")
    table = pl.read_csv(real_data / "alpaca_eval" / "arena_names.csv")
    ratings = Ratings(table.select("policy", "rating", "ci_low", "ci_high"))
    over, ref = "gemma-2-9b-it-SimPO", "gpt-4o-mini-2024-07-18"
    offsets = solve(scores, ratings, over=over, references=ref, draws=200)
    assert offsets.residuals is not None
    found = offsets.residuals.row(0, named=True)
    assert found["target"] == pytest.approx(0.4187, abs=1e-4)
    assert 0.85 < found["before"] < 0.95
    assert abs(found["after"] - found["target"]) <= 1 / (2 * found["n"]) + 1e-9
    # Temperature 1 is far above the spread of these scores: it leaves the hard mismatch large.
    soft = solve(scores, ratings, over=over, references=ref, link="sigmoid")
    assert soft.residuals is not None
    assert abs(soft.residuals["after"][0] - found["target"]) > 0.1
