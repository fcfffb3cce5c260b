"""Student's t against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from charm_rm.mismatch.student import student_p, student_power, student_quantile

FREEDOM = [0.3, 1.0, 1.5, 2.0, 3.0, 5.7, 17.0, 43.0, 200.3, 1e4]


@pytest.mark.parametrize("freedom", FREEDOM)
def test_p_quantile_and_power_are_scipys(freedom: float) -> None:
    t = np.array([0.0, 0.01, 0.5, 2.0, 6.0, 40.0])
    np.testing.assert_allclose(student_p(t, freedom), 2 * stats.t.sf(t, freedom), rtol=1e-9)
    for tail in (0.05, 0.001, 0.05 / 46):
        assert float(student_quantile(freedom, tail=tail)) == pytest.approx(
            stats.t.isf(tail / 2, freedom), rel=1e-8
        )
    critical = stats.t.isf(0.025, freedom)
    for shift in (0.0, 1.0, 3.0):
        power = stats.nct.sf(critical, freedom, shift) + stats.nct.cdf(-critical, freedom, shift)
        assert float(student_power(shift, freedom, tail=0.05)) == pytest.approx(power, abs=2e-3)


def test_no_freedom_no_test_and_much_freedom_the_normal() -> None:
    assert np.isnan(student_p(2.0, 0.0))
    assert np.isinf(student_quantile(0.0))
    assert float(student_power(5.0, 0.0, tail=0.05)) == 0.0
    assert float(student_quantile(np.inf)) == pytest.approx(stats.norm.isf(0.025), rel=1e-6)
    assert float(student_p(2.0, np.inf)) == pytest.approx(2 * stats.norm.sf(2.0))
