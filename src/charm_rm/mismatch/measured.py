"""What an audit of strengths against ratings measured: both, what is unknown of them, and the line through all policies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..errors import NotIdentifiable
from ..ratings import Yardstick
from ..statistics import ELO_PER_LOGIT, FloatArray
from .line import Lines, fit_lines, fit_sharpness_line, quasi_covariances, quasi_variances
from .strengths import RMStrengths

FEWEST = 3


class Joint(Protocol):
    """How strengths and ratings that come from the same prompts vary together; log-odds.

    ``theta`` and ``rho`` are their (K, K) covariances, ``cross`` is cov(θ, ρ).
    """

    @property
    def theta(self) -> FloatArray: ...

    @property
    def rho(self) -> FloatArray: ...

    @property
    def cross(self) -> FloatArray: ...

    def along(self, by_theta: FloatArray, by_rho: FloatArray) -> tuple[FloatArray, float]:
        """The covariance (m, m) of x θ + y ρ, x and y the rows of (m, K) weights, and the degrees of freedom of the first's variance."""
        ...


@dataclass(frozen=True, eq=False)
class Measured:
    """Strengths and ratings of the same policies in natural log-odds, with covariances and the line through all of them.

    ``joint`` is how strengths and ratings go together, where both come from the same prompts; None where they are independent.
    """

    theta: FloatArray
    theta_covariance: FloatArray
    rho: FloatArray
    rho_covariance: FloatArray
    line: Lines
    tested: NDArray[np.bool_]
    joint: Joint | None = None

    @property
    def theta_noise(self) -> FloatArray:
        """(K,) variances of each strength by itself."""
        return quasi_variances(self.theta_covariance)

    @property
    def rho_noise(self) -> FloatArray:
        """(K,) variances of each rating by itself."""
        return quasi_variances(self.rho_covariance)

    @property
    def shared_noise(self) -> FloatArray:
        """(K,) covariances of each strength with its rating; 0 where they are independent."""
        return _shared(self.joint, self.theta_noise, self.rho_noise)


def _shared(joint: Joint | None, of_theta: FloatArray, of_rho: FloatArray) -> FloatArray:
    return np.zeros(len(of_rho)) if joint is None else quasi_covariances(joint.cross, of_theta, of_rho)


def measure_line(strengths: RMStrengths, rated: Yardstick, *, joint: Joint | None = None) -> Measured:
    """Fit the line of an RM's strengths on ratings, whose errors are independent unless ``joint`` says otherwise.

    Raises:
        NotIdentifiable: fewer than three policies, or ratings that do not differ beyond their own errors.
        NotConverged: the solver finds no line.
    """
    rho, rho_covariance = rated.rating / ELO_PER_LOGIT, rated.full_covariance / ELO_PER_LOGIT**2
    theta_covariance = strengths.covariance
    if joint is not None:
        theta_covariance, rho_covariance = joint.theta, joint.rho
    if len(rho) >= FEWEST and np.ptp(rho) == 0:
        raise NotIdentifiable(
            f"the ratings of these {len(rho)} policies are all equal, so there is no order to compare with",
            fix="audit policies whose ratings differ; check the column of ratings",
        )
    if len(rho) < FEWEST:
        raise NotIdentifiable(
            f"favour needs three or more policies with different ratings, found {len(rho)}",
            fix="audit more policies; the mismatch of single pairs needs no line",
        )
    noise = quasi_variances(theta_covariance), quasi_variances(rho_covariance)
    if not fit_lines(rho, strengths.theta, *noise).told_apart:
        raise NotIdentifiable(
            f"the ratings of these {len(rho)} policies differ by no more than their own errors: "
            "there is no order to compare with",
            fix="use more precise ratings, or policies that are further apart",
        )
    line = fit_sharpness_line(rho, strengths.theta, *noise, shared=_shared(joint, *noise))
    return Measured(strengths.theta, theta_covariance, rho, rho_covariance, line, strengths.tested, joint)
