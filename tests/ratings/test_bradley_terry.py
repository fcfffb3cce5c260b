"""The likelihood's derivatives, numerically; Newton and its failure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime

from charm_rm.errors import NotConverged
from charm_rm.ratings import bradley_terry as bt
from charm_rm.ratings.sandwich import score_variance


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
    np.testing.assert_allclose(score_variance(at, counts), expected, rtol=1e-12, atol=1e-12)


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


# --- near separation ----------------------------------------------------------------------------


def weighted(*rows: tuple[int, int, float, float], n_policies: int) -> bt.Counts:
    """Counts from (first, second, wins of first, wins of second)."""
    first, second, won, lost = (np.array(column) for column in zip(*rows, strict=True))
    weight = np.concatenate([won, lost]).astype(float)
    return bt.Counts(
        first=np.tile(first, 2),
        second=np.tile(second, 2),
        outcome=np.repeat([1.0, 0.0], len(rows)),
        weight=weight,
        weight_sq=weight,
        heaviest=np.ones_like(weight),
        covariates=np.zeros((weight.size, 0)),
        n_policies=n_policies,
    )


weights = st.floats(0.0, 12.0).map(lambda power: 10.0**power)


@settings(max_examples=60)
@given(weights, weights)
def test_two_policies_differ_by_the_logarithm_of_their_odds_whatever_these_are(
    won: float, lost: float
) -> None:
    fit = bt.maximise(weighted((0, 1, won, lost), n_policies=2), tolerance=1e-10, max_iterations=200)
    assert fit.parameters[0] - fit.parameters[1] == pytest.approx(np.log(won) - np.log(lost), abs=1e-9)


@settings(max_examples=60)
@given(st.data())
def test_on_a_tree_every_gap_is_the_logarithm_of_its_own_odds(data: st.DataObject) -> None:
    k = data.draw(st.integers(3, 5))
    rows = [
        (i, data.draw(st.integers(0, i - 1)), data.draw(weights), data.draw(weights)) for i in range(1, k)
    ]
    fit = bt.maximise(weighted(*rows, n_policies=k), tolerance=1e-10, max_iterations=200)
    for i, parent, won, lost in rows:
        gap = fit.parameters[i] - fit.parameters[parent]
        assert gap == pytest.approx(np.log(won) - np.log(lost), abs=1e-7)


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1.0, 4.0, 8.0]))
def test_strengths_come_back_from_their_own_expected_wins(seed: int, spread: float) -> None:
    """Where every pair's wins are as expected the maximum is at the strengths themselves, however the pairs weigh."""
    rng = np.random.default_rng(seed)
    k = int(rng.integers(2, 6))
    theta = spread * rng.uniform(-1.5, 1.5, k)
    rows = []
    for i in range(k):
        for j in range(i):
            log_p, log_q = bt.tails(np.array([theta[i] - theta[j]]))
            n = 10.0 ** rng.uniform(0, 6)
            rows.append((i, j, n * np.exp(log_p[0]), n * np.exp(log_q[0])))
    fit = bt.maximise(weighted(*rows, n_policies=k), tolerance=1e-10, max_iterations=200)
    np.testing.assert_allclose(fit.parameters, theta - theta.mean(), atol=1e-6)


@pytest.mark.parametrize("power", [6, 7, 12])
def test_weights_of_a_million_million_to_one(power: int) -> None:
    odds = 10.0**power
    rows = [(0, 1, odds, 1.0), (1, 2, 500.0, 500.0), (0, 2, odds, 1.0)]
    fit = bt.maximise(weighted(*rows, n_policies=3), tolerance=1e-10, max_iterations=200)
    assert (fit.parameters[0] - fit.parameters[1]) * 400 / np.log(10) == pytest.approx(
        400.0 * power, abs=1e-6
    )


def test_tails_are_right_where_subtracting_from_one_is_not() -> None:
    log_p, log_q = bt.tails(np.array([-800.0, -40.0, 0.0, 40.0, 800.0]))
    np.testing.assert_allclose(np.exp(log_q[3]), np.exp(-40.0), rtol=1e-12)
    np.testing.assert_allclose(log_p[[0, 2]], [-800.0, -np.log(2)], rtol=1e-15)
    np.testing.assert_array_equal(log_p, log_q[::-1])


def test_a_fit_that_stops_short_names_ways_out_that_exist() -> None:
    with pytest.raises(NotConverged) as caught:
        bt.maximise(weighted((0, 1, 1e12, 1.0), n_policies=2), tolerance=1e-10, max_iterations=5)
    assert "--prior 1" in str(caught.value)
    assert "in Python, raise max_iterations" in str(caught.value)
