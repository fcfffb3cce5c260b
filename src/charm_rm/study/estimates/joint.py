"""How a model's strengths and people's ratings vary together: both are made of the same prompts.

Where a prompt is kind to a policy, people and model prefer it there, so that the errors of both go up and down as one, and favour, which holds
one against the other, varies less than it would with prompts of their own. To first order each is a sum of influences, a row per vote and one per
prompt's candidates; side by side they are clustered by prompt and rater at once, as those of every figure of a study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...mismatch.strengths import RMStrengths
from ...statistics import FloatArray
from .clusters import Clustered2
from .rating_equation import RatingErrors, Sample


@dataclass(frozen=True, eq=False)
class JointErrors:
    """Of strengths θ and ratings ρ of K policies in one order; log-odds (:class:`charm_rm.mismatch.measured.Joint`).

    ``clustered`` is the covariance (2K, 2K) of θ, then ρ; ``lacking`` (K, K) is what is added for ratings (:class:`RatingErrors`).
    """

    clustered: Clustered2
    lacking: FloatArray

    @property
    def theta(self) -> FloatArray:
        """(K, K) covariance of the strengths."""
        k = len(self.lacking)
        return self.clustered.covariance[:k, :k]

    @property
    def rho(self) -> FloatArray:
        """(K, K) covariance of the ratings."""
        k = len(self.lacking)
        return self.clustered.covariance[k:, k:] + self.lacking

    @property
    def cross(self) -> FloatArray:
        """(K, K) cov(θ, ρ)."""
        k = len(self.lacking)
        return self.clustered.covariance[:k, k:]

    def along(self, by_theta: FloatArray, by_rho: FloatArray) -> tuple[FloatArray, float]:
        """The covariance (m, m) of x θ + y ρ for rows x and y of (m, K) weights, and the degrees of freedom of the first's variance."""
        found = self.clustered.combined(np.hstack([by_theta, by_rho]))
        df = found.along(np.eye(len(by_rho))[0])[1]
        return found.covariance + by_rho @ self.lacking @ by_rho.T, df


def joint_errors(
    strengths: RMStrengths,
    prompts: Sequence[str],
    policies: Sequence[str],
    sample: Sample,
    ratings: RatingErrors,
) -> JointErrors:
    """The errors of a model's strengths and of the ratings, together.

    Args:
        strengths: of ``policies``, with what each of ``prompts`` adds.
        prompts: names of the columns of ``strengths.by_prompt``.
        policies: K of the sample's policies.
        sample: the votes behind the ratings, and their layout of prompts.
        ratings: their errors, in the order of the sample's policies.
    """
    chosen = [sample.policies.index(name) for name in policies]
    both = side_by_side(strengths, prompts, sample, ratings.influence[:, chosen])
    return JointErrors(sample.layout.covariance(both), ratings.lacking[np.ix_(chosen, chosen)])


def side_by_side(
    strengths: RMStrengths, prompts: Sequence[str], sample: Sample, of_ratings: FloatArray
) -> FloatArray:
    """(votes + prompts, 2K): what each vote, and each prompt's candidates, add to θ and to ρ, given the latter (votes + prompts, K)."""
    if strengths.by_prompt is None:  # pragma: no cover - margins always have prompts
        raise TypeError("strengths without prompts have no influences")
    n, k = sample.n, of_ratings.shape[1]
    row = n + sample.prompts.search_sorted(pl.Series(prompts)).to_numpy()
    both = np.zeros((n + sample.layout.n_prompts, 2 * k))
    both[row, :k] = strengths.by_prompt.T
    both[:, k:] = of_ratings
    return both
