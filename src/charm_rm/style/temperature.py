"""The scale at which a model's win rates are people's: σ(margin / T) as the probability that people prefer a response."""

from __future__ import annotations

import numpy as np

from ..errors import NotIdentifiable
from ..margins import PairedMargins, blocks
from ..statistics import FloatArray, sigmoid

_RANGE = (-6.0, 8.0)  # of log T, in units of the margins' spread: at its ends every rate is 0, 1, or ½
_TOLERANCE = 1e-6


def people_temperature(paired: PairedMargins, expected: FloatArray, spread: float) -> float:
    """The T that minimises Σ_p (mean_i σ(m_pi / T) - P_p)², in the unit of the margins.

    Raises:
        NotIdentifiable: the best T is infinite: the model orders policies no better than chance, or against people.
    """
    from scipy.optimize import minimize_scalar

    def loss(log_t: float) -> float:
        rate = mean_soft(paired, spread * float(np.exp(log_t)))
        return float(((rate - expected) ** 2).mean())

    grid = np.linspace(*_RANGE, 15)
    at = int(np.argmin([loss(x) for x in grid]))
    if at == len(grid) - 1:
        raise NotIdentifiable(
            "no scale makes win rates those of people: the ratings' order is not that of the scores",
            where="style calibration",
            fix="look at the audit: a model that ranks policies upside down cannot be calibrated by scale",
        )
    ends = (grid[max(at - 1, 0)], grid[at + 1])
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": _TOLERANCE})
    return spread * float(np.exp(found.x))


def mean_soft(paired: PairedMargins, temperature: float) -> FloatArray:
    """(m,) mean_i σ(m_pi / T) by pair, over the prompts that it has."""
    return np.concatenate(
        [np.nanmean(sigmoid(paired.rows(some) / temperature), axis=1) for some in blocks(paired)]
    )
