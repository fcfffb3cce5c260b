"""How many human votes ratings of a chosen precision take."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from ..errors import ConfigError
from ..estimates import Z95
from ..mismatch.strengths import laplacian, pseudo_inverse
from ..statistics import ELO_PER_LOGIT, FloatArray, sigmoid


def rating_half_width(votes: float, *, policies: int, spread: float, ties: float = 0.0) -> float:
    """Mean half width of the 95 % intervals of ratings, Elo points, for votes spread evenly over all pairs.

    With ratings at the normal quantiles of ``spread`` Elo and P = σ(ρ_k - ρ_l), the information of the votes is the Laplacian H of
    (votes / pairs) P (1 - P), and the covariance H⁺ J H⁺, J that of P (1 - P) - ties / 4: a tie, half a win to each, varies less.

    Raises:
        ConfigError: more ties than such ratings allow.
    """
    rho = spread * quantiles(policies) / ELO_PER_LOGIT
    p = sigmoid(rho[:, None] - rho[None, :])
    each = votes / (policies * (policies - 1) / 2)
    even = 1 - np.eye(policies)
    varies = (p * (1 - p) - ties / 4) * even
    if (varies < 0).any():
        raise ConfigError(
            f"with ratings {spread:g} Elo apart a share of {ties:g} ties is more than there can be",
            fix="give fewer --ties, or a smaller --spread",
        )
    inverse = pseudo_inverse(laplacian(each * p * (1 - p) * even))
    covariance = inverse @ laplacian(each * varies) @ inverse
    return float(Z95 * ELO_PER_LOGIT * np.sqrt(np.diag(covariance)).mean())


def votes_for_width(half_width: float, *, policies: int, spread: float, ties: float = 0.0) -> int:
    """The fewest votes whose ratings have 95 % intervals of ± ``half_width`` Elo, in the mean: widths fall with √votes."""
    _check_width(half_width)
    per_vote = rating_half_width(1.0, policies=policies, spread=spread, ties=ties)
    return math.ceil((per_vote / half_width) ** 2)


def scaled_votes(half_width: float, *, votes: int, std_err: FloatArray) -> int:
    """The same from a pilot: ratings of ``votes`` votes with these standard errors, what clusters of voters do to them included."""
    _check_width(half_width)
    return math.ceil(votes * (Z95 * float(np.mean(std_err)) / half_width) ** 2)


def _check_width(half_width: float) -> None:
    if not 0.01 <= half_width <= 10_000:
        raise ConfigError(
            f"ratings known to ± {half_width:g} Elo cannot be planned for",
            fix="--rating-width is between 0.01 and 10,000 Elo points",
        )


def quantiles(size: int) -> FloatArray:
    """Standard normal quantiles at (k + ½) / size, scaled to a standard deviation of 1."""
    values = np.array([NormalDist().inv_cdf((k + 0.5) / size) for k in range(size)])
    return np.asarray(values / values.std())
