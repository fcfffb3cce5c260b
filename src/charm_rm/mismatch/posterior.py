"""Plausible true strengths and ratings, given measured ones: what figures that noise biases get their intervals from.

Noise lowers rank correlations and raises mean absolute favour. Draws about the measured values would carry it twice; these are draws
from the posterior of an empirical-Bayes model, which carry it not at all:

    ρ_k ~ N(mean, S²),  θ_k | ρ_k ~ N(c + a·ρ_k, τ²),  both measured with known errors.

a is drawn from its error. τ² in one half of the draws is such that Σ w_k r_k² is a draw of χ² with K - 2 degrees of freedom, or 0 where even
that leaves less: an RM may be without any favour. In the other half it comes from its posterior under a flat prior of τ: policies
that happen to lie on the line, of few prompts, do not prove that.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..statistics import FloatArray
from .favour import sharpness
from .measured import Measured

_TINY = 1e-12


@dataclass(frozen=True, eq=False)
class TrueDraws:
    """(draws, K) true strengths ``theta`` and ratings ``rho`` in log-odds, and the (draws, K) scatter b = θ - c - a·ρ."""

    theta: FloatArray
    rho: FloatArray
    scatter: FloatArray


def draw_truth(
    measured: Measured, *, draws: int, rng: np.random.Generator, noise: FloatArray | None = None
) -> TrueDraws:
    """Draw from the posterior of true strengths and ratings.

    ``noise`` (draws, K) are the standard normals behind what is not known of strengths, where two models' go together.
    """
    line = measured.line
    centre, a = float(line.centre), float(line.slope)
    height = float(line.intercept) + a * centre
    v, u = _floored(measured.theta_noise), _floored(measured.rho_noise)
    squares = (measured.theta - height - a * (measured.rho - centre)) ** 2
    known = v + a**2 * u
    half = draws // 2
    fiducial = _scatter_at(squares, known, rng.chisquare(float(line.freedom), half))
    tau2 = rng.permutation(np.concatenate([fiducial, _scatter_from(squares, known, draws - half, rng)]))
    tau2 = tau2[:, None] + _TINY
    slope = a + (sharpness(measured, "sample").std_err or 0.0) * rng.standard_normal((draws, 1))
    rho = _draw_ratings(measured, slope, height - slope * centre, tau2 + v, u, rng)
    on_line = height + slope * (rho - centre)
    kept = tau2 / (tau2 + v)
    chance = rng.standard_normal(rho.shape) if noise is None else noise
    scatter = kept * (measured.theta - on_line) + chance * np.sqrt(kept * v)
    return TrueDraws(on_line + scatter, rho, scatter)


def _floored(variance: FloatArray) -> FloatArray:
    """Nothing is known exactly: at least a thousandth of the mean, which no interval notices."""
    return np.asarray(np.maximum(variance, 1e-3 * variance.mean() + _TINY))


def _draw_ratings(
    measured: Measured,
    slope: FloatArray,
    intercept: FloatArray,
    about_line: FloatArray,
    u: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """ρ_k given both measurements: precision 1/S² + 1/u_k + a²/(τ² + v_k), S² the ratings' spread beyond their errors."""
    seen = measured.rho
    spread = max(float(seen.var(ddof=1) - u.mean()), 1e-3 * float(seen.var(ddof=1)) + _TINY)
    precision = 1 / spread + 1 / u + slope**2 / about_line
    pull = seen.mean() / spread + seen / u + slope * (measured.theta - intercept) / about_line
    drawn: FloatArray = pull / precision + rng.standard_normal(precision.shape) / np.sqrt(precision)
    return drawn


def _scatter_at(squares: FloatArray, noise: FloatArray, goals: FloatArray) -> FloatArray:
    """(draws,) the τ² >= 0 at which Σ r_k² / (noise_k + τ²) is each goal, by Newton's steps from below, or 0."""
    tau2 = np.zeros(len(goals))
    for _ in range(200):
        weights = 1 / (noise + tau2[:, None])
        excess = (weights * squares).sum(axis=1) - goals
        moved = np.maximum(tau2 + excess / np.maximum((weights**2 * squares).sum(axis=1), _TINY), 0.0)
        still = np.abs(moved - tau2) <= 1e-4 * (moved + noise.min())
        tau2 = moved
        if still.all():
            break
    return tau2


def _scatter_from(
    squares: FloatArray, noise: FloatArray, draws: int, rng: np.random.Generator, size: int = 200
) -> FloatArray:
    """(draws,) τ² with density in τ ∝ Π_k N(r_k; 0, noise_k + τ²), on a grid up to where residuals and noise together end."""
    reach = 4 * np.sqrt(float(squares.mean() + noise.mean()))
    tau2 = np.linspace(0, reach, size) ** 2
    variance = noise + tau2[:, None]
    log_density = -0.5 * (np.log(variance) + squares / variance).sum(axis=1)
    weight = np.exp(log_density - log_density.max())
    return np.asarray(rng.choice(tau2, size=draws, p=weight / weight.sum()))
