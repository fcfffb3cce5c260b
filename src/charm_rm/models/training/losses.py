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
