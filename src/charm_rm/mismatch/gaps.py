"""How sure a policy's distance from the line through the others is, and which favours it leaves possible."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..settings import Scope
from ..statistics import FloatArray
from .line import Lines
from .measured import Measured


@dataclass(frozen=True, eq=False)
class Errors:
    """(K,) var d, cov(d, a), var a of the lines without each policy, and degrees of freedom of d."""

    gap: FloatArray
    both: FloatArray
    slope: FloatArray
    freedom: FloatArray


def line_errors(measured: Measured, lines: Lines, scope: Scope) -> Errors:
    """Noise of every policy, and for a sample the scatter τ² of the others, carried through each line.

    With g_k = e_k - (influence of residuals on the line at ρ_k): var d_k = g_k V g_kᵀ + τ² Σ_{l≠k} g_kl², V the covariance of θ - a ρ,
    cov θ + a² cov ρ where the two are independent. The scatter has K - 3 degrees of freedom, the policy's own noise is known:
    Satterthwaite's (1946) are (K - 3) (var d / (var d - own))². Joint noise has degrees of freedom of its own, which are put together with
    these likewise.
    """
    size = len(measured.theta)
    at = np.nan_to_num(np.eye(size) - lines.influence(measured.rho))
    tilt = np.nan_to_num(lines.tilt)
    scatter = np.nan_to_num(lines.tau2) if scope == "sample" else np.zeros(size)
    slope, others = np.nan_to_num(lines.slope), 1 - np.eye(size)
    noise = _Noise.of(measured, at, tilt, slope)

    def with_scatter(noise: FloatArray, x: FloatArray, y: FloatArray) -> FloatArray:
        return np.asarray(noise + scatter * (x * y * others).sum(axis=1))

    gap = with_scatter(noise.gap, at, at)
    freedom = noise.freedom
    if scope == "sample":
        rest = gap - measured.theta_noise - slope**2 * measured.rho_noise + 2 * slope * measured.shared_noise
        freedom = lines.freedom * (gap / np.maximum(rest, 1e-12)) ** 2
        if measured.joint is not None:
            with np.errstate(divide="ignore", invalid="ignore"):  # no line, or three policies
                freedom = 1 / (1 / freedom + (noise.gap / gap) ** 2 / noise.freedom)
    return Errors(gap, with_scatter(noise.both, at, tilt), with_scatter(noise.slope, tilt, tilt), freedom)


@dataclass(frozen=True, eq=False)
class _Noise(Errors):
    """What prompts, and people, leave unknown of d and a; no scatter."""

    @classmethod
    def of(cls, measured: Measured, at: FloatArray, tilt: FloatArray, slope: FloatArray) -> _Noise:
        """Of g_k (θ - a ρ), the rows of ``at``, and of the slopes, those of ``tilt``; both (K, K)."""
        if measured.joint is None:

            def covariance(x: FloatArray, y: FloatArray) -> FloatArray:
                of_theta = ((x @ measured.theta_covariance) * y).sum(axis=1)
                return np.asarray(of_theta + slope**2 * ((x @ measured.rho_covariance) * y).sum(axis=1))

            known = np.full(len(slope), np.inf)
            return cls(covariance(at, at), covariance(at, tilt), covariance(tilt, tilt), known)
        found = [
            measured.joint.along(np.stack(rows), -a * np.stack(rows))
            for *rows, a in zip(at, tilt, slope, strict=True)
        ]
        both = np.stack([covariance for covariance, _ in found])
        return cls(both[:, 0, 0], both[:, 0, 1], both[:, 1, 1], np.array([freedom for _, freedom in found]))


def fieller(
    gap: FloatArray, slope: FloatArray, errors: Errors, t: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """The f >= or <= which (d - a f)² = t² (var d - 2 f cov(d, a) + f² var a), a > 0 being known.

    (a² - t² var a) f² - 2 (a d - t² cov) f + d² - t² var d = 0. Where the slope is not told apart from 0 the set has no upper or no
    lower end, or neither.
    """
    with np.errstate(all="ignore"):
        square = slope**2 - t**2 * errors.slope
        half = slope * gap - t**2 * errors.both
        root = np.sqrt(np.maximum(half**2 - square * (gap**2 - t**2 * errors.gap), 0.0))
        ends = np.stack([(half - root) / square, (half + root) / square])
        significant = np.isfinite(t) & (gap**2 > t**2 * errors.gap)
    closed = np.isfinite(t) & (square > 0)
    # Of the two open pieces beside the hole, the one on the side of d: the other belongs to negative slopes.
    low = np.where(closed, ends.min(axis=0), np.where(significant & (gap > 0), ends.max(axis=0), -np.inf))
    high = np.where(closed, ends.max(axis=0), np.where(significant & (gap < 0), ends.min(axis=0), np.inf))
    return low, high
