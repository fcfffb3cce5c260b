"""One exponent on the odds of win rates: what a model's sharpness alone makes of its mismatch."""

from __future__ import annotations

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from ..statistics import FloatArray, sigmoid

_STEPS = 60
_TOLERANCE = 1e-8
_MANY = 1000  # prompts, where a published rate does not say how many


def sharpened(win_rate: ArrayLike, exponent: ArrayLike, n: ArrayLike) -> FloatArray:
    """σ(a·logit P̂): the win rate whose odds are those of P̂ to the power a.

    Rates of exactly 0 and 1 count as half a win or loss among n + 1, which is where odds become finite.
    """
    return sigmoid(np.asarray(exponent) * log_odds(win_rate, n))


def log_odds(win_rate: ArrayLike, n: ArrayLike) -> FloatArray:
    """logit P̂, P̂ kept from 0 and 1 by ½ / (n + 1)."""
    least = 0.5 / (np.asarray(n, dtype=np.float64) + 1)
    p = np.clip(np.asarray(win_rate, dtype=np.float64), least, 1 - least)
    return np.asarray(np.log(p) - np.log1p(-p))


def fit_exponent(
    win_rate: FloatArray, expected: FloatArray, n: FloatArray, *, start: float = 1.0, steps: int = _STEPS
) -> FloatArray:
    """The a >= 0 that makes σ(a·logit P̂) likeliest, by pair along the last axis (leading axes: draws).

    The likelihood Σ P log q + (1 - P) log(1 - q), q = σ(a x), is concave in a; its maximum solves Σ x (P - q) = 0. Newton's
    step from ``start``, never more than doubling. An a below 0 would turn the model's order round and is held at 0; where every rate is ½, a is 1.
    """
    x = log_odds(win_rate, n)
    a = np.full(x.shape[:-1], start)
    for _ in range(steps):
        q = sigmoid(a[..., None] * x)
        curvature = (x**2 * q * (1 - q)).sum(axis=-1)
        slope = (x * (expected - q)).sum(axis=-1)
        step = np.divide(slope, curvature, out=np.zeros_like(a), where=curvature > 0)
        moved = np.clip(a + step, 0.0, 2 * a + 0.5)
        close = np.abs(moved - a) <= _TOLERANCE * (1 + a)
        a = moved
        if close.all():
            break
    return np.asarray(a)


def fitted_mismatch(mismatch: pl.DataFrame) -> FloatArray:
    """σ(a·logit P̂) - P by row of a table of mismatch, with the one exponent a that is likeliest on all its rows."""
    n = mismatch["n"].fill_null(_MANY).to_numpy().astype(np.float64)
    win_rate, expected = (mismatch[c].to_numpy() for c in ("win_rate", "expected"))
    return np.asarray(sharpened(win_rate, fit_exponent(win_rate, expected, n), n) - expected)
