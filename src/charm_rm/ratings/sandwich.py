"""The covariance of a Bradley-Terry fit: a sandwich over battles or clusters of battles, never thinner than one battle.

C = H^+ M H^+, with H the information and M what the scores of single battles (or clusters) really vary by. It holds
where H^-1 does not: ties counted as half vary less than a coin, votes on one prompt go together, and a plain
Bradley-Terry model is never quite true. Scaling all weights leaves it unchanged.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import NotConverged
from .bradley_terry import Counts, Floats, gram, pinned_information, residuals, row_information

_NULL = 1e-14  # eigenvalues below this share of the largest are the gauge's 0


@dataclass(frozen=True)
class Clustered:
    """One row per battle: ``rows`` as counts, and the cluster 0..n_clusters - 1 that each belongs to."""

    rows: Counts
    cluster: NDArray[np.int64]
    n_clusters: int


def robust_covariance(parameters: Floats, counts: Counts, filling: Floats) -> Floats:
    """H^+ M H^+ in the gauge sum(theta) = 0, M being ``filling`` or one observation of each policy, whichever is more.

    Raises:
        NotConverged: the information cannot be inverted, or the covariance is not finite.
    """
    filling = at_least(filling, one_battle_each(parameters, counts))
    try:
        bread = np.linalg.inv(pinned_information(parameters, counts))
    except np.linalg.LinAlgError:
        bread = np.full(filling.shape, np.nan)
    covariance: Floats = bread @ filling @ bread
    if not np.isfinite(covariance).all():
        raise NotConverged(
            "the ratings' errors cannot be computed: the information matrix is almost singular",
            fix="give a prior (prior=1 or --prior 1), or leave out policies that almost never win or lose",
        )
    return (covariance + covariance.T) / 2.0


def score_variance(parameters: Floats, counts: Counts) -> Floats:
    """M = sum w^2 (y - p)^2 z z^T: battles are independent."""
    return gram(counts.weight_sq * residuals(parameters, counts) ** 2, counts)


def cluster_score_variance(parameters: Floats, clustered: Clustered) -> Floats:
    """M = G / (G - 1) sum_g u_g u_g^T, with u_g = sum w (y - p) z over the battles of cluster g (Liang and Zeger 1986)."""
    from scipy.sparse import csr_array

    rows, cluster, g = clustered.rows, clustered.cluster, clustered.n_clusters
    score = rows.weight * residuals(parameters, rows)
    ends = (np.tile(cluster, 2), np.concatenate([rows.first, rows.second]))
    theta = csr_array((np.concatenate([score, -score]), ends), shape=(g, rows.n_policies))
    style = np.column_stack(
        [np.zeros((g, 0)), *(np.bincount(cluster, score * x, g) for x in rows.covariates.T)]
    )
    border = theta.T @ style
    filling = np.block([[(theta.T @ theta).toarray(), border], [border.T, style.T @ style]])
    scaled: Floats = filling * g / (g - 1)
    return scaled


def one_battle_each(parameters: Floats, counts: Counts) -> Floats:
    """The score variance of one further battle of every policy: sum_pairs s_kl w_kl^2 p (1 - p) z z^T.

    A policy's battle is spread over its opponents as its battles are, s_kl = W_kl / min(W_k, W_l) with W the weight of
    their battles; w_kl is the weight of one battle (where a pair's wins and losses weigh differently, of the lighter).
    """
    k = counts.n_policies
    pair = np.minimum(counts.first, counts.second) * k + np.maximum(counts.first, counts.second)
    found, index = np.unique(pair, return_inverse=True)
    first, second = np.divmod(found, k)
    met: Floats = np.bincount(index, counts.weight).astype(np.float64)
    weight = np.bincount(first, met, k) + np.bincount(second, met, k)
    share = met / np.minimum(weight[first], weight[second])
    chance = np.bincount(index, counts.weight * row_information(parameters, counts)) / met
    pairs = Counts(
        first=first,
        second=second,
        outcome=np.full(found.size, 0.5),
        weight=met,
        weight_sq=met,
        heaviest=met,
        covariates=np.zeros((found.size, counts.covariates.shape[1])),
        n_policies=k,
    )
    return gram(share * _one_weight(counts, index, found.size) ** 2 * chance, pairs)


def _one_weight(counts: Counts, index: NDArray[np.intp], n_pairs: int) -> Floats:
    """The weight of a pair's battle: the heaviest that its lower-indexed side won or tied, or lost or tied; the lesser of both."""
    outcome = np.where(counts.first < counts.second, counts.outcome, 1.0 - counts.outcome)
    won, lost = np.zeros(n_pairs), np.zeros(n_pairs)
    np.maximum.at(won, index[outcome > 0.0], counts.heaviest[outcome > 0.0])
    np.maximum.at(lost, index[outcome < 1.0], counts.heaviest[outcome < 1.0])
    both: Floats = np.where((won > 0) & (lost > 0), np.minimum(won, lost), np.maximum(won, lost))
    return both


def at_least(filling: Floats, floor: Floats) -> Floats:
    """The least matrix above ``filling`` that gives every direction at least the variance that ``floor`` gives it.

    With F = V S V^T and the eigenvalues of S^-1/2 V^T M V S^-1/2 as ratios of M to F, the shortfall max(0, 1 - ratio) is
    made up; where no ratio is below 1, M is returned as it is.
    """
    values, vectors = np.linalg.eigh(floor)
    kept = values > _NULL * values[-1]
    root, basis = np.sqrt(values[kept]), vectors[:, kept]
    ratio, turn = np.linalg.eigh((basis.T @ filling @ basis) / np.outer(root, root))
    if ratio.size == 0 or ratio[0] >= 1.0:
        return filling
    lift = (basis * root) @ turn
    raised: Floats = filling + (lift * np.maximum(0.0, 1.0 - ratio)) @ lift.T
    return raised
