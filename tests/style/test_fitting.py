"""The solver against a slow twin, another optimiser, and what has to leave its answer alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import check_grad, minimize

from charm_rm.errors import NotConverged
from charm_rm.margins import all_pairs, pair_margins
from charm_rm.style.comparisons import (
    Part,
    kept_of_order,
    restricted,
    soft_rates,
    spread_of_margins,
    thinned,
)
from charm_rm.style.fitting import Bounds, fit_weights, least_squares, policy_loss
from reference import slow_style

from .worlds import World, world


def slow_inputs(one: World):
    """Scores in units of their spread and standardised features, by the definitions."""
    there = ~np.isnan(one.score)
    shown = one.phi[there]
    phi = (one.phi - shown.mean(axis=0)) / shown.std(axis=0)
    gaps = (one.score[:, None] - one.score[None])[np.triu_indices(len(one.score), 1)]
    return one.score / np.sqrt(np.nanmean(gaps**2) / 2), np.clip(phi, -4, 4)


@pytest.mark.parametrize("missing", [0.0, 0.2])
@given(seed=st.integers(0, 10_000), heat=st.floats(0.3, 3.0))
def test_soft_rates_are_those_of_the_slow_twin(missing: float, seed: int, heat: float) -> None:
    one = world(seed, policies=4, prompts=12, missing=missing)
    problem = one.problem()
    score, phi = slow_inputs(one)
    w = np.random.default_rng(seed).standard_normal(3)
    found = soft_rates(problem.part, problem.spread, w, heat).rate
    slow = [slow_style.rate(score, phi, w, heat, k, r) for k, r in all_pairs(4)]
    np.testing.assert_allclose(found, slow, rtol=1e-10)
    assert policy_loss([problem.part], soft_rates(problem.part, problem.spread, w, heat)) == pytest.approx(
        slow_style.loss(score, phi, one.expected(), w, heat, 0.0), rel=1e-10
    )


@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_the_slope_is_that_of_the_rates(missing: float) -> None:
    problem = world(3, missing=missing).problem()

    def at(x: np.ndarray):
        return soft_rates(problem.part, problem.spread, x[:-1], float(np.exp(x[-1])))

    x = np.array([0.3, -0.2, 0.5, 0.1])
    for pair in (0, 5, 27):
        error = check_grad(lambda x, p=pair: at(x).rate[p], lambda x, p=pair: at(x).slope[p], x)
        assert error < 1e-6
    assert np.abs(at(x).slope).min() > 1e-6  # nothing above is 0 = 0


@pytest.mark.parametrize("temperature", [None, 0.7])
@pytest.mark.parametrize("penalty", [1e-2, 1e-5])
def test_another_optimiser_finds_the_same_weights(temperature: float | None, penalty: float) -> None:
    one = world(1, policies=6, prompts=20)
    problem = one.problem()
    fitted = fit_weights(
        [problem.part],
        scale=problem.spread,
        temperature=temperature,
        penalty=penalty,
        bounds=Bounds.none(3),
    )
    score, phi = slow_inputs(one)

    def plain(x: np.ndarray) -> float:
        heat = float(np.exp(x[3])) if temperature is None else temperature
        return slow_style.loss(score, phi, one.expected(), x[:3], heat, penalty)

    start = np.zeros(4 if temperature is None else 3)
    other = minimize(plain, start, method="BFGS", options={"gtol": 1e-9})
    np.testing.assert_allclose(fitted.weights, other.x[:3], atol=2e-4)
    assert fitted.loss + penalty * (fitted.weights**2).sum() == pytest.approx(other.fun, abs=1e-9)
    if temperature is None:
        assert fitted.temperature == pytest.approx(np.exp(other.x[3]), rel=1e-3)


def test_the_solution_is_stationary_and_no_step_betters_it() -> None:
    problem = world(2, favour=0.5).problem()
    scale, penalty = problem.spread, 1e-3
    fitted = fit_weights(
        [problem.part], scale=scale, temperature=None, penalty=penalty, bounds=Bounds.none(3)
    )

    def loss(x: np.ndarray) -> float:
        rates = soft_rates(problem.part, scale, x[:3], float(np.exp(x[3])))
        return policy_loss([problem.part], rates) + penalty * float((x[:3] ** 2).sum())

    x = np.append(fitted.weights, np.log(fitted.temperature))
    rates = soft_rates(problem.part, scale, x[:3], fitted.temperature)
    gradient = 2 * (rates.slope * (rates.rate - problem.part.expected)[:, None]).mean(axis=0)
    gradient[:3] += 2 * penalty * x[:3]
    assert np.abs(gradient).max() < 1e-7
    for step in 1e-3 * np.random.default_rng(0).standard_normal((20, 4)):
        assert loss(x + step) > loss(x)


def test_bounds_hold_and_what_is_between_them_is_still_best() -> None:
    problem = world(4).problem()  # the right weights: below 0, above 0, 0
    common = {"scale": problem.spread, "temperature": 1.0, "penalty": 1e-4}
    bounds = Bounds(np.array([0.0, -np.inf, 0.25]), np.array([np.inf, np.inf, 0.25]))
    free = fit_weights([problem.part], **common, bounds=Bounds.none(3))
    held = fit_weights([problem.part], **common, bounds=bounds)
    assert free.weights[0] < 0
    assert (held.weights[0], held.weights[2]) == (0.0, 0.25)

    def loss(second: float) -> float:
        w = np.array([0.0, second, 0.25])
        rates = soft_rates(problem.part, problem.spread, w, 1.0)
        return policy_loss([problem.part], rates) + 1e-4 * float((w**2).sum())

    best = minimize(lambda x: loss(x[0]), [0.0], method="Nelder-Mead", options={"xatol": 1e-7}).x[0]
    assert held.weights[1] == pytest.approx(best, abs=1e-4)


def test_all_weights_fixed_leaves_the_temperature_alone_to_be_fitted() -> None:
    problem = world(4).problem()
    at = np.array([-0.5, 0.3, 0.0])
    found = fit_weights(
        [problem.part], scale=problem.spread, temperature=None, penalty=1e-4, bounds=Bounds(at, at)
    )
    assert found.weights.tolist() == at.tolist()
    near = [
        policy_loss([problem.part], soft_rates(problem.part, problem.spread, at, found.temperature * f))
        for f in (0.99, 1.0, 1.01)
    ]
    assert near[1] < min(near[0], near[2])


def test_a_fit_that_does_not_settle_is_an_error() -> None:
    noise = iter(np.random.default_rng(0).uniform(1, 2, 1000))

    def restless(_: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.array([1e3 - next(noise)]), np.array([[-1.0]])  # promises much, keeps little

    with pytest.raises(NotConverged, match="do not settle"):
        least_squares(restless, np.zeros(1), np.array([-np.inf]), np.array([np.inf]), tolerance=0.0)


# --- what leaves the answer alone -------------------------------------------------------------------


def solve(one: World, **how: float | None) -> np.ndarray:
    problem = one.problem()
    found = fit_weights(
        [problem.part],
        **({"temperature": None, "penalty": 1e-4} | how),
        scale=problem.spread,
        bounds=Bounds.none(len(problem.names)),
    )
    return np.append(found.weights, found.temperature)


def test_a_constant_by_prompt_and_the_unit_of_scores_and_features_change_nothing() -> None:
    one = world(5)
    whole = solve(one)
    moved = replace(one, score=one.score + np.random.default_rng(1).normal(size=one.score.shape[1]))
    np.testing.assert_allclose(solve(moved), whole, atol=1e-6)
    np.testing.assert_allclose(solve(replace(one, score=7 * one.score)), whole, atol=1e-6)
    np.testing.assert_allclose(solve(replace(one, phi=100 - 3 * one.phi)), whole * [-1, -1, -1, 1], atol=1e-6)


def test_order_of_rows_and_names_of_policies_change_nothing() -> None:
    one = world(6, missing=0.1)
    order = np.random.default_rng(0).permutation(len(one.rating))
    renamed = World(one.score[order], one.phi[order], one.rating[order])
    prompts = np.random.default_rng(1).permutation(one.score.shape[1])
    shuffled = World(one.score[:, prompts], one.phi[:, prompts], one.rating)
    for other in (renamed, shuffled):
        np.testing.assert_allclose(solve(other), solve(one), atol=1e-6)


@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_judgements_of_score_differences_have_the_scores_weights(missing: float) -> None:
    one = world(7, missing=missing)
    problem = one.problem()
    paired = pair_margins(one.margins())
    part = Part(paired, problem.part.features, problem.part.expected, problem.part.weight)
    assert spread_of_margins(paired) == pytest.approx(problem.spread, rel=1e-12)
    common = {"scale": problem.spread, "temperature": None, "penalty": 1e-4, "bounds": Bounds.none(3)}
    ours, theirs = fit_weights([problem.part], **common), fit_weights([part], **common)
    np.testing.assert_allclose(ours.weights, theirs.weights, atol=1e-7)
    w = ours.weights
    assert kept_of_order(paired, part.features, problem.spread, w) == pytest.approx(
        kept_of_order(problem.paired, part.features, problem.spread, w), rel=1e-12
    )


# --- thinning ---------------------------------------------------------------------------------------


def test_thinned_parts_have_every_pair_and_every_prompt_once() -> None:
    problem = world(0, policies=8, prompts=400).problem()
    parts = thinned(problem.part, 28 * 400 // 4, np.random.default_rng(0))
    assert len(parts) == 4
    pairs = [tuple(p) for part in parts for p in part.paired.pairs.tolist()]
    prompts = [p for part in parts for p in part.paired.prompts]
    assert sorted(pairs) == sorted(map(tuple, all_pairs(8).tolist()))
    assert sorted(prompts) == list(problem.paired.prompts)
    for part in parts:  # margins, features and expectations went along
        k, r = part.paired.pairs[0]
        at = [problem.paired.prompts.index(p) for p in part.paired.prompts]
        whole = np.flatnonzero((problem.paired.pairs == (k, r)).all(axis=1))
        np.testing.assert_array_equal(part.paired.rows(slice(0, 1)), problem.paired.rows(whole)[:, at])
        np.testing.assert_array_equal(part.features, problem.part.features[:, at])
        assert part.expected[0] == problem.part.expected[whole[0]]


def test_small_problems_are_not_thinned() -> None:
    part = world(0).problem().part
    assert thinned(part, 10, np.random.default_rng(0)) == [part]  # fewer prompts than two groups need


def test_thinned_rates_are_unbiased_and_its_weights_those_of_the_whole() -> None:
    problem = world(8, policies=8, prompts=400).problem()
    w = np.array([0.2, -0.1, 0.3])
    whole = soft_rates(problem.part, problem.spread, w, 1.0).rate
    sums, rng, draws = np.zeros(28), np.random.default_rng(0), 60
    for _ in range(draws):
        for part in thinned(problem.part, 28 * 100, rng):
            at = [int(np.flatnonzero((problem.paired.pairs == p).all(axis=1))[0]) for p in part.paired.pairs]
            sums[at] += soft_rates(part, problem.spread, w, 1.0).rate
    np.testing.assert_allclose(sums / draws, whole, atol=4 * 0.25 / np.sqrt(100 * draws))
    common = {"scale": problem.spread, "temperature": None, "penalty": 1e-4, "bounds": Bounds.none(3)}
    all_of_it = fit_weights([problem.part], **common).weights
    some = fit_weights(thinned(problem.part, 28 * 100, rng), **common).weights
    assert 0 < np.abs(some - all_of_it).max() < 0.15


def test_restricted_pairs_keep_their_margins() -> None:
    part = world(9).problem().part
    chosen = np.arange(28) % 3 == 0
    found = restricted(part, pairs=chosen)
    np.testing.assert_array_equal(found.paired.rows(slice(None)), part.paired.rows(np.flatnonzero(chosen)))
