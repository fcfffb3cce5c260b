"""Weights of the features, and the scale of the scores, that bring soft win rates to what human ratings say.

    minimise over w   Σ_p ω_p (mean_i σ((m_pi + w·Δφ_pi) / T) - P_p)² / Σ_p ω_p  +  λ |w|²

over pairs p of policies: only the mean over prompts is held to the ratings.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import NotConverged
from ..statistics import FloatArray
from .comparisons import Part, SoftRates, soft_rates, stacked

_MOST = 200  # evaluations
_START = 1.0  # T to begin with, in units of the margins' spread
_LOG_RANGE = (np.log(0.02), np.log(200.0))  # of T: at the ends every rate is 0 or 1, or a half


@dataclass(frozen=True, eq=False)
class Bounds:
    """(d,) limits of the weights, in units of the margins' spread; equal ones fix a weight."""

    low: FloatArray
    high: FloatArray

    @property
    def free(self) -> NDArray[np.bool_]:
        return np.asarray(self.low < self.high)

    @classmethod
    def none(cls, d: int) -> Bounds:
        return cls(np.full(d, -np.inf), np.full(d, np.inf))


@dataclass(frozen=True, eq=False)
class Fitted:
    """Weights (d,) and T in units of the margins' spread, the loss there without the penalty, and the evaluations it took."""

    weights: FloatArray
    temperature: float
    loss: float
    evaluations: int


def fit_weights(
    parts: Sequence[Part],
    *,
    scale: float,
    temperature: float | None,
    penalty: float,
    bounds: Bounds,
    start: Fitted | None = None,
    tolerance: float = 1e-14,
) -> Fitted:
    """Minimise the policy-level loss from ``start`` (default: no correction).

    ``temperature`` is T where it is given; None: fitted with the weights. It ends where a step promises less than ``tolerance`` of the loss.

    Raises:
        NotConverged: it does not settle.
    """
    whole = np.append(np.where(bounds.free, 0.0, bounds.low), np.log(temperature or _START))
    chosen = np.append(bounds.free, temperature is None)
    if start is not None:
        whole[chosen] = np.append(start.weights, np.log(start.temperature))[chosen]
    root = root_weights(parts)
    expected = np.concatenate([part.expected for part in parts])
    ridge = np.sqrt(penalty) * np.eye(len(whole))[:-1]  # none on log T

    def evaluate(x: FloatArray) -> tuple[FloatArray, FloatArray]:
        at = _filled(whole, chosen, x)
        rates = stacked([soft_rates(part, scale, at[:-1], float(np.exp(at[-1]))) for part in parts])
        residual = np.concatenate([root * (rates.rate - expected), ridge @ at])
        return residual, np.concatenate([root[:, None] * rates.slope, ridge])[:, chosen]

    low = np.append(bounds.low, _LOG_RANGE[0])[chosen]
    high = np.append(bounds.high, _LOG_RANGE[1])[chosen]
    x, residual, evaluations = least_squares(
        evaluate, np.clip(whole[chosen], low, high), low, high, tolerance=tolerance
    )
    at = _filled(whole, chosen, x)
    loss = float((residual[: len(root)] ** 2).sum())
    return Fitted(at[:-1], float(np.exp(at[-1])), loss, evaluations)


