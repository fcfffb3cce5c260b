"""Shares of win rates and of favours: they add up, and they are the derivatives' integrals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.margins import ScoreMargins, all_pairs, incidence
from charm_rm.statistics import sigmoid
from charm_rm.style.attribution import (
    How,
    favour_by_theta,
    judge,
    operator_between,
    shares_of_wins,
    take_style_off,
)
from charm_rm.style.comparisons import ShiftedMargins
from charm_rm.style.inputs import pose_problem
from charm_rm.style.weighing import measured_for
from style.styled import OWN, styled


def _slow_shares(
    scores: np.ndarray, features: np.ndarray, weights: np.ndarray, temperature: float
) -> np.ndarray:
    """∫ ∂/∂d_j of each outcome along the way from no move to the whole, by a thousand small steps, pair by pair."""
    size, n, d = features.shape
    wins = np.zeros(features.shape)
    steps = (np.arange(1000) + 0.5) / 1000
    for k in range(size):
        for other in range(size):
            for i in range(n):
                if k == other or np.isnan(scores[k, i] - scores[other, i]):
                    continue
                gap = features[k, i] - features[other, i]
                way = (scores[k, i] - scores[other, i] + steps * (weights @ gap)) / temperature
                slope = float((sigmoid(way) * (1 - sigmoid(way))).mean()) / temperature
                for j in range(d):
                    wins[k, i, j] += slope * gap[j]
    return wins


@given(seed=st.integers(0, 1000), missing=st.booleans(), temperature=st.sampled_from([0.3, 1.0, 4.0]))
def test_shares_are_integrals_of_derivatives(seed: int, missing: bool, temperature: float) -> None:
    rng = np.random.default_rng(seed)
    scores, features, weights = rng.normal(size=(4, 5)), rng.normal(size=(4, 5, 3)), rng.normal(size=3)
    features[0] = features[1]  # a pair that nothing moves
    if missing:
        scores[2, 3] = np.nan
    paired = ScoreMargins(tuple("abcd"), all_pairs(4), scores)
    fast = shares_of_wins(paired, features, weights, temperature)
    assert np.allclose(fast, _slow_shares(scores, features, weights, temperature), atol=1e-5)


@given(seed=st.integers(0, 1000))
def test_shares_sum_to_the_change_of_wins(seed: int) -> None:
    rng = np.random.default_rng(seed)
    features, weights = rng.normal(size=(5, 7, 4)), rng.normal(size=4)
    paired = ScoreMargins(tuple("abcde"), all_pairs(5), rng.normal(size=(5, 7)))
    wins = (shares_of_wins(paired, features, weights, 0.7) @ weights).sum(axis=1)

    def rates(margins: object) -> np.ndarray:
        return np.asarray(sigmoid(margins.rows(slice(None)) / 0.7).sum(axis=1))  # type: ignore[attr-defined]

    change = rates(ShiftedMargins(paired, features @ weights)) - rates(paired)
    assert np.allclose(wins, incidence(paired.pairs, 5).T @ change)
    assert abs(wins.sum()) < 1e-9


@pytest.mark.parametrize("outcome", ["hard", "soft"])
def test_favour_is_what_features_explain_and_what_they_do_not(outcome: str) -> None:
    world = styled(slope=(1.0, -0.6), favour=30)
    problem = pose_problem(
        world.scores, measured_for(world.scores, world.responses, (), OWN), world.ratings, limit=4.0
    )
    how = How(outcome)  # type: ignore[arg-type]
    before = judge(how.tally(problem.paired), problem.rated, "sample")
    weights = np.array([-0.9, 0.5])
    found = take_style_off(before, problem.paired, problem.part.features, weights, problem.rated, how)
    total = found.explained.sum(axis=1) + found.unexplained
    assert np.allclose(total, before.favours.favour)
    assert np.allclose(found.after.favours.favour + found.closing, found.unexplained)
    assert np.abs(found.closing).max() < 0.08 * np.abs(found.explained).max()
    none = take_style_off(before, problem.paired, problem.part.features, 0 * weights, problem.rated, how)
    assert np.allclose(none.explained, 0)
    assert np.allclose(none.closing, 0, atol=1e-9)


def test_the_operator_is_the_derivative_where_nothing_moves() -> None:
    """Against the favours of win rates that are a little different, refitted."""
    world = styled(favour=40)
    how = How("soft")
    problem = pose_problem(
        world.scores, measured_for(world.scores, world.responses, (), OWN), world.ratings, limit=4.0
    )
    tally = how.tally(problem.paired)
    before = judge(tally, problem.rated, "sample")
    found = operator_between(tally, tally, problem.rated)
    assert np.allclose(found.by_theta, favour_by_theta(before.measured))
    moved = how.tally(ShiftedMargins(problem.paired, 0.01 * problem.part.features[:, :, 0]))
    wins = incidence(tally.pairs, len(problem.policies)).T @ (tally.n * (moved.win_rate - tally.win_rate))
    change = judge(moved, problem.rated, "sample").favours.favour - before.favours.favour
    assert np.allclose(found.favour @ wins, change, atol=0.05 * np.abs(change).max())
