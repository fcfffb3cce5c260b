"""Joint offsets of scores that tie: never worse than none."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.errors import CharmWarning
from charm_rm.margins import ScoreMargins, all_pairs
from charm_rm.offsets import solve_joint_offsets, solve_offsets
from charm_rm.offsets.joint_equations import JointEquations, hard_rates
from charm_rm.offsets.joint_solvers import solve_hard
from charm_rm.offsets.ties import grid_of, misses
from simulated_offsets import ratings_of, scores_of


def equations_of(values: np.ndarray, targets: np.ndarray | float) -> JointEquations:
    pairs = all_pairs(len(values))
    margins = ScoreMargins(tuple("ABCDEFGHIJ"[: len(values)]), pairs, values)
    return JointEquations(margins, np.broadcast_to(targets, len(pairs)).copy(), np.arange(len(values)) > 0)


@given(st.integers(0, 10_000), st.integers(2, 6), st.sampled_from([1.0, 0.5, 0.1, None]), st.floats(0.3, 3.0))
@settings(max_examples=40, deadline=None)
def test_no_joint_offsets_are_worse_than_none(seed: int, k: int, grid: float | None, spread: float) -> None:
    """In what they solve, the mean miss of a mean win rate, and in the mean |win rate - target| over pairs."""
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=spread, size=(k, 40)) + rng.normal(size=(k, 1)) * rng.choice([0.0, 0.5])
    if grid is not None:
        values = np.round(values / grid) * grid
    values[rng.random(values.shape) < 0.1] = np.nan
    equations = equations_of(values, rng.uniform(0.2, 0.8, size=k * (k - 1) // 2))
    if not equations.met.all() or equations.scale == 0:
        return
    for objective in ("total-wins", "least-squares"):
        solution = solve_hard(equations, objective=objective)
        before, after = (
            misses(equations, deltas, objective=objective) for deltas in (np.zeros(k), solution.deltas)
        )
        assert after.no_worse_than(before)
        assert solution.refused == (not solution.deltas.any())


def test_the_grid_is_found_where_scores_tie() -> None:
    rng = np.random.default_rng(0)
    whole = rng.integers(1, 11, size=(3, 50)).astype(float)
    assert grid_of(equations_of(whole, 0.5)) == 1.0
    assert grid_of(equations_of(whole / 2, 0.5)) == 0.5
    assert grid_of(equations_of(rng.normal(size=(3, 50)), 0.5)) is None
    mixed = np.where(rng.random((3, 50)) < 0.5, whole, rng.normal(size=(3, 50)))
    assert grid_of(equations_of(mixed, 0.5)) is None


def test_a_bias_of_one_point_is_taken_back_by_one_point() -> None:
    """Everything else is aligned and ties: -1 keeps those ties, any fraction of a point would break them all."""
    rng = np.random.default_rng(1)
    values = rng.integers(3, 7, size=(4, 300)).astype(float)
    values[2] += 1
    equations = equations_of(values, 0.5)
    solution = solve_hard(equations)
    np.testing.assert_array_equal(solution.deltas, [0, 0, -1, 0])
    assert np.abs(hard_rates(equations, solution.deltas) - 0.5).max() < 0.07


def test_missed_targets_are_not_called_aligned() -> None:
    """Ten prompts of ties and ten of wins for A: no offset gives A a third of the wins."""
    values = {"A": [1.0] * 10 + [2.0] * 10, "B": [1.0] * 20}
    ratings = ratings_of({"A": 880, "B": 1000})
    for solve, how in ((solve_joint_offsets, {}), (solve_offsets, {"over": "A", "references": "B"})):
        with warnings.catch_warnings(record=True) as said:
            warnings.simplefilter("always")
            solve(scores_of(values), ratings, draws=200, cross_fit=False, **how)
        text = " ".join(str(w.message) for w in said)
        assert "all at once" in text
        assert "already aligned" not in text


def test_offsets_that_would_harm_are_refused_and_it_is_said() -> None:
    rng = np.random.default_rng(3)
    column = rng.integers(4, 7, size=60).astype(float)
    values = {name: rng.permutation(column).tolist() for name in "ABC"}  # aligned, with many ties
    with pytest.warns(CharmWarning) as said:
        found = solve_joint_offsets(
            scores_of(values), ratings_of(dict.fromkeys("ABC", 1000.0)), draws=0, cross_fit=False
        )
    if not found.frame["delta"].to_numpy().any():
        assert any("all stay 0" in str(w.message) for w in said)
