"""Results of training: plain frozen values, importable without torch. Settings are in :mod:`charm_rm.settings`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...settings import TrainSettings
from ...statistics import wilson_interval

__all__ = ["HeldOut", "TrainResult", "TrainSettings", "clustered_size", "summarise_rewards"]


@dataclass(frozen=True)
class HeldOut:
    """How a model orders held-out pairs.

    ``accuracy`` is the share of pairs with r_chosen > r_rejected, a tie counting half; the 95 % interval
    treats pairs of one prompt as one cluster. ``loss`` is the mean of -log sigmoid(r_chosen - r_rejected).
    """

    n: int
    n_prompts: int
    accuracy: float
    ci_low: float
    ci_high: float
    loss: float


@dataclass(frozen=True)
class TrainResult:
    """What a training did and gave.

    ``before`` and ``after`` are None where nothing was held out; ``pairs`` counts train, held_out, dropped
    (equal after truncation) and truncated; ``train_loss`` is the mean of the logged losses, the anchor's included. ``anchor`` tells
    of an anchored training what it was held to, and how far from the ratings it was before (None: there was no anchor).
    """

    output: Path
    steps: int
    train_loss: float
    before: HeldOut | None
    after: HeldOut | None
    pairs: Mapping[str, int]
    log_history: tuple[Mapping[str, Any], ...]
    provenance: Mapping[str, Any]
    anchor: Mapping[str, Any] | None = None

    @property
    def eval_loss(self) -> float | None:
        """Held-out loss after training."""
        return None if self.after is None else self.after.loss

    def to_json(self) -> dict[str, Any]:
        """The result as plain values; the output by its name alone."""
        return asdict(self) | {"output": self.output.name, "eval_loss": self.eval_loss}


def summarise_rewards(
    chosen: NDArray[np.float64], rejected: NDArray[np.float64], prompts: NDArray[np.intp]
) -> HeldOut:
    """Accuracy and loss of held-out pairs; ``prompts`` numbers the prompt of each pair."""
    difference = chosen - rejected
    correct = np.heaviside(difference, 0.5)
    n = clustered_size(correct, prompts)
    accuracy = float(correct.mean())
    low, high = wilson_interval(accuracy * n, n)
    with np.errstate(invalid="ignore"):  # a model that diverged gives NaN, and its caller says so
        loss = float(np.logaddexp(0.0, -difference).mean())
    return HeldOut(
        n=len(correct),
        n_prompts=len(np.unique(prompts)),
        accuracy=accuracy,
        ci_low=float(low),
        ci_high=float(high),
        loss=loss,
    )


def clustered_size(correct: NDArray[np.float64], clusters: NDArray[np.intp]) -> float:
    """Number of independent trials that n clustered ones are worth: p(1-p) / var(p̂), var robust to clusters.

    var(p̂) = G/(G-1) · Σ_g (Σ_{i in g} (x_i - p̂))² / n². Never above n, never below 1; G where all trials agree.
    """
    n, mean = len(correct), correct.mean()
    _, members = np.unique(clusters, return_inverse=True)
    sums = np.bincount(members, weights=correct - mean)
    if len(sums) == 1 or mean in (0.0, 1.0):
        return float(len(sums))
    variance = len(sums) / (len(sums) - 1) * float((sums**2).sum()) / n**2
    return n if variance == 0 else float(np.clip(mean * (1 - mean) / variance, 1.0, n))
