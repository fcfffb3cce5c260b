"""What is predicted of a vote: by other prompts alone, the same from either side, and useful where models are."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from charm_rm.study.estimates.predictions import fit_logistic, predict_votes

from ..worlds import small_studies, small_study


@settings(max_examples=30)
@given(small_studies())
def test_probabilities_are_probabilities_and_a_vote_is_predicted_as_its_candidate_is(counted) -> None:
    """Votes are among the candidates: whatever is predicted of one is predicted of the other."""
    found = predict_votes(counted)
    for win, loss in ((found.win, found.loss), (found.win_all, found.loss_all)):
        assert (win >= 0).all()
        assert (loss >= 0).all()
        assert (win + loss <= 1 + 1e-12).all()
    key = ["prompt_id", "policy_a", "policy_b"]
    of_all = counted.all.with_columns(win=pl.Series(found.win_all), loss=pl.Series(found.loss_all))
    joined = counted.frame.join(of_all, on=key, how="left", maintain_order="left")
    assert found.win == pytest.approx(joined["win"].to_numpy())
    assert found.loss == pytest.approx(joined["loss"].to_numpy())


def test_a_prompts_own_votes_do_not_touch_its_prediction() -> None:
    counted = small_study(3)
    prompt = counted.frame["prompt_id"][0]
    turned = dataclasses.replace(
        counted,
        frame=counted.frame.with_columns(
            y=pl.when(pl.col("prompt_id") == prompt).then(1 - pl.col("y")).otherwise("y")
        ),
    )
    one, other = predict_votes(counted), predict_votes(turned)
    there = (counted.all["prompt_id"] == prompt).to_numpy()
    assert (one.win_all[there] == other.win_all[there]).all()
    assert not (one.win_all == other.win_all).all()


def test_sides_are_treated_alike() -> None:
    counted = small_study(4)
    margins = [-pl.col(f"margin_{m}") for m in counted.models]
    turned = dataclasses.replace(
        counted,
        frame=counted.frame.with_columns((1 - pl.col("y")).alias("y"), *margins),
        all=counted.all.with_columns(*margins),
    )
    one, other = predict_votes(counted), predict_votes(turned)
    assert one.win_all == pytest.approx(other.loss_all)
    assert one.y_all == pytest.approx(1 - other.y_all)


def test_a_scale_of_scores_does_not_matter() -> None:
    counted = small_study(5)
    scaled = [pl.col(f"margin_{m}") * 1000 for m in counted.models]
    other = dataclasses.replace(
        counted, frame=counted.frame.with_columns(*scaled), all=counted.all.with_columns(*scaled)
    )
    assert predict_votes(counted).win_all == pytest.approx(predict_votes(other).win_all)


def test_a_good_model_is_believed_and_noise_is_not() -> None:
    good = small_study(6, votes=300, prompts=100, noise=(0.1,))
    noise = small_study(6, votes=300, prompts=100, noise=(100.0,))
    assert np.corrcoef(predict_votes(good).y, good.frame["y"].to_numpy())[0, 1] > 0.3
    assert np.std(predict_votes(noise).y_all) < 0.1 < np.std(predict_votes(good).y_all)


def test_without_models_or_with_models_that_never_decide_every_vote_is_even() -> None:
    without = small_study(7, noise=())
    assert predict_votes(without).y_all == pytest.approx(0.5)
    flat = small_study(7)
    zero = [pl.lit(0.0).alias(f"margin_{m}") for m in flat.models]
    flat = dataclasses.replace(flat, frame=flat.frame.with_columns(*zero), all=flat.all.with_columns(*zero))
    assert predict_votes(flat).y_all == pytest.approx(0.5)


@settings(max_examples=10)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_slopes_are_those_of_a_general_solver(seed, p) -> None:
    rng = np.random.default_rng(seed)
    x, weight, ridge = rng.normal(size=(25, p)), rng.uniform(0, 3, 25), np.full(p, 0.5)
    y = rng.choice([0.0, 0.5, 1.0], 25)

    def loss(b: np.ndarray) -> float:
        eta = x @ b
        return float((weight * (np.logaddexp(0, eta) - y * eta)).sum() + 0.5 * (ridge * b**2).sum())

    found = fit_logistic(x, y, weight, ridge)
    assert found == pytest.approx(optimize.minimize(loss, np.zeros(p), tol=1e-10).x, abs=1e-3)


def test_votes_that_a_model_foresees_without_fail_keep_slopes_finite() -> None:
    x = np.linspace(-1, 1, 40)[:, None]
    slope = fit_logistic(x, (x[:, 0] > 0).astype(float), np.ones(40), np.ones(1))
    assert 1 < slope[0] < 20
