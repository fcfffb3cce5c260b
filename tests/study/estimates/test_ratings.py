"""Ratings of a study: the weighted fit, the joined fit, their influences by differences, and coverage."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning, NotIdentifiable
from charm_rm.ratings import fit_ratings
from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.study.estimates.predictions import Predictions
from charm_rm.study.estimates.rating_equation import influences, sample_of, score, solve
from charm_rm.study.estimates.ratings import rating_table, study_ratings
from charm_rm.study.nouns import Counted
from charm_rm.tables import Battles

POLICIES = ("ant", "bee", "cat", "dog")
TRUTH = np.array([0.8, 0.2, -0.3, -0.7])


def _world(
    seed: int,
    *,
    prompts: int = 40,
    share: float = 0.5,
    raters: int = 4,
    noise: float = 0.6,
    per_comparison: int = 1,
) -> Counted:
    """Votes on a chosen part of all comparisons of four policies; margin_rm knows what people think up to ``noise``.

    Comparisons that the model is unsure of are chosen twice as often, which the weights make up for.
    """
    rng = np.random.default_rng(seed)
    pairs = list(combinations(range(4), 2))
    hard = rng.standard_normal((prompts, len(pairs)))
    rows, votes = [], []
    for p in range(prompts):
        for j, (a, b) in enumerate(pairs):
            latent = TRUTH[a] - TRUTH[b] + hard[p, j]
            margin = 2 * (latent + noise * rng.standard_normal())
            base = {"prompt_id": f"q{p:03d}", "policy_a": POLICIES[a], "policy_b": POLICIES[b], "margin_rm": margin}  # fmt: skip
            chance = 1 / (1 + np.exp(-latent))
            rows.append({**base, "y": float(rng.random() < chance), "p": chance})
            inclusion = share * (1.0 if abs(margin) < 1 else 0.5)
            if rng.random() > inclusion:
                continue
            seen = rng.choice(raters, per_comparison, replace=False)
            for k, r in enumerate(seen):
                y = rows[-1]["y"] if k == 0 else float(rng.random() < chance)
                y = 0.5 if rng.random() < 0.1 else y
                votes.append({**base, "comparison_id": f"{p}-{j}", "rater": f"r{r}", "y": y, "decided": y != 0.5, "weight": 1 / (inclusion * len(seen))})  # fmt: skip
    return Counted(pl.DataFrame(votes), pl.DataFrame(rows), ("rm",))


def _f(counted: Counted) -> Predictions:
    """A prediction off the margins: σ(margin / 2)."""
    win, win_all = (1 / (1 + np.exp(-table["margin_rm"].to_numpy() / 2)) for table in (counted.frame, counted.all))  # fmt: skip
    return Predictions(win, 1 - win, win_all, 1 - win_all)


def _battles(frame: pl.DataFrame) -> Battles:
    winner = pl.col("y").replace_strict({1.0: "a", 0.0: "b", 0.5: "tie"}, return_dtype=pl.String)
    weight = pl.col("weight") if "weight" in frame.columns else pl.lit(1.0)
    return Battles(frame.select("policy_a", "policy_b", winner.alias("winner"), "prompt_id", weight.alias("weight")))  # fmt: skip


@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.7]))
def test_the_classical_fit_is_that_of_weighted_battles(seed: int, prior: float) -> None:
    counted = _world(seed, raters=1, prompts=60)
    counted = replace(
        counted,
        frame=counted.frame.with_columns(pl.col("weight") * counted.frame.height / pl.col("weight").sum()),
    )
    ours = study_ratings(counted, prior=prior)
    theirs = fit_ratings(_battles(counted.frame), prior=prior)
    assert ours.frame["policy"].to_list() == theirs.frame["policy"].to_list()
    np.testing.assert_allclose(ours.frame["rating"], theirs.frame["rating"], atol=1e-6)
    assert ours.covariance is not None
    assert theirs.covariance is not None
    # a prior shrinks; the mean score that is then left is taken off here, and not there
    np.testing.assert_allclose(ours.covariance, theirs.covariance, rtol=1e-6 if not prior else 0.05, atol=1e-6 if not prior else 20)  # fmt: skip


def test_predictions_that_are_the_truth_give_the_fit_of_all_candidates() -> None:
    counted = _world(5)
    known = counted.all["y"].to_numpy()
    frame = counted.frame.drop("y").join(counted.all.select("prompt_id", "policy_a", "policy_b", "y"), on=["prompt_id", "policy_a", "policy_b"], maintain_order="left", how="left")  # fmt: skip
    y = frame["y"].to_numpy()
    ours = study_ratings(replace(counted, frame=frame), Predictions(y, 1 - y, known, 1 - known), lam=1.0)
    theirs = fit_ratings(_battles(counted.all))
    np.testing.assert_allclose(ours.frame["rating"], theirs.frame["rating"], atol=1e-6)


@given(st.integers(0, 10**6), st.floats(0, 1), st.lists(st.floats(-2, 2), min_size=4, max_size=4))
def test_the_score_is_the_slope_of_the_loss(seed: int, lam: float, theta: list[float]) -> None:
    counted = _world(seed, prompts=12)
    predicted = _f(counted)
    sample = sample_of(counted, predicted, 0.0)
    at = np.array(theta[: len(sample.policies)])

    def loss(t: np.ndarray) -> float:
        eta, eta_all = t[sample.first] - t[sample.second], t[sample.first_all] - t[sample.second_all]
        votes = sample.weight @ ((1 - lam) * np.logaddexp(0, eta) - (sample.y - lam * sample.f) * eta) / sample.weight.sum()  # fmt: skip
        return float(votes + lam * np.mean(np.logaddexp(0, eta_all) - sample.f_all * eta_all))

    step = 1e-5
    slope = [(loss(at + step * e) - loss(at - step * e)) / (2 * step) for e in np.eye(len(at))]
    np.testing.assert_allclose(score(sample, lam, at), -sample.n * np.array(slope), atol=1e-5 * sample.n)


@pytest.mark.parametrize("lam", [0.0, 0.6])
def test_an_influence_is_what_a_vote_moves(lam: float) -> None:
    """w dθ/dw by differences of the solved equation; of a candidate, what a little more of it does."""
    counted = _world(9, prompts=25)
    predicted = _f(counted)
    sample = sample_of(counted, predicted, 0.0)
    theta = solve(sample, lam).parameters
    u = influences(sample, lam, theta)
    for i in (0, 7, sample.n - 1):
        moved = sample.weight.copy()
        moved[i] *= 1 + 1e-5
        again = solve(replace(sample, weight=moved * sample.n / moved.sum()), lam).parameters
        np.testing.assert_allclose((again - theta) / 1e-5, u[i], atol=1e-5)
    np.testing.assert_allclose(u.sum(axis=0), 0, atol=1e-8)
    if lam:
        twice = _doubled(counted, predicted, "q003")
        again = solve(sample_of(*twice, 0.0), lam).parameters
        mine = u[sample.n + 3]  # the prompts' codes are in the order of their names
        np.testing.assert_allclose(again - theta, mine, atol=0.15 * np.abs(mine).max() + 1e-6)


def _doubled(counted: Counted, predicted: Predictions, prompt: str) -> tuple[Counted, Predictions]:
    """The candidates of a prompt twice, its votes once."""
    more = (counted.all["prompt_id"] == prompt).to_numpy()
    everything = pl.concat([counted.all, counted.all.filter(pl.Series(more))])
    win = np.concatenate([predicted.win_all, predicted.win_all[more]])
    return replace(counted, all=everything), Predictions(predicted.win, predicted.loss, win, 1 - win)


def test_predictions_without_a_clue_cost_nothing() -> None:
    counted = _world(2, prompts=80)
    rng = np.random.default_rng(1)
    win, win_all = rng.random(counted.frame.height), rng.random(counted.all.height)
    powered = study_ratings(counted, Predictions(win, 1 - win, win_all, 1 - win_all))
    classical = study_ratings(counted)
    assert powered.provenance["lam"] < 0.15
    ratio = powered.frame.sort("policy")["std_err"] / classical.frame.sort("policy")["std_err"]
    assert 0.9 < float(ratio.mean()) < 1.05  # type: ignore[arg-type]


def test_an_undefeated_policy_leaves_the_study_without_ratings_and_says_what_to_do() -> None:
    counted = _world(3)
    won = pl.when(pl.col("policy_a") == "ant").then(1.0).otherwise(pl.col("y"))
    counted = replace(counted, frame=counted.frame.with_columns(won.alias("y")))
    with pytest.raises(NotIdentifiable, match="'ant' never lost"):
        study_ratings(counted)
    with pytest.warns(CharmWarning, match="no ratings by people.*'ant' never lost.*prior"):
        table, classical, powered = rating_table(counted, _f(counted))
    assert table.height == 0
    assert classical is powered is None
    table, classical, _ = rating_table(counted, _f(counted), prior=1.0)
    assert classical is not None
    assert classical.frame["policy"][0] == "ant"
    assert set(table["estimator"]) == {"classical", "prediction-powered"}


def test_policies_without_votes_are_named() -> None:
    counted = _world(4)
    votes = counted.frame.filter(pl.col("policy_b") != "dog")
    with pytest.warns(CharmWarning, match="1 policy has no votes, and no rating: 'dog'"):
        found = study_ratings(replace(counted, frame=votes))
    assert found.policies == ["ant", "bee", "cat"]


def test_one_vote_on_one_prompt_is_no_rating() -> None:
    frame = _world(4).frame.head(1).with_columns(y=pl.lit(0.5))
    with pytest.raises(NotIdentifiable, match="one rater on one prompt"):
        study_ratings(Counted(frame, frame, ("rm",)))


@pytest.mark.slow
def test_intervals_of_both_cover_and_the_joined_ones_are_narrower() -> None:
    """Ratings of the population of prompts, whose limit is the fit to a hundred thousand comparisons' own chances."""
    truth = _limit()
    inside = {"classical": 0, "prediction-powered": 0}
    widths: dict[str, list[float]] = {name: [] for name in inside}
    runs = 120
    for seed in range(runs):
        counted = _world(seed, prompts=150, share=0.35, raters=12, noise=0.4)
        table, _, _ = rating_table(counted)
        for row in table.iter_rows(named=True):
            value = truth[row["policy"]]
            inside[row["estimator"]] += row["ci_low"] <= value <= row["ci_high"]
            widths[row["estimator"]].append(row["ci_high"] - row["ci_low"])
    assert all(0.92 <= n / (4 * runs) <= 0.985 for n in inside.values()), inside
    assert np.mean(widths["prediction-powered"]) < 0.95 * np.mean(widths["classical"])


def _limit() -> dict[str, float]:
    everything = _world(10**6, prompts=15_000, share=0.0001).all
    rows = []
    for (a, b), group in everything.group_by("policy_a", "policy_b"):
        p = float(group["p"].mean())  # type: ignore[arg-type]
        rows += [{"policy_a": a, "policy_b": b, "winner": w, "weight": x} for w, x in (("a", p), ("b", 1 - p))]  # fmt: skip
    fitted = fit_ratings(Battles(pl.DataFrame(rows))).frame
    assert abs(fitted["rating"].max() - fitted["rating"].min()) < 2 * ELO_PER_LOGIT  # type: ignore[operator]
    return dict(fitted.select("policy", "rating").iter_rows())
