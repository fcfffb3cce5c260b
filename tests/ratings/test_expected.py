"""Expected win rates and their errors."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import SchemaError
from charm_rm.ratings import expected_variance, expected_win_rate, yardstick
from charm_rm.tables import Ratings
from reference import slow_audit

elo = st.floats(0, 3000)


@given(elo, elo)
def test_expected_win_rate_is_elos(rating: float, reference: float) -> None:
    assert expected_win_rate(rating, reference) == pytest.approx(
        slow_audit.expected(rating, reference), abs=1e-12
    )
    assert expected_win_rate(rating, reference) + expected_win_rate(reference, rating) == pytest.approx(1.0)


def test_the_papers_pair() -> None:
    """gemma-2-9b-it-SimPO against gpt-4o-mini-2024-07-18, Arena ratings of 2024-12-31: 1216 and 1273."""
    assert expected_win_rate(1216, 1273) == pytest.approx(0.4187, abs=5e-5)


@given(elo, st.floats(-400, 400))
def test_variance_is_the_squared_derivative(rating: float, gap: float) -> None:
    p = expected_win_rate(rating + gap, rating)
    slope = (
        expected_win_rate(rating + gap + 0.01, rating) - expected_win_rate(rating + gap - 0.01, rating)
    ) / 0.02
    assert expected_variance(p, np.asarray(9.0)) == pytest.approx(9 * slope**2, rel=1e-4)


def test_gap_variance_uses_the_covariance() -> None:
    frame = pl.DataFrame({"policy": ["x", "y"], "rating": [1.0, 2.0]})
    full = Ratings(frame, covariance=np.array([[4.0, 1.0], [1.0, 9.0]]))
    pairs = np.array([[0, 1]])
    assert yardstick(full, ("y", "x")).gap_variance(pairs)[0] == pytest.approx(4 + 9 - 2)
    independent = Ratings(frame.with_columns(pl.Series("std_err", [2.0, 3.0])))
    assert yardstick(independent, ("x", "y")).gap_variance(pairs)[0] == pytest.approx(13)


def test_ratings_of_several_dates_are_not_mixed() -> None:
    frame = pl.DataFrame({"policy": ["x", "x"], "rating": [1.0, 2.0], "date": ["a", "b"]})
    with pytest.raises(SchemaError, match="'x' has several ratings"):
        yardstick(Ratings(frame), ("x",))
