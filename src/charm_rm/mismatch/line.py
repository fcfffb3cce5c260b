"""The sharpness line θ = c + a·ρ through policies whose strengths and ratings are both measured with error.

Errors in variables (York 1966) with scatter: the line minimises Σ w_k r_k², r_k = θ_k - c - a·ρ_k, with
w_k = 1 / (τ² + var θ_k + a² var ρ_k - 2a cov(θ_k, ρ_k)), and τ², the variance of the policies' real favour, is such that the minimum
is its expectation, the number of policies less 2 (Paule and Mandel 1982), or 0 where it is less even so. Many lines are fitted at
once, each through policies of its own: the line without each policy in turn is what that policy's favour is held against.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import NotConverged
from ..statistics import FloatArray

_STEPS = 1000
_TOLERANCE = 1e-10
_FEWEST = 2


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines θ = intercept + slope·ρ, arrays of leading shape (...,); ``level`` and ``tilt`` are (..., K).

    ``level`` and ``tilt`` are the first-order influence of each policy's residual on the line's height at ``centre`` and on its
    slope. ``told_apart``: the ratings differ by more than their errors. ``found``: they do, and the solver converged.
    """

    intercept: FloatArray
    slope: FloatArray
    tau2: FloatArray
    centre: FloatArray
    level: FloatArray
    tilt: FloatArray
    size: FloatArray
    told_apart: NDArray[np.bool_]
    found: NDArray[np.bool_]

    def influence(self, at: FloatArray) -> FloatArray:
        """(..., K): by how much a unit of each policy's residual moves the line's height at ``at`` (...,)."""
        return np.asarray(self.level + (at - self.centre)[..., None] * self.tilt)

    @property
    def freedom(self) -> FloatArray:
        """Degrees of freedom of the scatter about each line."""
        return self.size - 2


def quasi_variances(covariance: FloatArray) -> FloatArray:
    """(K,) variances q with q_k + q_l ≈ var(x_k - x_l), by least squares over pairs (Firth 2003): free of the origin of x.

    Strengths have mean 0 by convention, so their covariance mixes them; only differences are measured.
    With M_kl = var(x_k - x_l), S_k = Σ_l M_kl and Q = Σ_k S_k / (2(K - 1)): q_k = (S_k - Q) / (K - 2).
    """
    own = np.diag(covariance)
    if np.array_equal(covariance, np.diag(own)):
        return own.copy()
    q = _by_policy(covariance)
    return q if len(own) == _FEWEST else np.asarray(np.maximum(q, 0.0))


def quasi_covariances(cross: FloatArray, one: FloatArray, other: FloatArray) -> FloatArray:
    """(K,) covariances c with c_k + c_l ≈ cov(x_k - x_l, y_k - y_l) of ``cross`` = cov(x, y), as :func:`quasi_variances` of x and of y.

    These, ``one`` and ``other``, bound it: |c_k| <= √(q_k q'_k).
    """
    bound = np.sqrt(one * other)
    return np.asarray(np.clip(_by_policy((cross + cross.T) / 2), -bound, bound))


def _by_policy(symmetric: FloatArray) -> FloatArray:
    own, size = np.diag(symmetric), len(symmetric)
    rows = (own[:, None] + own - 2 * symmetric).sum(axis=1)
    if size == _FEWEST:
        return np.asarray(rows / 2)
    return np.asarray((rows - rows.sum() / (2 * (size - 1))) / (size - 2))


def fit_lines(
    rho: FloatArray,
    theta: FloatArray,
    theta_variance: FloatArray,
    rho_variance: FloatArray,
    *,
    used: NDArray[np.bool_] | None = None,
    shared: FloatArray | float = 0.0,
) -> Lines:
    """Fit a line through the policies ``used`` (..., K), all of them by default; the rest is broadcast over leading axes.

    ``shared`` (K,) is the covariance of each policy's two errors, where both come from the same prompts.
    York's steps for the slope and Newton's for τ² are taken together until neither moves.
    """
    shape = np.broadcast_shapes(rho.shape, theta.shape, np.shape(used) if used is not None else ())
    mask = np.broadcast_to(True if used is None else used, shape).astype(np.float64)
    size = mask.sum(axis=-1)
    floor = (
        1e-6 * float(np.max(theta_variance)) + 1e-12
    )  # a policy measured without error must not own the line
    noise = theta_variance + floor
    told_apart = _told_apart(rho, rho_variance, mask)
    slope, tau2 = np.ones(shape[:-1]), np.zeros(shape[:-1])
    moved = np.full(shape[:-1], np.inf)
    with np.errstate(all="ignore"):
        for count in range(_STEPS):
            before = slope, tau2
            step = _Step.of(rho, theta, noise, rho_variance, shared, mask, slope, tau2)
            slope, tau2 = step.slope, step.tau2(size)
            moved = np.abs(slope - before[0]) / np.maximum(np.abs(slope), 1e-3)
            moved = np.maximum(moved, np.abs(tau2 - before[1]) / np.maximum(tau2, floor))
            # Where errors are large, full steps can go in circles; shorter ones do not.
            share = 1.0 if count < _STEPS // 20 else 0.5 if count < _STEPS // 4 else 0.2
            slope, tau2 = (b + share * (x - b) for b, x in zip(before, (slope, tau2), strict=True))
            if not (moved[told_apart & (size >= _FEWEST)] > _TOLERANCE).any():
                break
        step = _Step.of(rho, theta, noise, rho_variance, shared, mask, slope, tau2)
        found = told_apart & (size >= _FEWEST) & (moved <= 1e-6) & np.isfinite(slope)
        tilt = step.weights * step.adjusted / (step.weights * step.adjusted**2).sum(axis=-1, keepdims=True)
        level = step.weights / step.weights.sum(axis=-1, keepdims=True)
    return Lines(
        intercept=step.theta_mean - slope * step.rho_mean,
        slope=slope,
        tau2=tau2,
        centre=step.rho_mean,
        level=level,
        tilt=tilt,
        size=size,
        told_apart=told_apart,
        found=found,
    )


