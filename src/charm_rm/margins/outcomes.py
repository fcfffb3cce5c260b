"""What one margin counts for: a win, a loss or something between. The only home of the tie rule."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import ArrayLike

from ..settings import TieRule
from ..statistics import FloatArray, sigmoid

Rate = TypeVar("Rate", float, FloatArray)


def hard_outcomes(margins: ArrayLike, *, ties: TieRule = "half", out: FloatArray | None = None) -> FloatArray:
    """1 where the margin is above 0, 0 where below; a tie is ½, or 0 with ``ties="loss"``. NaN stays NaN."""
    margins = np.asarray(margins, dtype=np.float64)
    if ties == "loss":
        outcomes: FloatArray = np.heaviside(margins, 0.0, out=out)
        return outcomes
    outcomes = np.sign(margins, out=out)  # twice as fast as heaviside, and here an audit spends its time
    outcomes *= 0.5
    outcomes += 0.5
    return outcomes


def tie_credit(ties: TieRule) -> float:
    """What a tie counts for the policy."""
    return 0.5 if ties == "half" else 0.0


def with_ties_halved(won: Rate, won_or_tied: Rate) -> Rate:
    """Win rate with a tie as ½, from the share won and the share won or tied: their mean."""
    return (won + won_or_tied) / 2


def soft_outcomes(margins: ArrayLike, *, temperature: float = 1.0) -> FloatArray:
    """sigmoid(margin / temperature). NaN stays NaN; a ratio beyond the largest float is a sure outcome."""
    with np.errstate(over="ignore"):
        return sigmoid(np.asarray(margins, dtype=np.float64) / temperature)
