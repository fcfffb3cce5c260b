"""The likelihood's derivatives, numerically; Newton and its failure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from charm_rm.errors import NotConverged
from charm_rm.ratings import bradley_terry as bt


def random_counts(seed: int, *, covariates: int) -> bt.Counts:
    rng = np.random.default_rng(seed)
    k, n = 5, 60
    first = rng.integers(k, size=n)
    weight = rng.uniform(0.1, 3.0, n)
    return bt.Counts(
        first=first,
        second=(first + rng.integers(1, k, size=n)) % k,
        outcome=rng.choice([0.0, 0.5, 1.0], n),
        weight=weight,
        weight_sq=weight**2,
        heaviest=weight,
        covariates=rng.normal(size=(n, covariates)),
        n_policies=k,
    )


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(0, 2))
def test_gradient_and_hessian_are_the_derivatives_of_the_likelihood(seed: int, covariates: int) -> None:
    counts = random_counts(seed, covariates=covariates)
    at = np.random.default_rng(seed + 1).normal(size=counts.n_parameters)
    slope = approx_fprime(at, lambda x: np.array([bt.log_likelihood(x, counts)]), 1e-6).ravel()
    curvature = approx_fprime(at, lambda x: bt.gradient(x, counts), 1e-6)
    np.testing.assert_allclose(bt.gradient(at, counts), slope, atol=1e-3)
    np.testing.assert_allclose(bt.information(at, counts), -curvature, atol=1e-3)


def test_the_gram_matrix_is_the_sum_of_outer_products() -> None:
    counts = random_counts(3, covariates=2)
    at = np.random.default_rng(4).normal(size=counts.n_parameters)
    p = 1 / (1 + np.exp(-bt.log_odds(at, counts)))
    z = np.zeros((60, 7))
    z[np.arange(60), counts.first] = 1.0
    z[np.arange(60), counts.second] = -1.0
    z[:, 5:] = counts.covariates
    expected = (z * (counts.weight_sq * (counts.outcome - p) ** 2)[:, None]).T @ z
    np.testing.assert_allclose(bt.score_variance(at, counts), expected, rtol=1e-12, atol=1e-12)


def test_at_the_maximum_the_gradient_vanishes_and_strengths_sum_to_zero() -> None:
    counts = random_counts(7, covariates=1)
    fit = bt.maximise(counts, tolerance=1e-12, max_iterations=50)
    assert np.abs(bt.gradient(fit.parameters, counts)).max() < 1e-10
    assert fit.parameters[:5].sum() == pytest.approx(0.0, abs=1e-12)
    assert fit.log_likelihood == bt.log_likelihood(fit.parameters, counts)


def test_step_halving_survives_a_start_where_plain_newton_overshoots() -> None:
    """999 wins to 1: the full first step is sound, later ones must not diverge."""
    counts = bt.Counts(
        first=np.array([0, 0, 1, 1]),
        second=np.array([1, 1, 2, 2]),
        outcome=np.array([1.0, 0.0, 1.0, 0.0]),
        weight=np.array([1e6, 1.0, 1e6, 1.0]),
        weight_sq=np.array([1e6, 1.0, 1e6, 1.0]),
        heaviest=np.ones(4),
        covariates=np.zeros((4, 0)),
        n_policies=3,
    )
    fit = bt.maximise(counts, tolerance=1e-10, max_iterations=100)
    np.testing.assert_allclose(np.diff(fit.parameters), -np.log(1e6), atol=1e-8)


def test_too_few_iterations_is_an_error_that_says_so() -> None:
    with pytest.raises(NotConverged, match="did not converge in 1 iterations: last step"):
        bt.maximise(random_counts(1, covariates=0), tolerance=1e-12, max_iterations=1)
