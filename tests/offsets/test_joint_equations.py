"""The joint equations: rates and slopes against loops and finite differences."""

from __future__ import annotations

import numpy as np
import pytest

from charm_rm.margins import ScoreMargins, all_pairs
from charm_rm.margins import pairing as pairing_module
from charm_rm.offsets.joint_equations import JointEquations, hard_rates, laplacian, sigmoid_rates, wins_gap
from reference.slow_offsets import hard_win_rate, sigmoid_win_rate


@pytest.fixture
def values() -> np.ndarray:
    rng = np.random.default_rng(0)
    table = np.round(rng.normal(size=(4, 30)), 1)
    table[rng.random(table.shape) < 0.2] = np.nan
    table[3, :] = np.nan
    table[3, ~np.isnan(table[0])] = 0.5
    return table


def equations_of(values: np.ndarray, target: float = 0.5) -> JointEquations:
    pairs = all_pairs(len(values))
    margins = ScoreMargins(tuple("ABCDEFGHIJ"[: len(values)]), pairs, values)
    return JointEquations(margins, np.full(len(pairs), target), np.arange(len(values)) > 0)


@pytest.mark.parametrize("cells", [31, 2_000_000])
def test_rates_are_those_of_the_slow_twins(
    values: np.ndarray, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pairing_module, "_BLOCK_CELLS", cells)
    equations, deltas = equations_of(values), np.array([0.0, 0.3, -0.2, 0.1])
    hard, (soft, _) = hard_rates(equations, deltas), sigmoid_rates(equations, deltas, 0.7)
    for j, (k, other) in enumerate(all_pairs(4).tolist()):
        shared = ~np.isnan(values[k] + values[other])
        a, b, delta = values[k][shared], values[other][shared], deltas[k] - deltas[other]
        assert equations.counts[j] == shared.sum()
        assert hard[j] == pytest.approx(hard_win_rate(a - b, np.zeros(a.size), delta))
        assert soft[j] == pytest.approx(sigmoid_win_rate(a - b, delta, 0.7))


def test_pairs_without_a_shared_prompt_count_for_nothing() -> None:
    equations = equations_of(np.array([[1.0, np.nan], [np.nan, 1.0]]))
    zero = np.zeros(2)
    assert not equations.met.any()
    assert (hard_rates(equations, zero) == 0).all()
    assert all((x == 0).all() for x in sigmoid_rates(equations, zero, 1.0))
    assert (wins_gap(equations, hard_rates(equations, zero)) == 0).all()


def test_the_laplacian_of_the_slopes_is_the_jacobian(values: np.ndarray) -> None:
    equations, step = equations_of(values), 1e-5 * np.eye(4)
    matrix = laplacian(equations, sigmoid_rates(equations, np.zeros(4), 0.7)[1])
    for k in range(4):
        high, low = (wins_gap(equations, sigmoid_rates(equations, s * step[k], 0.7)[0]) for s in (1, -1))
        np.testing.assert_allclose(matrix[:, k], (low - high) / 2e-5, atol=1e-8)


def test_totals_count_both_sides_of_a_pair(values: np.ndarray) -> None:
    equations = equations_of(values, target=0.3)
    k, r = equations.sides()
    for policy in range(4):
        assert equations.total_rates(equations.targets)[policy] == pytest.approx(
            0.3 * (k == policy).sum() + 0.7 * (r == policy).sum()
        )
    assert equations.opponents().tolist() == [3, 3, 3, 3]
    assert equations.total(equations.targets).sum() == pytest.approx(0)


def test_the_scale_is_the_spread_of_scores_about_their_prompts_mean() -> None:
    values = np.random.default_rng(1).normal(size=(5, 40)) + np.arange(40)
    spread = np.std(values - values.mean(axis=0))
    assert equations_of(values).scale == pytest.approx(spread)
