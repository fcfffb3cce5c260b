"""Both orders -> one margin: the log-odds of the mean, finite, odd."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.judging import order_averaged_margin

preference = st.floats(0, 1)


@given(preference, preference)
def test_margins_are_the_log_odds_of_the_mean_of_both_orders(q1: float, q2: float) -> None:
    margin = float(order_averaged_margin(np.array([q1]), np.array([q2]))[0])
    p = np.clip((q1 + 1 - q2) / 2, 1e-6, 1 - 1e-6)
    assert margin == pytest.approx(math.log(p / (1 - p)), rel=1e-6, abs=1e-9)
    assert math.isfinite(margin)
    assert margin == -float(order_averaged_margin(np.array([q2]), np.array([q1]))[0])
