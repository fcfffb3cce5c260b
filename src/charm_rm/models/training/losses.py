"""What training minimises: pure functions of the rewards of a batch's pairs. A new loss goes here."""

from __future__ import annotations

import torch
from torch.nn.functional import logsigmoid


def bradley_terry_loss(
    chosen: torch.Tensor,
    rejected: torch.Tensor,
    *,
    margin: torch.Tensor | float = 0.0,
    p_chosen: torch.Tensor | None = None,
) -> torch.Tensor:
    """mean of -p log sigmoid(d) - (1 - p) log sigmoid(-d), with d = r_chosen - r_rejected - margin; p = 1 without soft labels.

    The cross-entropy of the Bradley-Terry model's P(chosen beats rejected) = sigmoid(d) against p: least where sigmoid(d) = p,
    with derivative sigmoid(d) - p by d.

    Args:
        chosen, rejected: (pairs,) rewards.
        margin: (pairs,), by how much the chosen one should lead at least.
        p_chosen: (pairs,) soft labels, the probability that the chosen one is better.
    """
    difference = chosen - rejected - margin
    if p_chosen is None:
        return -logsigmoid(difference).mean()
    return -(p_chosen * logsigmoid(difference) + (1 - p_chosen) * logsigmoid(-difference)).mean()


# --- the policy-level loss of anchored training -----------------------------------------------------


def soft_wins(rewards: torch.Tensor, *, temperature: float) -> torch.Tensor:
    """sigmoid((r_ik - r_il) / T) for every prompt i and pair of policies k < l: (prompts, policies) -> (prompts, pairs).

    Pairs are in the order of ``torch.triu_indices(policies, policies, 1)``. Their means over prompts are the soft win rates.
    """
    k, other = torch.triu_indices(rewards.shape[1], rewards.shape[1], 1)
    return torch.sigmoid((rewards[:, k] - rewards[:, other]) / temperature)


def squared_mean(gaps: torch.Tensor) -> torch.Tensor:
    """(mean_i d_i)² of each column, the plain square: its expectation over batches is too large by the variance of the mean."""
    return gaps.mean(0).square()


def product_of_halves(gaps: torch.Tensor) -> torch.Tensor:
    """The mean of d_i d_j over i ≠ j, of each column: ((Σ d)² - Σ d²) / (n (n - 1)), an unbiased estimate of (E d)².

    It is the product m₁ m₂ of the means of two halves of the rows, averaged over all ways to halve them, and so has the
    expectation of one such product and at most its variance; and it is the plain square less the variance of the mean,
    (mean d)² - s² / n. It may be below 0.

    Args:
        gaps: (n, columns), n at least 2 independent rows.
    """
    n = len(gaps)
    return (gaps.sum(0).square() - gaps.square().sum(0)) / (n * (n - 1))


def product_with_known(gaps: torch.Tensor, known: torch.Tensor) -> torch.Tensor:
    """known², with the gradient 2 · known · ∂(mean_i d_i) of a square whose value is known from elsewhere.

    Unbiased as a gradient where ``known`` is the true mean, and independent of the rows.

    Args:
        gaps: (n, columns).
        known: (columns,), a mean of other rows.
    """
    mean = gaps.mean(0)
    return known.square() + 2 * known * (mean - mean.detach())


def kept_scores_loss(rewards: torch.Tensor, old: torch.Tensor) -> torch.Tensor:
    """The mean over prompts of the variance over policies of r - s: what differs of a prompt's scores, not their level.

    Args:
        rewards, old: (prompts, policies) scores now and before training, in one unit.
    """
    return (rewards - old).var(dim=1, correction=1).mean()
