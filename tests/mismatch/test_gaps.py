"""Errors of favour where strengths and ratings go together: beside independent ones, their degrees of freedom, verdicts and intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from charm_rm.mismatch.favour import leave_one_out, sharpness
from charm_rm.mismatch.measured import Measured, measure_line
from charm_rm.mismatch.strengths import RMStrengths
from charm_rm.ratings import Yardstick
from charm_rm.statistics import ELO_PER_LOGIT, FloatArray

K = 7


@dataclass(frozen=True, eq=False)
class Together:
    """A known covariance (2K, 2K) of strengths, then ratings, with so many degrees of freedom."""

    covariance: FloatArray
    freedom: float = np.inf

    theta = property(lambda self: self.covariance[:K, :K])
    rho = property(lambda self: self.covariance[K:, K:])
    cross = property(lambda self: self.covariance[:K, K:])

    def along(self, by_theta: FloatArray, by_rho: FloatArray) -> tuple[FloatArray, float]:
        both = np.hstack([by_theta, by_rho])
        return both @ self.covariance @ both.T, self.freedom


def _covariance(shared: float) -> FloatArray:
    """Independent policies; ``shared`` is the correlation of a policy's strength and rating."""
    v, u = np.linspace(0.02, 0.04, K), np.linspace(0.03, 0.01, K)
    cross = np.diag(shared * np.sqrt(u * v))
    return np.block([[np.diag(v), cross], [cross, np.diag(u)]])


def _measured(joint: Together | None, seed: int = 0, true: FloatArray = np.linspace(-1, 1, K)) -> Measured:  # noqa: B008
    rng, covariance = np.random.default_rng(seed), _covariance(0.0)
    theta = 1.5 * true + 0.2 * rng.normal(size=K)
    rated = Yardstick(
        tuple("abcdefg"), ELO_PER_LOGIT * true, ELO_PER_LOGIT**2 * covariance[K:, K:], has_uncertainty=True
    )
    return measure_line(RMStrengths(theta, covariance[:K, :K], np.ones(K, bool)), rated, joint=joint)


@pytest.mark.parametrize("scope", ["sample", "these"])
def test_joint_errors_that_do_not_go_together_are_those_of_an_audit(scope) -> None:
    apart, joint = _measured(None), _measured(Together(_covariance(0.0)))
    one, other = leave_one_out(apart, scope), leave_one_out(joint, scope)
    for name in ("favour", "std_err", "low", "high", "p", "unit", "freedom"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9, err_msg=name)
    assert vars(sharpness(apart, scope)) == pytest.approx(vars(sharpness(joint, scope)))


def test_what_strengths_and_ratings_share_takes_noise_away() -> None:
    """With a = 1.5 and correlation 0.8 the noise of θ - aρ is v + a²u - 2a·0.8√(uv), and the interval is shorter for that."""
    apart, joint = _measured(None), _measured(Together(_covariance(0.8)))
    one, other = leave_one_out(apart, "these"), leave_one_out(joint, "these")
    assert (other.unit < 0.75 * one.unit).all()
    wrong = leave_one_out(_measured(Together(_covariance(-0.8))), "these")
    assert (wrong.unit > one.unit).all()


def test_noise_that_is_badly_known_has_few_degrees_of_freedom() -> None:
    known, guessed = (
        leave_one_out(_measured(Together(_covariance(0.5), df)), "sample") for df in (np.inf, 2.0)
    )
    assert (guessed.freedom < known.freedom).all()
    np.testing.assert_allclose(guessed.unit, known.unit)
    assert (guessed.high - guessed.low > known.high - known.low).all()
    slopes = [sharpness(_measured(Together(_covariance(0.5), df)), "sample") for df in (np.inf, 2.0)]
    assert slopes[1].ci_high > slopes[0].ci_high


@pytest.mark.parametrize("seed", range(20))
def test_the_interval_leaves_0_out_exactly_where_the_test_rejects(seed) -> None:
    for joint in (None, Together(_covariance(0.7), 6.0)):
        found = leave_one_out(_measured(joint, seed), "sample")
        np.testing.assert_array_equal((found.low > 0) | (found.high < 0), found.p < 0.05)


def test_a_policy_without_whom_there_is_no_order_has_no_test() -> None:
    """Without the last, all ratings are alike."""
    found = leave_one_out(_measured(Together(_covariance(0.5), 9.0), true=np.eye(K)[-1]), "sample")
    assert found.found.tolist() == [True] * (K - 1) + [False]
    assert np.isnan(found.p[-1])
    assert (found.low[-1], found.high[-1]) == (-np.inf, np.inf)
    assert np.isfinite(found.p[:-1]).all()
