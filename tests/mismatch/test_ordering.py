"""Differences of two models in order and favour: the closed form of mean |favour|, intervals that agree with tests."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from perf.simulation.world import draw_world

from charm_rm.errors import CharmWarning
from charm_rm.mismatch import audit
from charm_rm.mismatch.ordering import difference_interval, mean_favour
from charm_rm.statistics import ELO_PER_LOGIT


def test_mean_favour_is_that_of_refits_without_each_policy() -> None:
    rng = np.random.default_rng(0)
    rho, theta = rng.normal(size=(3, 9)), rng.normal(size=(3, 9))
    theta = theta * 0.2 + 1.4 * rho
    for row in range(3):
        gaps = []
        for k in range(9):
            rest = np.arange(9) != k
            a, c = np.polyfit(rho[row][rest], theta[row][rest], 1)
            gaps.append(abs((theta[row][k] - c) / a - rho[row][k]))
        assert mean_favour(theta, rho)[row] == pytest.approx(ELO_PER_LOGIT * np.mean(gaps))
    np.testing.assert_allclose(mean_favour(theta, rho[0])[0], mean_favour(theta[0], rho[0]))


@pytest.mark.parametrize("gap", [0.02, -0.3, 0.3, 0.0])
def test_the_interval_leaves_0_out_exactly_where_the_test_rejects(gap: float) -> None:
    rng = np.random.default_rng(1)
    permuted, truth = 0.1 * rng.normal(size=400), gap + 0.2 * rng.normal(size=400)
    p = (1 + np.count_nonzero(np.abs(permuted) >= abs(gap))) / 401
    low, high = difference_interval(gap, p, permuted, truth)
    assert low <= gap <= high
    assert (not low <= 0 <= high) == (p <= 0.05)


def test_policies_that_lie_on_the_line_by_chance_do_not_prove_a_correlation_of_1() -> None:
    """Six policies close together, 50 prompts: whatever is seen, the true order is not known."""
    certain = 0
    for seed in range(20):
        world = draw_world(np.random.default_rng(seed), policies=6, prompts=50, spread=30.0, rating_se=0.1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            found = audit(world.scores(), world.ratings(), draws=300).rank_correlation["spearman"]
        certain += found.ci_high - found.ci_low < 0.05
        assert found.ci_low <= found.value <= found.ci_high
    assert certain == 0


def test_a_flat_line_through_the_others_gives_favour_no_scale_and_no_warning() -> None:
    rho = np.array([-1.0, 0.0, 1.0, 2.0])
    flat_for_the_last = np.array([0.3, 0.3, 0.3, 1.0])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert mean_favour(flat_for_the_last, rho) > 1e15  # inf, but for rounding
        assert mean_favour(np.zeros(4), rho) == 0
        low, high = difference_interval(
            3.0, 0.9, np.array([1.0, np.inf, np.inf, np.inf] * 10), np.array([2.0, 4.0])
        )
    assert low == -np.inf
    assert high == np.inf
