"""The sharpness line: scipy's orthogonal distance regression, a slow twin, invariances, refusals."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.errors import NotConverged
from charm_rm.mismatch.line import fit_lines, fit_sharpness_line, quasi_covariances, quasi_variances
from reference import slow_favour


def measured(seed: int, size: int, *, scatter: float, rating_error: float) -> tuple[np.ndarray, ...]:
    """rho, theta, var theta, var rho in log-odds."""
    rng = np.random.default_rng(seed)
    true = 0.6 * rng.normal(size=size)
    v, u = rng.uniform(0.005, 0.03, size), rating_error**2 * rng.uniform(0.5, 1.5, size)
    theta = 0.2 + 1.5 * true + scatter * rng.normal(size=size) + np.sqrt(v) * rng.normal(size=size)
    return true + np.sqrt(u) * rng.normal(size=size), theta, v, u


@given(st.integers(0, 10_000), st.integers(4, 12), st.sampled_from([0.0, 0.3]), st.sampled_from([0.02, 0.1]))
@settings(max_examples=25, deadline=None)
def test_the_line_is_the_slow_twins(seed: int, size: int, scatter: float, rating_error: float) -> None:
    rho, theta, v, u = measured(seed, size, scatter=scatter, rating_error=rating_error)
    found = fit_lines(rho, theta, v, u)
    if not found.found:
        return
    c, a, tau2 = slow_favour.line(rho, theta, v, u)
    assert (float(found.intercept), float(found.slope)) == pytest.approx((c, a), abs=2e-5)
    assert float(found.tau2) == pytest.approx(tau2, abs=2e-5)


@given(st.integers(0, 10_000), st.integers(4, 9), st.floats(-0.9, 0.9))
@settings(max_examples=15, deadline=None)
def test_with_errors_that_go_together_it_is_the_slow_twins(seed: int, size: int, together: float) -> None:
    rho, theta, v, u = measured(seed, size, scatter=0.2, rating_error=0.1)
    shared = together * np.sqrt(u * v)
    found = fit_lines(rho, theta, v, u, shared=shared)
    if not found.found:
        return
    wanted = slow_favour.line(rho, theta, v, u, shared)
    assert (float(found.intercept), float(found.slope), float(found.tau2)) == pytest.approx(wanted, abs=2e-5)


def test_errors_that_go_together_do_not_steepen_the_line() -> None:
    """Of noise that strengths and ratings have in common, taken as if it were apart, the slope is too steep."""
    rng, size, error = np.random.default_rng(0), 20, 0.25
    aware, unaware = [], []
    for _ in range(200):
        true, noise = 0.6 * rng.normal(size=size), error * rng.normal(size=(2, size))
        theta, rho = 1.5 * true + 3 * noise[0] + noise[1] / 2, true + noise[0]
        v, u = np.full(size, error**2 * 9.25), np.full(size, error**2)
        aware.append(float(fit_lines(rho, theta, v, u, shared=3 * u).slope))
        unaware.append(float(fit_lines(rho, theta, v, u).slope))
    assert np.median(aware) == pytest.approx(1.5, abs=0.05)
    assert np.median(unaware) > 1.6


@pytest.mark.parametrize("seed", range(6))
def test_without_scatter_the_line_is_scipys_odr(seed: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from scipy import odr
    rho, theta, v, u = measured(seed, 12, scatter=0.0, rating_error=0.05)
    v, u = 4 * v, 4 * u  # errors stated generously, so that the scatter is 0
    line = fit_sharpness_line(rho, theta, v, u)
    assert line.tau2 == 0
    data = odr.RealData(rho, theta, sx=np.sqrt(u), sy=np.sqrt(v))
    fitted = odr.ODR(data, odr.unilinear, beta0=[1.0, 0.0]).run()
    assert (float(line.slope), float(line.intercept)) == pytest.approx(tuple(fitted.beta), abs=1e-5)


def test_errors_of_ratings_do_not_flatten_the_line() -> None:
    slopes = []
    for seed in range(200):
        found = fit_lines(*measured(seed, 20, scatter=0.1, rating_error=0.25))
        slopes.append(float(found.slope))
    assert np.median(slopes) == pytest.approx(1.5, abs=0.05)


def test_many_lines_at_once_are_one_after_the_other() -> None:
    rho, theta, v, u = measured(3, 9, scatter=0.2, rating_error=0.05)
    used = ~np.eye(9, dtype=bool)
    together = fit_lines(rho, theta, v, u, used=used)
    for k in range(9):
        alone = fit_lines(rho[used[k]], theta[used[k]], v[used[k]], u[used[k]])
        assert float(together.slope[k]) == pytest.approx(float(alone.slope), rel=1e-6)
        assert float(together.tau2[k]) == pytest.approx(float(alone.tau2), rel=1e-5, abs=1e-8)
        assert together.tilt[k, k] == together.level[k, k] == 0


def test_influence_is_the_derivative_of_the_line() -> None:
    """With weights that do not move (no scatter, exact ratings): a step in one strength moves height and slope so."""
    rho, theta, v, _ = measured(5, 8, scatter=0.0, rating_error=0.05)
    u = np.zeros(8)
    line = fit_lines(rho, theta, 5 * v, u)
    for k in range(8):
        moved = fit_lines(rho, theta + 1e-4 * np.eye(8)[k], 5 * v, u)
        assert (moved.slope - line.slope) / 1e-4 == pytest.approx(line.tilt[k], abs=1e-4)


@given(st.integers(0, 10_000), st.floats(-3, 3))
@settings(max_examples=20)
def test_the_origin_of_strengths_and_ratings_does_not_matter(seed: int, shift: float) -> None:
    rho, theta, v, u = measured(seed, 7, scatter=0.2, rating_error=0.03)
    one, other = fit_lines(rho, theta, v, u), fit_lines(rho + shift, theta - shift, v, u)
    assert bool(one.found) == bool(other.found)
    if one.found:
        assert float(one.slope) == pytest.approx(float(other.slope), rel=1e-6)


def test_loose_convergence_is_an_error_or_nothing() -> None:
    """Rating errors from small to absurd: a line that is found satisfies its own equations."""
    for seed in range(120):
        error = [0.1, 0.2, 0.35, 1.0][seed % 4]
        rho, theta, v, u = measured(seed, 4 + seed % 9, scatter=0.2, rating_error=error)
        line = fit_lines(rho, theta, v, u)
        if not line.found:
            continue
        weights = 1 / (v + float(line.tau2) + float(line.slope) ** 2 * u)
        residual = theta - float(line.intercept) - float(line.slope) * rho

        a = float(line.slope)
        best = _least_squares(a, float(line.tau2), rho, theta, v, u)
        assert (
            best
            <= min(_least_squares(a * f, float(line.tau2), rho, theta, v, u) for f in (1.001, 0.999)) + 1e-9
        )
        excess = float((weights * residual**2).sum()) - (len(rho) - 2)
        assert excess == pytest.approx(0, abs=1e-3) or (line.tau2 == 0 and excess < 0)


def _least_squares(
    slope: float, tau2: float, rho: np.ndarray, theta: np.ndarray, v: np.ndarray, u: np.ndarray
) -> float:
    weights, gap = 1 / (v + tau2 + slope**2 * u), theta - slope * rho
    return float((weights * (gap - (weights * gap).sum() / weights.sum()) ** 2).sum())


@pytest.mark.parametrize("rating_error", [3.0, 1e3, 1e6])
def test_ratings_with_absurd_errors_give_no_line(rating_error: float) -> None:
    rho, theta, v, _ = measured(1, 8, scatter=0.1, rating_error=0.02)
    u = np.full(8, rating_error**2)
    assert not fit_lines(rho, theta, v, u).told_apart
    with pytest.raises(NotConverged, match="no line"):
        fit_sharpness_line(rho, theta, v, u)


def test_equal_ratings_give_no_line() -> None:
    _, theta, v, u = measured(1, 8, scatter=0.1, rating_error=0.02)
    assert not fit_lines(np.ones(8), theta, v, u).found


def test_quasi_variances_add_up_to_those_of_differences() -> None:
    """Independent strengths, given mean 0 by convention, are told their own variances again."""
    own = np.array([0.01, 0.04, 0.02, 0.09, 0.03])
    centre = np.eye(5) - 1 / 5
    np.testing.assert_allclose(quasi_variances(centre @ np.diag(own) @ centre), own)
    np.testing.assert_allclose(quasi_variances(np.diag(own)), own)
    q = quasi_variances((np.eye(2) - 0.5) @ np.diag([0.01, 0.03]) @ (np.eye(2) - 0.5))
    assert q.sum() == pytest.approx(0.04)


def test_quasi_covariances_are_of_differences_and_within_the_variances() -> None:
    own = np.array([0.01, -0.04, 0.02, 0.09, 0.03])
    centre = np.eye(5) - 1 / 5
    wide = np.ones(5)
    np.testing.assert_allclose(quasi_covariances(centre @ np.diag(own) @ centre, wide, wide), own)
    tight = np.full(5, 0.03)
    np.testing.assert_allclose(quasi_covariances(np.diag(own), tight, tight), np.clip(own, -0.03, 0.03))
