"""The sharpness line and the favour again, slowly: a minimum found by scipy, a refit without each policy in turn."""

from __future__ import annotations

import numpy as np
from scipy import optimize


def line_at(
    tau2: float, rho: np.ndarray, theta: np.ndarray, v: np.ndarray, u: np.ndarray, shared: np.ndarray
) -> tuple[float, float, float]:
    """(intercept, slope, minimum) of Σ (θ - c - aρ)² / (τ² + v + a² u - 2a shared)."""

    def parts(slope: float) -> tuple[float, float]:
        weights = 1 / (tau2 + v + slope**2 * u - 2 * slope * shared)
        gap = theta - slope * rho
        intercept = float((weights * gap).sum() / weights.sum())
        return intercept, float((weights * (gap - intercept) ** 2).sum())

    start = float(np.polyfit(rho, theta, 1)[0])
    found = optimize.minimize_scalar(lambda a: parts(a)[1], bracket=(start, 1.2 * start + 0.1), tol=1e-10)
    return parts(found.x)[0], float(found.x), parts(found.x)[1]


def line(
    rho: np.ndarray, theta: np.ndarray, v: np.ndarray, u: np.ndarray, shared: np.ndarray | None = None
) -> tuple[float, float, float]:
    """(intercept, slope, τ²): τ² brings the minimum to K - 2, or is 0; ``shared`` are covariances of the errors."""
    goal, c = len(rho) - 2, np.zeros(len(rho)) if shared is None else shared

    def excess(tau2: float) -> float:
        return line_at(tau2, rho, theta, v, u, c)[2] - goal

    tau2 = 0.0 if excess(0.0) <= 0 else float(optimize.brentq(excess, 0.0, 100.0, xtol=1e-13))
    return *line_at(tau2, rho, theta, v, u, c)[:2], tau2


def favour(k: int, rho: np.ndarray, theta: np.ndarray, v: np.ndarray, u: np.ndarray) -> float:
    """(θ_k - c) / a - ρ_k of the line fitted without policy k, in log-odds."""
    rest = np.arange(len(rho)) != k
    c, a, _ = line(rho[rest], theta[rest], v[rest], u[rest])
    return (theta[k] - c) / a - rho[k]
