"""What human ratings say the win rate should be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import SchemaError, listing
from ..statistics import ELO_PER_LOGIT, FloatArray, IntArray, draw_normal, sigmoid
from ..tables import Ratings


def expected_win_rate(rating: ArrayLike, reference: ArrayLike) -> FloatArray:
    """P(O) = 1 / (1 + 10^((R_ref - R_O) / 400)), from ratings on the Elo scale."""
    gap = (np.asarray(rating, dtype=np.float64) - np.asarray(reference, dtype=np.float64)) / ELO_PER_LOGIT
    expected: FloatArray = sigmoid(gap)
    return expected


def expected_matrix(rating: FloatArray) -> FloatArray:
    """P_kl of every pair for ratings (..., K), as (..., K, K); the diagonal is ½."""
    return expected_win_rate(rating[..., :, None], rating[..., None, :])


def expected_variance(expected: FloatArray, gap_variance: FloatArray) -> FloatArray:
    """Delta method: var P = (P (1 - P) ln 10 / 400)² · var(R_O - R_ref), the latter in Elo points squared."""
    slope = expected * (1 - expected) / ELO_PER_LOGIT
    variance: FloatArray = slope**2 * gap_variance
    return variance


@dataclass(frozen=True, eq=False)
class Yardstick:
    """Ratings in the order of the audited policies, in Elo points.

    ``covariance`` is (K, K), or (K,) variances of independent ratings.
    """

    policies: tuple[str, ...]
    rating: FloatArray
    covariance: FloatArray
    has_uncertainty: bool

    @property
    def variance(self) -> FloatArray:
        """(K,) variances."""
        return self.covariance if self.covariance.ndim == 1 else np.diag(self.covariance)

    @property
    def full_covariance(self) -> FloatArray:
        """(K, K) covariance."""
        return np.diag(self.covariance) if self.covariance.ndim == 1 else self.covariance

    def gap_variance(self, pairs: IntArray) -> FloatArray:
        """var(R_O) + var(R_ref) - 2 cov, by pair."""
        k, r = pairs.T
        variance: FloatArray = self.variance[k] + self.variance[r]
        return variance if self.covariance.ndim == 1 else np.asarray(variance - 2 * self.covariance[k, r])

    def draw(self, draws: int, rng: np.random.Generator) -> FloatArray:
        """(draws, K) plausible ratings."""
        return draw_normal(self.rating, self.covariance, draws=draws, rng=rng)


def yardstick(ratings: Ratings, policies: tuple[str, ...]) -> Yardstick:
    """Put the ratings of ``policies`` in their order.

    Raises:
        SchemaError: a policy has several ratings (dates or categories are mixed).
    """
    twice = ratings.frame.filter(ratings.frame["policy"].is_duplicated())["policy"].unique().sort()
    if twice.len():
        raise SchemaError(
            f"ratings: {listing(twice)} has several ratings",
            fix="choose one category and date (--category, --date)",
        )
    rows = {name: row for row, name in enumerate(ratings.frame["policy"])}
    order = [rows[name] for name in policies]
    rating = ratings.frame["rating"].to_numpy()[order]
    if ratings.covariance is not None:
        return Yardstick(policies, rating, ratings.covariance[np.ix_(order, order)], True)
    std_err = ratings.frame["std_err"].gather(order)
    return Yardstick(policies, rating, std_err.fill_null(0.0).to_numpy() ** 2, std_err.null_count() == 0)
