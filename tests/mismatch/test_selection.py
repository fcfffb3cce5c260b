"""Rows chosen by their figures: shrinkage by hand, intervals that hold for all rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.mismatch.selection import score_interval, shrink, simultaneous_z
from charm_rm.statistics import wilson_interval


def test_shrinkage_by_hand() -> None:
    d, v = np.array([0.3, -0.1]), np.array([0.01, 0.03])
    tau2 = (0.08 + -0.02) / 2
    np.testing.assert_allclose(shrink(d, v), [0.3 * tau2 / (tau2 + 0.01), -0.1 * tau2 / (tau2 + 0.03)])
    np.testing.assert_array_equal(shrink(d, v * 100), 0)


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(1e-6, 0.1)), min_size=1, max_size=20))
def test_shrinkage_moves_towards_0_and_knows_no_side(rows: list[tuple[float, float]]) -> None:
    d, v = np.array(rows).T
    found = shrink(d, v)
    assert (np.abs(found) <= np.abs(d)).all()
    np.testing.assert_allclose(shrink(-d, v), -found)


def test_of_certain_ratings_the_interval_is_wilsons() -> None:
    low, high = score_interval(np.array([0.7]), np.array([40.0]), np.zeros(1), np.zeros(1), 1.959963984540054)
    exact = wilson_interval(28.0, 40.0)
    assert (low[0] + 0.5, high[0] + 0.5) == pytest.approx(tuple(map(float, exact)))


def test_z_grows_with_independent_rows_and_not_with_copies() -> None:
    rng = np.random.default_rng(0)
    many = rng.standard_normal((2000, 50))
    copies = np.repeat(many[:, :1], 50, axis=1)
    assert simultaneous_z(many, 50) == pytest.approx(simultaneous_z(None, 50), abs=0.15)
    assert simultaneous_z(copies, 50) == pytest.approx(1.96, abs=0.2)
    assert simultaneous_z(None, 1) == pytest.approx(1.96, abs=0.001)