def least_squares(
    evaluate: Callable[[FloatArray], tuple[FloatArray, FloatArray]],
    x: FloatArray,
    low: FloatArray,
    high: FloatArray,
    *,
    tolerance: float,
) -> tuple[FloatArray, FloatArray, int]:
    """Least squares within bounds for few unknowns and many residuals, which may be large: Gauss-Newton with the rest of the curvature learnt.

    Σ r ∇²r is learnt from the steps by the secant update of NL2SOL (Dennis, Gay and Welsch 1981), as win rates that no style explains keep
    the residuals from 0; steps are damped as Levenberg and Marquardt have it. ``evaluate`` gives the residuals (m,) and their slopes
    (m, unknowns). Returns x, its residuals, and the number of evaluations.

    Raises:
        NotConverged: no end after 200 evaluations.
    """
    residual, slope = evaluate(x)
    curved = np.zeros((len(x), len(x)))
    damping = 1e-3
    for evaluations in range(1, _MOST):
        normal, gradient = slope.T @ slope, slope.T @ residual
        cost = float(residual @ residual)
        model = _positive(normal + curved) + damping * np.diag(np.diag(normal))
        step = _step(model, gradient, low - x, high - x)
        promised = -float(2 * gradient @ step + step @ model @ step)
        if promised <= tolerance * cost or not step.any():
            return x, residual, evaluations
        nearer = np.clip(x + step, low, high)
        there = evaluate(nearer)
        curved = _learnt(curved, step, gradient, there[1].T @ there[0], slope.T @ there[0])
        won = (cost - float(there[0] @ there[0])) / promised
        if not won > 0 or not np.isfinite(curved).all():
            curved = np.zeros_like(curved)  # what was learnt far from here misleads
        if won > 0:
            x, (residual, slope) = nearer, there
        damping = max(0.1 * damping, 1e-10) if won > 0.5 else damping if won > 0.1 else 10 * damping
    raise NotConverged(
        f"the weights of the features do not settle within {_MOST} evaluations",
        where="style calibration",
        fix="use fewer features, or a larger penalty",
    )


def _learnt(
    curved: FloatArray, step: FloatArray, before: FloatArray, after: FloatArray, halfway: FloatArray
) -> FloatArray:
    """The curvature that residuals add, after a step: S + ((y' - Ss) y' + ...) / y·s, with y' = J₊r₊ - J r₊ and y the gradient's change."""
    y, new = after - before, after - halfway
    along = float(y @ step)
    if along <= 1e-100 + 1e-6 * np.linalg.norm(y) * np.linalg.norm(step):
        return curved
    now = float(step @ curved @ step)
    curved = curved * min(1.0, abs(float(new @ step) / now)) if now else curved
    gap, y = new - curved @ step, y / along
    both = np.outer(gap, y)
    return np.asarray(curved + both + both.T - float(gap @ step) * np.outer(y, y))


def _positive(matrix: FloatArray) -> FloatArray:
    """The same with its eigenvalues' sizes: curvature downwards is no reason to go uphill."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(np.abs(values), 1e-14 * np.abs(values).max())) @ vectors.T)


def _step(normal: FloatArray, gradient: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """The δ between the bounds that minimises 2 g·δ + δ'Nδ."""
    step = np.asarray(np.linalg.lstsq(normal, -gradient, rcond=None)[0])
    if ((step >= low) & (step <= high)).all():
        return step
    from scipy.optimize import lsq_linear

    values, vectors = np.linalg.eigh(normal)
    half = np.sqrt(np.maximum(values, 1e-14 * values[-1]))
    wide = high > low
    found = lsq_linear(
        (half * vectors).T[:, wide],
        -(vectors.T @ gradient) / half,
        bounds=(low[wide], high[wide]),
        method="bvls",
    )
    step = np.zeros(len(gradient))
    step[wide] = np.clip(found.x, low[wide], high[wide])
    return step


def policy_loss(parts: Sequence[Part], rates: SoftRates) -> float:
    """Σ_p ω_p (rate_p - P_p)² / Σ_p ω_p."""
    expected = np.concatenate([part.expected for part in parts])
    return float(((root_weights(parts) * (rates.rate - expected)) ** 2).sum())


def root_weights(parts: Sequence[Part]) -> FloatArray:
    """√(ω_p / Σ ω)."""
    weight = np.concatenate([part.weight for part in parts])
    return np.asarray(np.sqrt(weight / weight.sum()))


def _filled(whole: FloatArray, chosen: NDArray[np.bool_], x: FloatArray) -> FloatArray:
    """All weights and log T: the fixed ones, and those that were chosen."""
    values = whole.copy()
    values[chosen] = x
    return values
