"""Weights from votes on responses: recovered where they are planted, compared with those from policies, put together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from charm_rm.errors import ConfigError, NoOverlap, NotIdentifiable
from charm_rm.features import StyleFeatures
from charm_rm.style import Calibrator, FeatureWeight
from charm_rm.style.votes import VoteWeights, compare_with_votes, fit_vote_weights, with_votes
from charm_rm.tables import Battles, Scores

PLANTED, T = np.array([-0.6, 0.3]), 0.8


def calibrator(weights: tuple[float, ...] = (-0.5, 0.2), *, std_err: float | None = 0.1) -> Calibrator:
    """Two features in their own unit."""
    features = tuple(
        FeatureWeight(
            name,
            1,
            0.0,
            1.0,
            w,
            std_err,
            None if std_err is None else w - 0.2,
            None if std_err is None else w + 0.2,
        )
        for name, w in zip(("bold", "words"), weights, strict=True)
    )
    return Calibrator("score", features, 1.0, T, 0.8, 1e-3, 0.9)


def world(
    seed: int, *, prompts: int = 400, policies: int = 8, sign: float = 1.0
) -> tuple[Battles, Scores, StyleFeatures]:
    """Votes by what the scores say once the planted weights are added."""
    rng = np.random.default_rng(seed)
    shape = (prompts, policies)
    features, scores = rng.standard_normal((*shape, 2)), rng.standard_normal(shape)
    truth = sign * (scores + features @ PLANTED)
    i = np.repeat(np.arange(prompts), 6)
    a, b = np.array([rng.permutation(policies)[:2] for _ in i]).T
    won = rng.random(len(i)) < expit((truth[i, a] - truth[i, b]) / T)
    ids = [f"p{n}" for n in range(prompts) for _ in range(policies)]
    names = [f"m{k}" for _ in range(prompts) for k in range(policies)]
    votes = Battles(
        pl.DataFrame(
            {
                "prompt_id": [f"p{n}" for n in i],
                "policy_a": [f"m{k}" for k in a],
                "policy_b": [f"m{k}" for k in b],
                "winner": np.where(won, "a", "b"),
            }
        )
    )
    table = pl.DataFrame({"prompt_id": ids, "policy": names})
    seen = table.with_columns(bold=features[..., 0].ravel(), words=features[..., 1].ravel())
    return votes, Scores(table.with_columns(score=scores.ravel())), StyleFeatures(seen)


def test_planted_weights_are_recovered_within_their_errors() -> None:
    covered = []
    for seed in range(40):
        found = fit_vote_weights(*world(seed, prompts=120), calibrator())
        covered.append(np.abs(found.weights - PLANTED) <= 1.96 * found.std_err)
    assert 0.86 <= np.mean(covered) <= 1.0
    big = fit_vote_weights(*world(99, prompts=3000), calibrator())
    assert big.weights == pytest.approx(PLANTED, abs=0.06)
    assert big.temperature == pytest.approx(T, rel=0.08)
    assert (big.n_votes, big.n_prompts) == (18000, 3000)


def test_it_is_the_maximum_of_the_likelihood() -> None:
    votes, scores, features = world(5, prompts=60)
    found = fit_vote_weights(votes, scores, features, calibrator())
    seen = features.frame.join(scores.frame, on=["prompt_id", "policy"])
    sides = [
        votes.frame.join(
            seen,
            left_on=["prompt_id", f"policy_{s}"],
            right_on=["prompt_id", "policy"],
            maintain_order="left",
        )
        for s in "ab"
    ]
    x = np.column_stack([(sides[0][c] - sides[1][c]).to_numpy() for c in ("score", "bold", "words")])
    y = (votes.frame["winner"] == "a").to_numpy().astype(float)
    best = minimize(lambda b: np.logaddexp(0, x @ b).sum() - y @ (x @ b), np.zeros(3), tol=1e-12).x
    assert found.weights == pytest.approx(best[1:] / best[0], abs=1e-4)
    assert found.temperature == pytest.approx(1 / best[0], rel=1e-4)


def test_which_side_a_response_stood_on_changes_nothing() -> None:
    votes, scores, features = world(6, prompts=60)
    turned = votes.frame.select(
        "prompt_id",
        policy_a="policy_b",
        policy_b="policy_a",
        winner=pl.col("winner").replace_strict({"a": "b", "b": "a"}),
    )
    one, other = (fit_vote_weights(v, scores, features, calibrator()) for v in (votes, Battles(turned)))
    assert one.weights == pytest.approx(other.weights, abs=1e-9)
    assert one.covariance == pytest.approx(other.covariance, abs=1e-9)


def test_both_are_compared_and_put_together_by_precision() -> None:
    votes = VoteWeights(("bold", "words"), np.array([-0.7, 0.2]), np.diag([0.04, 0.01]), T, 100, 10)
    table = compare_with_votes(calibrator(), votes)
    assert table["difference"].to_list() == pytest.approx([-0.2, 0.0])
    assert table["p_value"].to_list() == pytest.approx([0.371, 1.0], abs=1e-3)
    both = with_votes(calibrator(), votes)
    assert both.weights == pytest.approx([(-0.5 / 0.01 - 0.7 / 0.04) / 125, 0.2])
    assert both.features[0].std_err == pytest.approx(125**-0.5)
    assert both.held_out == ()
    assert both.fingerprint != calibrator().fingerprint


def test_what_cannot_be_fitted_is_refused() -> None:
    votes, scores, features = world(1, prompts=40)
    nowhere = Battles(votes.frame.with_columns(prompt_id=pl.lit("elsewhere")))
    with pytest.raises(NoOverlap, match="no vote is on two responses"):
        fit_vote_weights(nowhere, scores, features, calibrator())
    with pytest.raises(ConfigError, match="name no prompts"):
        fit_vote_weights(Battles(votes.frame.drop("prompt_id")), scores, features, calibrator())
    with pytest.raises(ConfigError, match="of judgements"):
        fit_vote_weights(votes, scores, features, replace(calibrator(), unit="log-odds"))
    same = StyleFeatures(features.frame.with_columns(bold=pl.lit(1.0)))
    with pytest.raises(NotIdentifiable, match="do not tell"):
        fit_vote_weights(votes, scores, same, calibrator())
    with pytest.raises(NotIdentifiable, match="go against"):
        fit_vote_weights(*world(2, prompts=100, sign=-1.0), calibrator())
    with pytest.raises(ConfigError, match="no standard errors"):
        with_votes(calibrator(std_err=None), fit_vote_weights(votes, scores, features, calibrator()))
