"""Against scipy's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from charm_rm.mismatch.gammas import digamma, log_gamma, trigamma

positive = st.floats(1e-4, 1e9)


@given(positive)
def test_they_are_scipys(x: float) -> None:
    at = np.array([x])
    assert log_gamma(at)[0] == pytest.approx(special.gammaln(x), rel=1e-10, abs=1e-10)
    assert digamma(at)[0] == pytest.approx(special.psi(x), rel=1e-10, abs=1e-10)
    assert trigamma(at)[0] == pytest.approx(special.polygamma(1, x), rel=1e-9)