def fit_sharpness_line(
    rho: FloatArray,
    theta: FloatArray,
    theta_variance: FloatArray,
    rho_variance: FloatArray,
    *,
    shared: FloatArray | float = 0.0,
) -> Lines:
    """The one line through all policies.

    Raises:
        NotConverged: York's steps find no line, as where errors of ratings are nearly as large as their differences.
    """
    line = fit_lines(rho, theta, theta_variance, rho_variance, shared=shared)
    if not line.found:
        raise NotConverged(
            "no line of the RM's strengths on human ratings was found",
            fix="the ratings' errors may be too large beside their differences; use better-known ratings or more policies",
        )
    return line


@dataclass(frozen=True, eq=False)
class _Step:
    """One round: weights, what they centre on, and the better slope."""

    weights: FloatArray
    rho_mean: FloatArray
    theta_mean: FloatArray
    adjusted: FloatArray
    slope: FloatArray
    _squares: FloatArray
    _tau2: FloatArray

    @classmethod
    def of(
        cls,
        rho: FloatArray,
        theta: FloatArray,
        noise: FloatArray,
        rho_variance: FloatArray,
        shared: FloatArray | float,
        mask: FloatArray,
        slope: FloatArray,
        tau2: FloatArray,
    ) -> _Step:
        """York's: with x_k = ρ_k + (a·var ρ_k - cov(θ_k, ρ_k)) w_k·r_k, the rating as the line corrects it, a = Σ w x θ / Σ w x ρ (centred)."""
        a = slope[..., None]
        weights = mask / (noise + tau2[..., None] + a**2 * rho_variance - 2 * a * shared)
        total = weights.sum(axis=-1)
        rho_mean, theta_mean = (weights * rho).sum(axis=-1) / total, (weights * theta).sum(axis=-1) / total
        u, v = rho - rho_mean[..., None], theta - theta_mean[..., None]
        residual = v - a * u
        x = u + (a * rho_variance - shared) * weights * residual
        x = x - ((weights * x).sum(axis=-1) / total)[..., None]
        better = (weights * x * v).sum(axis=-1) / (weights * x * u).sum(axis=-1)
        return cls(weights, rho_mean, theta_mean, x, better, weights * residual**2, tau2)

    def tau2(self, size: FloatArray) -> FloatArray:
        """Newton's step on Σ w r² = size - 2, which falls in τ² and is convex: from below it climbs to the root."""
        excess = self._squares.sum(axis=-1) - (size - 2)
        fall = (self.weights * self._squares).sum(axis=-1)
        step = np.divide(
            excess, fall, out=np.full_like(excess, -np.inf), where=fall > 0
        )  # all on the line: 0
        return np.asarray(np.where(size > _FEWEST, np.maximum(self._tau2 + step, 0.0), 0.0))


def _told_apart(rho: FloatArray, rho_variance: FloatArray, mask: FloatArray) -> NDArray[np.bool_]:
    """Whether ratings differ by more than their errors: Σ (ρ - ρ̄)² / var ρ beyond the 95 % point of χ² with size - 1."""
    held = np.where(mask > 0, rho, np.nan)
    weights = mask / np.maximum(rho_variance, 1e-12)  # exact ratings differ where they differ at all
    with np.errstate(all="ignore"):
        mean = (weights * rho).sum(axis=-1) / weights.sum(axis=-1)
        squares = (weights * (rho - mean[..., None]) ** 2).sum(axis=-1)
        freedom = np.maximum(mask.sum(axis=-1) - 1, 1)
        part = 2 / (9 * freedom)
        limit = freedom * (1 - part + 1.645 * np.sqrt(part)) ** 3  # Wilson and Hilferty's quantile
        differ = np.nanmax(held, axis=-1) > np.nanmin(held, axis=-1)
    return np.asarray(differ & (squares > limit))
