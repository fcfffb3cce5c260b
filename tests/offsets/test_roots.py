"""Roots of one curve: exactness, ties, weights, and agreement with slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from charm_rm.offsets.roots import hard_root, rising_root, sigmoid_root
from reference.slow_offsets import best_possible_gap, bisect_sigmoid, hard_win_rate, sigmoid_win_rate

targets = st.floats(0.001, 0.999)
grid = st.integers(-20, 20).map(lambda i: i / 4)


def solve(margins: list[float], target: float, **settings: float) -> tuple[float, float]:
    solver = sigmoid_root if "temperature" in settings else hard_root
    delta, attained = solver(np.array(margins), np.array([target]), **settings)
    return float(delta[0]), float(attained[0])


def test_hard_root_by_hand() -> None:
    # Thresholds are -3, -1, 0, 2. A quarter of wins lies between -3 and -1, a half between -1 and 0.
    margins = [3.0, 1.0, 0.0, -2.0]
    assert solve(margins, 0.25) == (-2.0, 0.25)
    assert solve(margins, 0.5) == (-0.5, 0.5)
    assert solve(margins, 0.7) == (1.0, 0.75)
    # The edges have a stair on one side alone: the last threshold makes a tie, half a win.
    assert solve(margins, 0.1) == (-3.0, 0.125)
    assert solve(margins, 0.95) == (2.0, 0.875)


def test_hard_root_stands_on_a_tie_only_where_that_is_nearer() -> None:
    margins = [1.0, 0.0, 0.0, 0.0, 0.0, -1.0]
    assert solve(margins, 0.5) == (0.0, 0.5)
    assert solve(margins, 0.2) == (-0.5, 1 / 6)


@given(hnp.arrays(float, st.integers(2, 60), elements=st.floats(-50, 50), unique=True), targets)
def test_hard_root_is_within_half_a_comparison_where_margins_are_distinct(
    margins: np.ndarray, target: float
) -> None:
    delta, attained = solve(margins, target)
    assert abs(attained - target) <= 1 / (2 * margins.size) + 1e-12
    gaps = np.diff(np.sort(margins))
    if gaps.min() > 1e-9:
        assert hard_win_rate(margins, np.zeros(margins.size), delta) == pytest.approx(attained, abs=1e-12)


@given(st.lists(grid, min_size=1, max_size=30), targets)
def test_hard_root_with_ties_reports_what_it_attains_and_no_offset_does_much_better(
    margins: list[float], target: float
) -> None:
    delta, attained = solve(margins, target)
    assert attained == pytest.approx(hard_win_rate(margins, [0.0] * len(margins), delta), abs=1e-12)
    # A stair is kept as long as it is within half a comparison: a tie there could win less than that.
    best = best_possible_gap(margins, target)
    assert abs(attained - target) <= max(best, 0.5 / len(margins)) + 1e-12


@given(st.lists(grid, min_size=2, max_size=30), targets, st.integers(1, 5))
def test_repeating_the_data_is_the_same_as_weights(margins: list[float], target: float, times: int) -> None:
    margins = [m + 1e-3 * i for i, m in enumerate(margins)]
    counts = np.arange(len(margins)) % times + 1
    repeated, _ = hard_root(np.repeat(margins, counts), np.array([target]), grain=float(counts.max()))
    weighted, _ = hard_root(np.array(margins), np.array([target]), weights=counts[None].astype(float))
    assert repeated == pytest.approx(weighted)


def test_many_draws_are_solved_as_one_at_a_time() -> None:
    rng = np.random.default_rng(0)
    margins, weights, goals = rng.normal(size=40), rng.exponential(size=(7, 40)), rng.uniform(0.1, 0.9, 7)
    for solver, more in ((hard_root, {}), (sigmoid_root, {"temperature": 0.3})):
        together, attained = solver(margins, goals, weights=weights, **more)
        apart = [solver(margins, goals[[b]], weights=weights[[b]], **more)[0][0] for b in range(7)]
        np.testing.assert_allclose(together, apart, atol=1e-12)
        assert np.abs(attained - goals).max() < (0.2 if solver is hard_root else 1e-12)


@given(
    st.lists(st.floats(-20, 20), min_size=1, max_size=30),
    st.floats(0.01, 0.99),
    st.sampled_from([0.05, 0.1, 1.0, 10.0]),
)
def test_sigmoid_root_meets_the_target(margins: list[float], target: float, temperature: float) -> None:
    delta, attained = solve(margins, target, temperature=temperature)
    assert abs(attained - target) <= 1e-12
    # Below 0.1 the twin's own exponentials overflow at these margins.
    if temperature >= 0.1:
        assert sigmoid_win_rate(margins, delta, temperature) == pytest.approx(target, abs=1e-11)


def test_sigmoid_root_agrees_with_bisection() -> None:
    margins = np.random.default_rng(1).normal(1, 2, 25).tolist()
    for temperature in (0.3, 1.0, 5.0):
        delta, _ = solve(margins, 0.3, temperature=temperature)
        assert delta == pytest.approx(bisect_sigmoid(margins, 0.3, temperature), abs=1e-10)


def test_sigmoid_root_tends_to_the_hard_one() -> None:
    margins = np.linspace(-1, 1, 201).tolist()
    hard, _ = solve(margins, 0.3)
    assert abs(solve(margins, 0.3, temperature=1e-4)[0] - hard) < 0.01
    assert abs(solve(margins, 0.3, temperature=1.0)[0] - hard) > 0.1


@given(st.floats(0.02, 0.9))
def test_the_offset_rises_with_the_target(target: float) -> None:
    margins = np.random.default_rng(2).normal(size=50).tolist()
    assert solve(margins, target)[0] <= solve(margins, target + 0.05)[0]
    assert solve(margins, target, temperature=0.5)[0] < solve(margins, target + 0.05, temperature=0.5)[0]


def test_rising_root_survives_flat_stretches() -> None:
    # Newton alone would leap off the plateaus of this nearly hard staircase.
    margins = np.array([-1e4, 0.0, 1e4])
    delta, attained = sigmoid_root(margins, np.array([0.2, 0.5, 0.8]), temperature=1e-3)
    assert np.abs(attained - [0.2, 0.5, 0.8]).max() < 1e-9
    assert (np.diff(delta) > 0).all()


def test_rising_root_finds_a_cube_root() -> None:
    x, value = rising_root(
        lambda x: (x**3, 3 * x**2), np.array([8.0]), np.array([-5.0]), np.array([9.0]), tolerance=1e-13
    )
    assert (x[0], value[0]) == (pytest.approx(2.0), pytest.approx(8.0))
