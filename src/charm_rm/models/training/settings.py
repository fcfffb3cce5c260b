"""Settings and results of training: plain frozen values, importable without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...errors import ConfigError
from ...statistics import wilson_interval

AUTO_DEVICE_BATCH = 8


@dataclass(frozen=True)
class TrainSettings:
    """How to train; the defaults are the paper's (lr 2e-6, batch 64, cosine, 3 % warm-up, one epoch, 4096 tokens).

    Args:
        batch_size: pairs per optimiser step, reached by accumulating gradients.
        device_batch_size: pairs per forward pass; None: the largest divisor of ``batch_size`` up to 8.
        max_steps: stop after this many optimiser steps, whatever ``epochs`` says.
        max_length: tokens per sequence, capped by what the model can read.
        lora: train low-rank adapters (on all linear layers) and the score head, not all weights.
        merge: fold the adapters into the weights before saving, so that the result is a plain model.
        margin_loss: loss -log sigmoid(r_chosen - r_rejected - margin), with the pairs' ``margin``.
        soft_labels: cross-entropy against the pairs' ``p_chosen`` in place of hard labels.
        new_head: give a base model that has no score head a fresh one, seeded. Without it such a base is refused.
        eval_fraction: share of the prompts whose pairs are held out of training and only evaluated.
        dropout: keep the dropout that the model's configuration asks for; off: none.
        bf16: bfloat16 autocast; None: on GPUs that support it.
        gradient_checkpointing: recompute activations to save memory; None: on GPUs.
        save_every: checkpoint every so many steps (for ``resume``); None: ten times per run; 0: never.
    """

    learning_rate: float = 2e-6
    batch_size: int = 64
    device_batch_size: int | None = None
    epochs: float = 1.0
    max_steps: int | None = None
    max_length: int = 4096
    warmup_ratio: float = 0.03
    scheduler: str = "cosine"
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    lora: bool = False
    lora_rank: int = 16
    lora_alpha: int | None = None
    merge: bool = True
    margin_loss: bool = False
    soft_labels: bool = False
    new_head: bool = False
    eval_fraction: float = 0.05
    seed: int = 0
    dropout: bool = True
    bf16: bool | None = None
    gradient_checkpointing: bool | None = None
    save_every: int | None = None

    def __post_init__(self) -> None:
        positive = ("learning_rate", "batch_size", "epochs", "max_length", "lora_rank", "max_grad_norm")
        for name in (*positive, "device_batch_size", "max_steps", "lora_alpha"):
            value = getattr(self, name)
            if value is not None and not (value > 0 and math.isfinite(value)):
                raise ConfigError(f"{name} must be above 0, got {value}", where="training settings")
        for name in ("eval_fraction", "warmup_ratio"):
            if not 0 <= getattr(self, name) < 1:
                raise ConfigError(
                    f"{name} must be at least 0 and below 1, got {getattr(self, name)}",
                    where="training settings",
                )
        if self.device_batch_size and self.batch_size % self.device_batch_size:
            raise ConfigError(
                f"device_batch_size {self.device_batch_size} does not divide batch_size {self.batch_size}",
                where="training settings",
                mend="choose a divisor, so that every optimiser step sees batch_size pairs",
            )
        if self.lora and self.new_head and not self.merge:
            raise ConfigError(
                "an adapter beside a base that has no score head cannot be loaded by others",
                where="training settings",
                mend="merge the adapter, or give the base its head in a first training",
            )

    @property
    def pairs_per_device(self) -> int:
        """Pairs per forward pass."""
        if self.device_batch_size:
            return self.device_batch_size
        return max(d for d in range(1, AUTO_DEVICE_BATCH + 1) if self.batch_size % d == 0)

    @property
    def accumulation(self) -> int:
        """Forward passes per optimiser step."""
        return self.batch_size // self.pairs_per_device


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
    (equal after truncation) and truncated; ``train_loss`` is the mean of the logged losses.
    """

    output: Path
    steps: int
    train_loss: float
    before: HeldOut | None
    after: HeldOut | None
    pairs: Mapping[str, int]
    log_history: tuple[Mapping[str, Any], ...]
    provenance: Mapping[str, Any]

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
