"""Student's t beside scipy's, which an audit does without for the time its import takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from charm_rm.mismatch import student


def test_the_table_of_the_normal_distribution_is_right_everywhere() -> None:
    x = np.linspace(-40, 40, 400_003)
    np.testing.assert_allclose(student._normal_cdf(x), stats.norm.cdf(x), atol=2e-7)
    assert student._normal_cdf(np.array([-math.inf, math.inf])).tolist() == pytest.approx([0, 1], abs=1e-9)


@pytest.mark.parametrize("freedom", [1.0, 2.5, 8.0, 43.0, 400.0])
@pytest.mark.parametrize("tail", [0.05, 0.05 / 45])
def test_the_power_is_the_non_central_ts(freedom: float, tail: float) -> None:
    shift = np.array([0.0, 0.5, 2.0, 4.0])
    t = stats.t.isf(tail / 2, freedom)
    theirs = stats.nct.sf(t, freedom, shift) + stats.nct.cdf(-t, freedom, shift)
    np.testing.assert_allclose(student.student_power(shift, freedom, tail=tail), theirs, atol=2e-4)


@pytest.mark.parametrize("freedom", [0.7, 1.0, 3.0, 44.0, 1e5])
def test_p_and_quantile_are_scipys(freedom: float) -> None:
    t = np.array([0.0, 0.3, 2.0, 7.0])
    np.testing.assert_allclose(student.student_p(t, freedom), 2 * stats.t.sf(t, freedom), rtol=1e-9)
    # By its own tail, not against t.isf, which older SciPys solve to eight digits only.
    quantile = student.student_quantile(freedom, tail=0.01)
    assert 2 * stats.t.sf(quantile, freedom) == pytest.approx(0.01, rel=1e-9)
