"""Win rates that as many fresh prompts would show: each half of the prompts measured with the offsets of the other.

In-sample win rates meet their targets by construction. Held-out ones do not, but pooled over both halves they nearly do, as
what is missed on one half is overdone on the other. So the two are kept apart, and their difference is scaled.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from ..splits import fold_of
from ..statistics import FloatArray
from .inputs import BoolArray

# By pair (or reference): comparisons, mean outcome under the link, and hard win rate.
Rates = tuple[FloatArray, FloatArray, FloatArray]
# With fewer prompts a half says nothing.
_FEWEST = 10


@dataclass(frozen=True, eq=False)
class CrossFitted:
    """By pair (or reference): mean outcome under the link, and hard win rate, as on fresh prompts; NaN where not known."""

    link: FloatArray
    hard: FloatArray


def nothing_cross_fitted(size: int) -> CrossFitted:
    """NaN throughout."""
    return CrossFitted(np.full(size, np.nan), np.full(size, np.nan))


def where_unmoved(unmoved: BoolArray, fitted: CrossFitted, now: CrossFitted) -> CrossFitted:
    """``now`` where the offsets leave a pair as it is: they do so on fresh prompts too. What is not known stays so."""
    return CrossFitted(
        *(
            np.where(unmoved & ~np.isnan(old), new, old)
            for old, new in ((fitted.link, now.link), (fitted.hard, now.hard))
        )
    )


def halve(prompts: Sequence[str], *, seed: int) -> BoolArray | None:
    """Which prompts are in the first half, by a hash of seed and id; None where they are too few."""
    return None if len(prompts) < _FEWEST else fold_of(prompts, 2, seed=seed) == 0


def cross_fit(first: BoolArray, measure: Callable[[BoolArray, BoolArray], Rates]) -> CrossFitted:
    """``measure(train, held_out)`` on either half, put together by :func:`as_fresh`."""
    (n, link, hard), (m, other_link, other_hard) = measure(first, ~first), measure(~first, first)
    known = (n > 0) & (m > 0)
    return CrossFitted(
        np.where(known, as_fresh(link, other_link), np.nan),
        np.where(known, as_fresh(hard, other_hard), np.nan),
    )


def as_fresh(one: FloatArray, other: FloatArray) -> FloatArray:
    """(r₁ + r₂)/2 + (r₁ - r₂)/(2√2), cut to [0, 1]: win rates as far from their targets as on n fresh prompts.

    With σ²/n the variance of a win rate over n prompts, an offset of n prompts misses on n fresh ones by 2σ²/n in the mean
    square. A half measured with the offset of the other half misses by 4σ²/n, all of it in (r₁ - r₂)/2, as what holds on
    both halves is in (r₁ + r₂)/2: hence 1/√2.
    """
    rates: FloatArray = np.clip((one + other) / 2 + (one - other) / (2 * np.sqrt(2)), 0.0, 1.0)
    return rates
