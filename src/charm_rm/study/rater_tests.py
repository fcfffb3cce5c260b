"""Is a rater careless? One test per sign of it, each with a margin that careful people may use.

Careful raters differ: in taste, in how often they see a tie, in how fast they read. A test of "just like the others" would flag honest
people whenever it had votes enough. So each hypothesis allows a stated distance from the others, and the tests are binomial tails,
which hold for few votes, too. What three of them say of whether the texts were read at all (checks, repeats, agreement with the others)
is put together by Fisher's method: each alone has few votes to go by.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..statistics import FloatArray

SLIPS = 0.05  # the share of attention checks that a careful rater may fail
KEPT = 0.8  # of what the others have above a coin's agreement or consistency, what a careful rater keeps
SIDE = 0.1  # how far from one half a careful rater's share of left may be
MORE_TIES = 1 / 3  # of the others' votes for a side, the share that a careful rater may call ties
QUICK = (
    0.05  # of a typical rater's votes are quicker than "quick"; a careful rater may have half of hers there
)
_NODES = 64


def failed_checks_p(failed: ArrayLike, n: ArrayLike) -> FloatArray:
    """P(X >= failed), X binomial: n checks, each failed with the chance :data:`SLIPS`."""
    return upper_tail(failed, n, SLIPS)


def low_share_p(total: ArrayLike, n: ArrayLike, others: ArrayLike, others_n: ArrayLike) -> FloatArray:
    """P(X <= total), X binomial: n outcomes with mean ½ + :data:`KEPT` (e − ½), the others' mean e being known from others_n outcomes.

    e is Beta(others · others_n + ½, (1 − others) · others_n + ½), over which the tail is averaged: the less is known of the others, the
    nearer p is to 1. Where e is below ½ the mean is e itself: agreeing less often than a coin is no fault where all do.
    """
    from scipy.special import betaincinv

    e, m = np.asarray(others, dtype=np.float64)[..., None], np.asarray(others_n, dtype=np.float64)[..., None]
    level = (np.arange(_NODES) + 0.5) / _NODES
    expected = betaincinv(e * m + 0.5, (1 - e) * m + 0.5, level)
    mean = np.where(expected > 0.5, 0.5 + KEPT * (expected - 0.5), expected)
    total, n = np.asarray(total, dtype=np.float64)[..., None], np.asarray(n, dtype=np.float64)[..., None]
    averaged: FloatArray = lower_tail(total, n, mean).mean(axis=-1)
    return averaged


def combined_p(p_values: FloatArray) -> FloatArray:
    """P(χ²_2k >= −2 Σ ln p) over the k p-values of each row (n, m), NaN being none (Fisher 1932); NaN where a row has none."""
    from scipy.special import gammaincc

    k = (~np.isnan(p_values)).sum(axis=1)
    half = -np.nansum(np.log(np.maximum(p_values, 1e-300)), axis=1)
    joined: FloatArray = np.where(k > 0, gammaincc(np.maximum(k, 1), half), np.nan)
    return joined


def side_p(left: ArrayLike, n: ArrayLike) -> FloatArray:
    """P(max(X, n − X) >= max(left, n − left)), X binomial with ½ + :data:`SIDE`: as one-sided as that, on either side."""
    left, n = np.asarray(left, dtype=np.float64), np.asarray(n, dtype=np.float64)
    most = np.maximum(left, n - left)
    both: FloatArray = np.minimum(
        1.0, upper_tail(most, n, 0.5 + SIDE) + np.where(most > n - most, upper_tail(most, n, 0.5 - SIDE), 0.0)
    )
    return both


def many_ties_p(ties: ArrayLike, n: ArrayLike, others: ArrayLike) -> FloatArray:
    """P(X >= ties), X binomial with t + :data:`MORE_TIES` (1 − t), t the others' share of ties."""
    t = np.asarray(others, dtype=np.float64)
    return upper_tail(ties, n, t + MORE_TIES * (1 - t))


def quick_votes_p(quick: ArrayLike, n: ArrayLike) -> FloatArray:
    """P(X >= quick), X binomial with ½: more than half of the votes are quicker than nineteen in twenty of a typical rater's."""
    return upper_tail(quick, n, 0.5)


def lower_tail(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> FloatArray:
    """P(X <= k) = I_(1−p)(n − k, k + 1) of a binomial X, the same between whole numbers k; 1 from k = n on."""
    from scipy.special import betainc

    k, n, p = (np.asarray(v, dtype=np.float64) for v in (k, n, p))
    inside = k < n
    tail: FloatArray = np.where(inside, betainc(np.where(inside, n - k, 1.0), k + 1, 1 - p), 1.0)
    return tail


def upper_tail(k: ArrayLike, n: ArrayLike, p: ArrayLike) -> FloatArray:
    """P(X >= k) = P(n − X <= n − k), n − X binomial with 1 − p."""
    k, n, p = (np.asarray(v, dtype=np.float64) for v in (k, n, p))
    return lower_tail(n - k, n, 1 - p)
