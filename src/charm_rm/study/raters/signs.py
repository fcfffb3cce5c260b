"""Is a rater careless, or of another taste? One test per sign, each with a margin that careful people may use.

Careful raters differ: in taste, in how often they see a tie, in how fast they read. A test of "just like the others" would flag honest
people whenever it had votes enough. So each hypothesis allows a stated distance from the others, and the tests are binomial tails,
which hold for few votes, too.

Taste moves agreement with the others, and nothing else: an honest rater of any taste passes checks, and gives the same answer again.
So agreement is no sign of carelessness. Want of care in turn only dilutes: who reads a share of the comparisons and clicks on the rest lies
between a coin and the others on every yardstick (:func:`diluted`). Who lies outside is of another taste.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from ...statistics import FloatArray

SLIPS = 0.05  # the share of attention checks that a careful rater may fail
KEPT = 0.8  # of what the others have above a coin's consistency on repeats, what a careful rater keeps
AGREES = 0.9  # of what they have above a coin's agreement, what a rater keeps who is not apart
SIDE = 0.1  # how far from one half a careful rater's share of left may be
MORE_TIES = 1 / 3  # of the others' votes for a side, the share that a careful rater may call ties
QUICK = (
    0.05  # of a typical rater's votes are quicker than "quick"; a careful rater may have half of hers there
)
_NODES = 64
_CARES = np.linspace(0.0, 1.0, 21)  # the shares of comparisons read that :func:`diluted` tries


class Held(NamedTuple):
    """Of ``n`` outcomes so many ``hits``, where the others have the share ``others``: arrays of one shape; n = 0 or NaN is nothing."""

    hits: FloatArray
    n: FloatArray
    others: FloatArray


def failed_checks_p(failed: ArrayLike, n: ArrayLike) -> FloatArray:
    """P(X >= failed), X binomial: n checks, each failed with the chance :data:`SLIPS`."""
    return upper_tail(failed, n, SLIPS)


def low_share_p(
    total: ArrayLike, n: ArrayLike, others: ArrayLike, others_n: ArrayLike, *, kept: ArrayLike = KEPT
) -> FloatArray:
    """P(X <= total), X binomial: n outcomes with mean ½ + kept · (e − ½), the others' mean e being known from others_n outcomes.

    e is Beta(others · others_n + ½, (1 − others) · others_n + ½), over which the tail is averaged: the less is known of the others, the
    nearer p is to 1. Where e is below ½ the mean is e itself: agreeing less often than a coin is no fault where all do.
    """
    from scipy.special import betaincinv

    e, m = np.asarray(others, dtype=np.float64)[..., None], np.asarray(others_n, dtype=np.float64)[..., None]
    level = (np.arange(_NODES) + 0.5) / _NODES
    expected = betaincinv(e * m + 0.5, (1 - e) * m + 0.5, level)
    share = np.asarray(kept, dtype=np.float64)[..., None]
    mean = np.where(expected > 0.5, 0.5 + share * (expected - 0.5), expected)
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


class Diluted(NamedTuple):
    """Of :func:`diluted`: ``p`` (raters,), and at the share read that gives it the p-value of each yardstick alone, (raters, yardsticks)."""

    p: FloatArray
    yardsticks: FloatArray


def diluted(
    agreement: Held, yardsticks: Held, repeats: Held, checks: Held, *, same_by_chance: FloatArray
) -> Diluted:
    """Whether votes can be the others', diluted by clicks: the largest p over the share κ of comparisons that were read.

    With the share κ read, agreement with the others is ½ + κ (e − ½), and so is that with each yardstick, (raters, yardsticks); a repeat is the
    same with c + κ² (e − c), c ``same_by_chance``; a check is passed with ½ + κ/2. Agreement may be too low for that, a yardstick too low or
    too high, repeats and checks too good. The first two are of the same votes: the least of their p-values times their number. Repeats and
    checks are other votes, and join it by Fisher's method. NaN where there is nothing to tell it from.
    """
    found = [_diluted_at(care, agreement, yardsticks, repeats, checks, same_by_chance) for care in _CARES]
    p = np.array([one.p for one in found])
    best = np.argmax(np.nan_to_num(p, nan=-1.0), axis=0)
    rows = np.arange(p.shape[1])
    return Diluted(p[best, rows], np.array([one.yardsticks for one in found])[best, rows])


def _diluted_at(
    care: float, agreement: Held, yardsticks: Held, repeats: Held, checks: Held, same_by_chance: FloatArray
) -> Diluted:
    """:func:`diluted` at one share of comparisons read."""
    fewer = _tail(lower_tail, agreement, 0.5 + care * (agreement.others - 0.5))
    mean = 0.5 + care * (yardsticks.others - 0.5)
    two_sided = 2 * np.minimum(_tail(lower_tail, yardsticks, mean), _tail(upper_tail, yardsticks, mean))
    votes = np.column_stack([fewer, two_sided])
    tried = (~np.isnan(votes)).sum(axis=1)
    least = np.where(np.isnan(votes), 1.0, votes).min(axis=1, initial=1.0)
    same = same_by_chance + care**2 * np.maximum(repeats.others - same_by_chance, 0.0)
    again = _tail(upper_tail, repeats, np.where(np.isnan(same), same_by_chance, same))
    passed = _tail(upper_tail, checks, np.full_like(checks.n, 0.5 + care / 2))
    of_votes = np.where(tried > 0, np.minimum(1.0, least * tried), np.nan)
    return Diluted(combined_p(np.column_stack([of_votes, again, passed])), two_sided)


def _tail(
    tail: Callable[[ArrayLike, ArrayLike, ArrayLike], FloatArray], held: Held, mean: FloatArray
) -> FloatArray:
    """The tail of ``held`` at a mean; NaN where there is nothing."""
    return np.where((held.n > 0) & ~np.isnan(mean), tail(held.hits, held.n, mean), np.nan)


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
