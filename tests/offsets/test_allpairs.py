"""The unpaired estimand, against the same comparisons written out."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.offsets.allpairs import (
    AllPairs,
    hard_root_all_pairs,
    mean_sigmoid_all_pairs,
    sigmoid_root_all_pairs,
)
from charm_rm.offsets.roots import hard_root, sigmoid_root

grid_scores = st.lists(st.integers(-12, 12).map(lambda i: i / 4), min_size=2, max_size=15)
real_scores = st.lists(st.floats(-9, 9).map(lambda x: round(x, 6)), min_size=2, max_size=15)


def written_out(over: list[float], reference: list[float]) -> np.ndarray:
    return (np.array(over)[:, None] - np.array(reference)).ravel()


@given(grid_scores, grid_scores, st.floats(0.01, 0.99))
def test_hard_root_is_that_of_all_comparisons(over: list[float], ref: list[float], target: float) -> None:
    delta, attained = hard_root_all_pairs(AllPairs.of(np.array(over), [np.array(ref)], [1.0]), target)
    expected, near = hard_root(written_out(over, ref), np.array([target]))
    assert attained == pytest.approx(near[0], abs=1e-12)
    assert delta == expected[0]


@given(real_scores, real_scores, st.floats(0.01, 0.99))
def test_hard_root_reports_what_it_attains(over: list[float], ref: list[float], target: float) -> None:
    pairs = AllPairs.of(np.array(over), [np.array(ref)], [1.0])
    delta, attained = hard_root_all_pairs(pairs, target)
    shifted = np.array(over)[:, None] + delta
    assert attained == pytest.approx(((shifted > ref) + 0.5 * (shifted == ref)).mean(), abs=1e-12)


def test_hard_root_is_within_half_a_comparison() -> None:
    rng = np.random.default_rng(0)
    pairs = AllPairs.of(rng.normal(1, 1, 300), [rng.normal(size=200)], [1.0])
    for target in (0.05, 0.4187, 0.9):
        assert abs(hard_root_all_pairs(pairs, target)[1] - target) <= 0.5 / (300 * 200) * (1 + 1e-9)


@pytest.mark.parametrize("temperature", [1e-3, 0.1, 3.0])
def test_sigmoid_root_is_that_of_all_comparisons(temperature: float) -> None:
    rng = np.random.default_rng(1)
    over, ref = rng.normal(1, 1, 60), rng.normal(size=50)
    delta, attained = sigmoid_root_all_pairs(AllPairs.of(over, [ref], [1.0]), 0.3, temperature=temperature)
    expected, _ = sigmoid_root(written_out(over, ref), np.array([0.3]), temperature=temperature)
    assert abs(attained - 0.3) <= 1e-9
    assert delta == pytest.approx(expected[0], abs=1e-9)


def test_several_references_are_weighted() -> None:
    rng = np.random.default_rng(2)
    over, refs = rng.normal(size=40), [rng.normal(size=30), rng.normal(1, 1, 20)]
    pairs = AllPairs.of(over, refs, [0.25, 0.75])
    delta, attained = hard_root_all_pairs(pairs, 0.6)
    rates = [np.mean((over[:, None] + delta) > r) for r in refs]
    assert attained == pytest.approx(0.25 * rates[0] + 0.75 * rates[1], abs=1e-12)
    assert abs(attained - 0.6) <= pairs.grain


def test_the_slope_is_the_derivative() -> None:
    rng = np.random.default_rng(3)
    curve = mean_sigmoid_all_pairs(AllPairs.of(rng.normal(size=30), [rng.normal(size=20)], [1.0]), 0.4)
    (low, _), (high, _), (_, slope) = (curve(np.array([x])) for x in (0.2 - 1e-5, 0.2 + 1e-5, 0.2))
    assert slope[0] == pytest.approx((high[0] - low[0]) / 2e-5, rel=1e-6)
