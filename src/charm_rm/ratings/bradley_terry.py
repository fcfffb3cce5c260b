"""Bradley-Terry with optional covariates, as arrays: likelihood, derivatives, Newton.

The model: log-odds that ``first`` beats ``second`` is eta = theta_first - theta_second + x . beta. Outcomes y are
1 (first wins), 0 (second wins) and 1/2 (tie). Parameters are one vector (theta_1..theta_K, beta_1..beta_m); only
differences of theta matter, so every vector here is in the gauge sum(theta) = 0.

Win probabilities come as logarithms and both tails on their own (:func:`tails`): with ten million wins to one loss
1 - p is 1e-7, and what is left of it after subtracting p from 1 would not let any solver come to rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import NotConverged

Floats = NDArray[np.float64]

_MAX_HALVINGS = 60
_WAY_OUT = (
    "some policies almost never win or lose, or a style column almost separates wins from losses: give a prior "
    "(prior=1 or --prior 1), leave these policies or that style out, or, in Python, raise max_iterations"
)


@dataclass(frozen=True)
class Counts:
    """Battles as weighted rows: one per (pair, outcome), or one per battle where there are covariates.

    Battles that share pair and outcome enter likelihood and sandwich only through ``weight`` = sum w and
    ``weight_sq`` = sum w^2, so millions of battles cost no more than their few thousand distinct rows.
    ``heaviest`` is the largest w of a row's battles.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    outcome: Floats
    weight: Floats
    weight_sq: Floats
    heaviest: Floats
    covariates: Floats
    n_policies: int

    @property
    def n_parameters(self) -> int:
        return self.n_policies + int(self.covariates.shape[1])


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood parameters and how the solver got there."""

    parameters: Floats
    log_likelihood: float
    iterations: int
    last_step: float


def log_odds(parameters: Floats, counts: Counts) -> Floats:
    """eta = theta_first - theta_second + x . beta, per row."""
    theta, beta = np.split(parameters, [counts.n_policies])
    eta: Floats = theta[counts.first] - theta[counts.second] + counts.covariates @ beta
    return eta


def tails(eta: Floats) -> tuple[Floats, Floats]:
    """log p and log(1 - p) of p = sigma(eta): -log(1 + exp(-eta)) and -log(1 + exp(eta)), each to full precision."""
    return -np.logaddexp(0.0, -eta), -np.logaddexp(0.0, eta)


def log_likelihood(parameters: Floats, counts: Counts) -> float:
    """l = sum w (y log p + (1 - y) log(1 - p)); a tie is half a win and half a loss."""
    log_p, log_q = tails(log_odds(parameters, counts))
    y = counts.outcome
    return float(counts.weight @ (y * log_p + (1.0 - y) * log_q))


def residuals(parameters: Floats, counts: Counts) -> Floats:
    """y - p = y (1 - p) - (1 - y) p, per row."""
    log_p, log_q = tails(log_odds(parameters, counts))
    y = counts.outcome
    found: Floats = y * np.exp(log_q) - (1.0 - y) * np.exp(log_p)
    return found


def row_information(parameters: Floats, counts: Counts) -> Floats:
    """p (1 - p), per row."""
    log_p, log_q = tails(log_odds(parameters, counts))
    return np.exp(log_p + log_q)


def gradient(parameters: Floats, counts: Counts) -> Floats:
    """dl = sum w (y - p) z, with z = (e_first - e_second, x)."""
    residual = counts.weight * residuals(parameters, counts)
    k = counts.n_policies
    # By pair before by policy: the wins and losses of a heavy pair cancel among themselves, and what rounding leaves
    # of them goes with opposite signs to its two policies; a light pair beside it is not drowned.
    pairs = np.bincount(counts.first * k + counts.second, residual, k * k).reshape(k, k)
    net = pairs - pairs.T
    return np.concatenate([net.sum(axis=1), counts.covariates.T @ residual])


def information(parameters: Floats, counts: Counts) -> Floats:
    """-d2l = sum w p (1 - p) z z^T: a graph Laplacian over the policies, bordered by the covariates."""
    return gram(counts.weight * row_information(parameters, counts), counts)


def pinned_information(parameters: Floats, counts: Counts) -> Floats:
    """The information plus c 1 1^T over the policies: the flat direction gets curvature, sum(theta) stays 0."""
    k = counts.n_policies
    pinned = information(parameters, counts)
    pinned[:k, :k] += np.trace(pinned[:k, :k]) / k**2
    return pinned


def maximise(counts: Counts, *, tolerance: float, max_iterations: int) -> Fit:
    """Newton's method with a line search from all-equal strengths, to a last step of at most ``tolerance``.

    Raises:
        NotConverged: no such step within ``max_iterations``.
    """
    parameters = np.zeros(counts.n_parameters)
    largest = np.inf
    for iteration in range(1, max_iterations + 1):
        step = _newton_step(parameters, counts, iteration)
        largest = float(np.abs(step).max())
        if largest <= tolerance:
            parameters = parameters + step
            return Fit(parameters, log_likelihood(parameters, counts), iteration, largest)
        parameters = _climb(parameters, step, counts)
    raise NotConverged(
        f"Newton's method did not converge in {max_iterations} iterations: last step {largest:.2g}, tolerance {tolerance:.2g}",
        fix=_WAY_OUT,
    )


def _newton_step(parameters: Floats, counts: Counts, iteration: int) -> Floats:
    try:
        step = np.linalg.solve(pinned_information(parameters, counts), gradient(parameters, counts))
    except np.linalg.LinAlgError as error:
        raise NotConverged(
            f"the information matrix became singular at iteration {iteration}", fix=_WAY_OUT
        ) from error
    if not np.isfinite(step).all():
        raise NotConverged(f"Newton's step is not finite at iteration {iteration}", fix=_WAY_OUT)
    return step.astype(np.float64, copy=False)


def _climb(parameters: Floats, step: Floats, counts: Counts) -> Floats:
    """Take the step, halved until the likelihood still rises at its end, or falls less than half as steeply.

    The slope along the step is compared, not the likelihood: a light pair that overshoots shows in the slope, while
    its part of a sum over a million million battles is lost to rounding.
    """
    uphill = float(gradient(parameters, counts) @ step)
    for _ in range(_MAX_HALVINGS):
        if float(gradient(parameters + step, counts) @ step) >= -0.5 * uphill:
            break
        step, uphill = step / 2.0, uphill / 2.0
    return parameters + step


def gram(row_weight: Floats, counts: Counts) -> Floats:
    """sum v z z^T over the rows, without building z."""
    k, x = counts.n_policies, counts.covariates
    pairs = np.bincount(counts.first * k + counts.second, row_weight, k * k).reshape(k, k)
    pairs = pairs + pairs.T
    out = np.empty((counts.n_parameters, counts.n_parameters))
    out[:k, :k] = np.diag(pairs.sum(axis=1)) - pairs
    for column, values in enumerate(x.T, start=k):
        weighted = row_weight * values
        border = np.bincount(counts.first, weighted, k) - np.bincount(counts.second, weighted, k)
        out[:k, column] = out[column, :k] = border
    out[k:, k:] = (x * row_weight[:, None]).T @ x
    return out
