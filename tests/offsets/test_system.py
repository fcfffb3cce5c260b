"""The joint equations: rates and slopes against loops and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from charm_rm.offsets.system import JointProblem, hard_rates, sigmoid_rates, solve_hard, wins_gap
from reference.slow_offsets import hard_win_rate, sigmoid_win_rate


@pytest.fixture
def values() -> np.ndarray:
    rng = np.random.default_rng(0)
    table = np.round(rng.normal(size=(4, 30)), 1)
    table[rng.random(table.shape) < 0.2] = np.nan
    table[3, :] = np.nan
    table[3, ~np.isnan(table[0])] = 0.5
    return table


def test_rates_are_those_of_the_slow_twins(values: np.ndarray) -> None:
    hard, (soft, _) = hard_rates(values), sigmoid_rates(values, 0.7)
    for k in range(4):
        for other in range(4):
            shared = ~np.isnan(values[k] + values[other])
            if k == other:
                assert hard[k, k] == soft[k, k] == 0
                continue
            a, b = values[k][shared], values[other][shared]
            assert hard[k, other] == pytest.approx(hard_win_rate(a, b, 0.0))
            assert soft[k, other] == pytest.approx(sigmoid_win_rate(a - b, 0.0, 0.7))


def test_pairs_without_a_shared_prompt_have_rate_0() -> None:
    values = np.array([[1.0, np.nan], [np.nan, 1.0]])
    assert (hard_rates(values) == 0).all()
    assert all((x == 0).all() for x in sigmoid_rates(values, 1.0))


def test_the_slope_is_the_derivative(values: np.ndarray) -> None:
    step = np.zeros((4, 1))
    step[1] = 1e-5
    high, low = (sigmoid_rates(values + s, 0.7)[0] for s in (step, -step))
    slope = sigmoid_rates(values, 0.7)[1]
    np.testing.assert_allclose(slope[1], (high - low)[1] / 2e-5, atol=1e-8)
    np.testing.assert_array_equal(slope, slope.T)


def test_polishing_beats_cooling_alone() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(8, 200)) + rng.normal(size=(8, 1))
    problem = JointProblem(values, np.full((8, 8), 0.5), np.arange(8) > 0)
    wins, least = (solve_hard(problem, method=m) for m in ("total-wins", "least-squares"))
    assert wins.residual < least.residual
    gap = wins_gap(problem, hard_rates(values + wins.deltas[:, None]))
    assert wins.residual == pytest.approx(np.abs(gap[1:]).max() / 7)
