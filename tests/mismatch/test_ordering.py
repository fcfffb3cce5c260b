"""Differences of two models in order and favour: the closed form of mean |favour|, intervals that agree with tests."""

from __future__ import annotations

import numpy as np
import pytest

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
