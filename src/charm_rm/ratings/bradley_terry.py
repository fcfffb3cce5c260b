"""Bradley-Terry with optional covariates, as arrays: likelihood, derivatives, Newton, sandwich.

The model: log-odds that ``first`` beats ``second`` is eta = theta_first - theta_second + x . beta. Outcomes y are
1 (first wins), 0 (second wins) and 1/2 (tie). Parameters are one vector (theta_1..theta_K, beta_1..beta_m); only
differences of theta matter, so every vector here is in the gauge sum(theta) = 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import NotConverged
from ..statistics import sigmoid

Floats = NDArray[np.float64]

MAX_HALVINGS = 40


@dataclass(frozen=True)
class Counts:
    """Battles as weighted rows: one per (pair, outcome), or one per battle where there are covariates.

    Battles that share pair and outcome enter likelihood and sandwich only through ``weight`` = sum w and
    ``weight_sq`` = sum w^2, so millions of battles cost no more than their few thousand distinct rows.
    """

    first: NDArray[np.intp]
    second: NDArray[np.intp]
    outcome: Floats
    weight: Floats
    weight_sq: Floats
    covariates: Floats
    n_policies: int

    @property
    def n_parameters(self) -> int:
        return self.n_policies + int(self.covariates.shape[1])


@dataclass(frozen=True)
class Fit:
    """Maximum-likelihood parameters, how the solver got there, and their sandwich covariance."""

    parameters: Floats
    covariance: Floats
    log_likelihood: float
    iterations: int
    last_step: float


def log_odds(parameters: Floats, counts: Counts) -> Floats:
    """eta = theta_first - theta_second + x . beta, per row."""
    theta, beta = np.split(parameters, [counts.n_policies])
    eta: Floats = theta[counts.first] - theta[counts.second] + counts.covariates @ beta
    return eta


def log_likelihood(parameters: Floats, counts: Counts) -> float:
    """l = sum w (y eta - log(1 + exp eta)); a tie is half a win and half a loss."""
    eta = log_odds(parameters, counts)
    return float(counts.weight @ (counts.outcome * eta - np.logaddexp(0.0, eta)))


def gradient(parameters: Floats, counts: Counts) -> Floats:
    """dl = sum w (y - p) z, with p = sigma(eta) and z = (e_first - e_second, x)."""
    residual = counts.weight * (counts.outcome - sigmoid(log_odds(parameters, counts)))
    k = counts.n_policies
    theta = np.bincount(counts.first, residual, k) - np.bincount(counts.second, residual, k)
    return np.concatenate([theta, counts.covariates.T @ residual])


def information(parameters: Floats, counts: Counts) -> Floats:
    """-d2l = sum w p (1 - p) z z^T: a graph Laplacian over the policies, bordered by the covariates."""
    p = sigmoid(log_odds(parameters, counts))
    return _gram(counts.weight * p * (1.0 - p), counts)


def pinned_information(parameters: Floats, counts: Counts) -> Floats:
    """The information plus c 1 1^T over the policies: the flat direction gets curvature, sum(theta) stays 0."""
    k = counts.n_policies
    pinned = information(parameters, counts)
    pinned[:k, :k] += np.trace(pinned[:k, :k]) / k**2
    return pinned


def score_variance(parameters: Floats, counts: Counts) -> Floats:
    """The sandwich's filling, sum w^2 (y - p)^2 z z^T: what the scores of single battles really vary by."""
    residual = counts.outcome - sigmoid(log_odds(parameters, counts))
    return _gram(counts.weight_sq * residual**2, counts)


def sandwich(parameters: Floats, counts: Counts) -> Floats:
    """Robust covariance H^+ M H^+ (H: information, M: score variance) in the gauge sum(theta) = 0.

    It holds where H^-1 does not: ties counted as half vary less than a coin, and a plain Bradley-Terry
    model is never quite true. Scaling all weights leaves it unchanged.
    """
    bread = np.linalg.inv(pinned_information(parameters, counts))
    covariance: Floats = bread @ score_variance(parameters, counts) @ bread
    return (covariance + covariance.T) / 2.0


def maximise(counts: Counts, *, tolerance: float, max_iterations: int) -> Fit:
    """Newton's method with step halving from all-equal strengths, to a last step of at most ``tolerance``.

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
            value = log_likelihood(parameters, counts)
            return Fit(parameters, sandwich(parameters, counts), value, iteration, largest)
        parameters = _climb(parameters, step, counts)
    raise NotConverged(
        f"Newton's method did not converge in {max_iterations} iterations: last step {largest:.2g}, tolerance {tolerance:.2g}",
        mend="raise max_iterations; if style columns are used, one of them may separate wins from losses: leave it out",
    )


def _newton_step(parameters: Floats, counts: Counts, iteration: int) -> Floats:
    try:
        step = np.linalg.solve(pinned_information(parameters, counts), gradient(parameters, counts))
    except np.linalg.LinAlgError as error:
        raise NotConverged(
            f"the information matrix became singular at iteration {iteration}",
            mend="a style column may separate wins from losses or repeat another one: leave it out",
        ) from error
    return step.astype(np.float64, copy=False)


def _climb(parameters: Floats, step: Floats, counts: Counts) -> Floats:
    """Take the step, halved until the likelihood does not fall (it is concave, so a halving suffices)."""
    here = log_likelihood(parameters, counts)
    slack = 1e-12 * abs(here)
    for _ in range(MAX_HALVINGS):
        if log_likelihood(parameters + step, counts) >= here - slack:
            break
        step = step / 2.0
    return parameters + step


def _gram(row_weight: Floats, counts: Counts) -> Floats:
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
