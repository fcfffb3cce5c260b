"""Weights of the features, and the scale of the scores, that bring soft win rates to what human ratings say.

    minimise over w   Σ_p ω_p (mean_i σ((m_pi + w·Δφ_pi) / T) - P_p)² / Σ_p ω_p  +  λ |w|²

over pairs p of policies: only the mean over prompts is held to the ratings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import NotConverged
from ..statistics import FloatArray
from .comparisons import Part, SoftRates, soft_rates, stacked

_MOST = 200  # evaluations


@dataclass(frozen=True, eq=False)
class Bounds:
    """(d,) limits of the weights, in units of the margins' spread; equal ones fix a weight."""

    low: FloatArray
    high: FloatArray

    @property
    def free(self) -> FloatArray:
        return np.asarray(self.low < self.high)

    @classmethod
    def none(cls, d: int) -> Bounds:
        return cls(np.full(d, -np.inf), np.full(d, np.inf))


@dataclass(frozen=True, eq=False)
class Fitted:
    """Weights (d,) in units of the margins' spread, the loss there without the penalty, and the evaluations it took."""

    weights: FloatArray
    loss: float
    evaluations: int


def fit_weights(
    parts: Sequence[Part],
    *,
    scale: float,
    temperature: float,
    penalty: float,
    bounds: Bounds,
    start: FloatArray | None = None,
    tolerance: float = 1e-10,
) -> Fitted:
    """Minimise the policy-level loss by trust-region least squares from ``start`` (default: no correction).

    ``tolerance`` is of the relative change of loss and weights.

    Raises:
        NotConverged: it does not settle.
    """
    from scipy.optimize import least_squares

    free = bounds.free
    whole = np.where(free, 0.0, bounds.low)
    if not free.any():
        return Fitted(whole, policy_loss(parts, _rates(parts, scale, whole, temperature)), 0)
    root = root_weights(parts)
    expected = np.concatenate([part.expected for part in parts])
    ridge = np.sqrt(penalty) * np.eye(int(free.sum()))
    memory: dict[bytes, SoftRates] = {}

    def rates(chosen: FloatArray) -> SoftRates:
        key = chosen.tobytes()
        if key not in memory:
            memory.clear()
            memory[key] = _rates(parts, scale, _filled(whole, free, chosen), temperature)
        return memory[key]

    def residuals(chosen: FloatArray) -> FloatArray:
        return np.concatenate([root * (rates(chosen).rate - expected), ridge @ chosen])

    def slopes(chosen: FloatArray) -> FloatArray:
        return np.concatenate([root[:, None] * rates(chosen).slope[:, free], ridge])

    first = np.zeros(int(free.sum())) if start is None else start[free]
    low, high = bounds.low[free], bounds.high[free]
    found = least_squares(
        residuals,
        np.clip(first, low, high),
        jac=slopes,
        bounds=(low, high),
        ftol=tolerance,
        xtol=tolerance,
        gtol=1e-12,
        max_nfev=_MOST,
    )
    if not found.success:
        raise NotConverged(
            f"the weights of the features do not settle ({found.message})",
            where="style calibration",
            mend="use fewer features, or a larger penalty",
        )
    weights = _filled(whole, free, np.asarray(found.x))
    loss = float(((root * (rates(np.asarray(found.x)).rate - expected)) ** 2).sum())
    return Fitted(weights, loss, int(found.nfev))


def policy_loss(parts: Sequence[Part], rates: SoftRates) -> float:
    """Σ_p ω_p (rate_p - P_p)² / Σ_p ω_p."""
    expected = np.concatenate([part.expected for part in parts])
    return float(((root_weights(parts) * (rates.rate - expected)) ** 2).sum())


def root_weights(parts: Sequence[Part]) -> FloatArray:
    """√(ω_p / Σ ω)."""
    weight = np.concatenate([part.weight for part in parts])
    return np.asarray(np.sqrt(weight / weight.sum()))


def _rates(parts: Sequence[Part], scale: float, weights: FloatArray, temperature: float) -> SoftRates:
    return stacked([soft_rates(part, scale, weights, temperature) for part in parts])


def _filled(whole: FloatArray, free: FloatArray, chosen: FloatArray) -> FloatArray:
    """All weights: the fixed ones, and those that were chosen."""
    weights = whole.copy()
    weights[free] = chosen
    return weights
