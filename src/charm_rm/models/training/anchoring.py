"""Anchored training: what is added to every optimiser step to hold win rates between policies to human ratings.

    L = Bradley-Terry loss of the pairs
        + weight · mean over pairs (k, l) of the batch's policies of an estimate of (m_kl - P_kl)²
        + keep · mean over its prompts of the variance over policies of (r - s) / sd

with m_kl the mean over prompts of sigmoid((r_k - r_l) / T), s the scores before training and sd their spread within a prompt.
The loss needs the rewards of a whole anchor batch. Where that is more than a forward pass may have, rewards are computed
without gradients first, the loss and its derivative by every reward from them, and then each part again, with the gradient
that its rewards have: the gradient of the whole at the memory of a part. Dropout is off here: what is
anchored are the win rates of the model as it will score.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
import trl

from ...settings import TrainSettings
from ...statistics import FloatArray
from ..scoring.encoding import Encoded, ResponseEncoder
from ..scoring.shortening import in_chunks
from .anchors import AnchorBatch, AnchorPlan, mean_wins, score_grid, within_prompt_sd
from .losses import kept_scores_loss, product_of_halves, product_with_known, soft_wins, squared_mean
from .micro_batches import rewards_of

_OLD, _RUNNING = "anchor_scores.npy", "anchor_running.npy"


@dataclass(frozen=True, eq=False)
class AnchorData:
    """A plan, the texts in it as tokens (by row), and the scores before (prompts, K; NaN: in no batch) with their spread."""

    plan: AnchorPlan
    encoded: Mapping[int, Encoded]
    old: FloatArray
    unit: float


def start_anchoring(
    trainer: trl.RewardTrainer,
    plan: AnchorPlan,
    encoder: ResponseEncoder,
    *,
    settings: TrainSettings,
    folder: Path,
) -> Anchoring:
    """Encode what the batches have, and score it with the model as it is before training.

    On resume these scores are read back from ``folder``, the one of the unfinished training.

    Raises:
        NotIdentifiable: the model gives all responses to a prompt the same score.
    """
    rows, file = plan.rows, folder / _OLD
    encoded = dict(zip(rows.tolist(), encoder.encode_many(*plan.anchor.texts(rows)), strict=True))
    if file.exists():
        scores = np.load(file, allow_pickle=False)
    else:
        with without_dropout(trainer.model), torch.no_grad():
            found = compute_rewards(trainer, trainer.model, list(encoded.values()))
        scores = found.cpu().numpy().astype(np.float64)
        np.save(file, scores, allow_pickle=False)
    old = score_grid(plan.anchor, rows, scores)
    return Anchoring(AnchorData(plan, encoded, old, within_prompt_sd(old)), settings)


class Anchoring:
    """The policy-level part of a training: call :meth:`add` once before each optimiser step."""

    def __init__(self, data: AnchorData, settings: TrainSettings) -> None:
        self.data, self.settings = data, settings
        self.temperature = settings.anchor_temperature * data.unit
        self.running = mean_wins(data.old, temperature=self.temperature)
        self.gap_before = self._gap()

    def add(self, trainer: trl.RewardTrainer, model: Any) -> torch.Tensor:
        """Add the gradient of this step's anchor batch to the parameters'; the loss, weighted, comes back."""
        batch = self.data.plan.batch(trainer.state.global_step)
        encoded = [self.data.encoded[i] for i in batch.rows.ravel().tolist()]
        parts = _parts(encoded, trainer)
        with without_dropout(model):  # the backward passes, too: they may compute activations again
            with torch.set_grad_enabled(len(parts) == 1):
                rewards = compute_rewards(trainer, model, encoded)
            if len(parts) == 1:
                loss = self.loss(rewards.view(batch.rows.shape), batch, trainer)
                trainer.accelerator.backward(loss)
            else:
                rewards.requires_grad_()
                loss = self.loss(rewards.view(batch.rows.shape), batch, trainer)
                (gradient,) = torch.autograd.grad(loss, rewards)
                for part in parts:
                    found = _forward(trainer, model, [encoded[i] for i in part])
                    trainer.accelerator.backward((found * gradient[part]).sum())
        self._remember(rewards.detach().view(batch.rows.shape), batch)
        return loss.detach()

    def loss(self, rewards: torch.Tensor, batch: AnchorBatch, trainer: trl.RewardTrainer) -> torch.Tensor:
        """weight · mean of the estimated squares + keep · what changed within a prompt; both parts are logged.

        Args:
            rewards: (prompts, policies) of the batch.
        """
        pair = _pairs(batch)
        gaps = soft_wins(rewards, temperature=self.temperature) - _like(
            self.data.plan.anchor.expected[pair], rewards
        )
        squares = self._squares(gaps, pair).mean()
        old = _like(self.data.old[np.ix_(batch.prompts, batch.policies)], rewards)
        kept = kept_scores_loss(rewards / self.data.unit, old / self.data.unit)
        for name, value in (("anchor_loss", squares), ("moved_within_prompts", kept)):
            trainer._metrics["train"][name].append(float(value.detach()))
        return self.settings.anchor_weight * squares + self.settings.keep_scores * kept

    def _squares(self, gaps: torch.Tensor, pair: tuple[Any, Any]) -> torch.Tensor:
        if self.settings.anchor_estimate == "halves":
            return product_of_halves(gaps)
        if self.settings.anchor_estimate == "square":
            return squared_mean(gaps)
        return product_with_known(gaps, _like((self.running - self.data.plan.anchor.expected)[pair], gaps))

    def _remember(self, rewards: torch.Tensor, batch: AnchorBatch) -> None:
        """Move the running win rates of the batch's pairs towards what it has; both directions of each pair."""
        found = soft_wins(rewards, temperature=self.temperature).mean(0).cpu().numpy().astype(np.float64)
        k, other = _pairs(batch)
        kept = self.settings.anchor_memory
        self.running[k, other] = kept * self.running[k, other] + (1 - kept) * found
        self.running[other, k] = 1 - self.running[k, other]

    def _gap(self) -> float:
        """Mean |m_kl - P_kl| of the running win rates, over the pairs that they know."""
        gaps = np.abs(self.running - self.data.plan.anchor.expected)
        return float(np.nanmean(gaps[np.triu_indices(len(gaps), 1)]))

    def summary(self, history: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """What there was to hold to and how it went, as JSON-able values; ``history`` is what the trainer logged."""
        losses = [entry["anchor_loss"] for entry in history if "anchor_loss" in entry]
        return {
            **self.data.plan.counts(),
            "truncated": sum(e.truncated for e in self.data.encoded.values()),
            "within_prompt_sd": self.data.unit,
            "temperature": self.temperature,
            "gap_before": self.gap_before,
            "first_loss": losses[0] if losses else None,
            "last_loss": losses[-1] if losses else None,
        }

    def save(self, folder: Path) -> None:
        """Keep the running win rates beside a checkpoint."""
        np.save(folder / _RUNNING, self.running, allow_pickle=False)

    def restore(self, checkpoint: Path | None) -> None:
        """Go on with those of a checkpoint, where there is one."""
        if checkpoint is not None:
            self.running = np.load(checkpoint / _RUNNING, allow_pickle=False)


class SaveAnchoring(transformers.TrainerCallback):  # type: ignore[misc]
    """Save the running win rates into each checkpoint."""

    def __init__(self, anchoring: Anchoring) -> None:
        self.anchoring = anchoring

    def on_save(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        self.anchoring.save(Path(args.output_dir) / f"checkpoint-{state.global_step}")


# --- forward passes ------------------------------------------------------------------------------


def compute_rewards(trainer: trl.RewardTrainer, model: Any, encoded: Sequence[Encoded]) -> torch.Tensor:
    """Rewards (n,) in float32, in the order given, part by part."""
    parts = _parts(encoded, trainer)
    found = torch.cat([_forward(trainer, model, [encoded[i] for i in part]) for part in parts])
    return found[np.argsort(np.concatenate(parts))]


def _parts(encoded: Sequence[Encoded], trainer: trl.RewardTrainer) -> list[list[int]]:
    """Numbers of the rows, longest first, as many at once as a micro-batch of pairs has responses."""
    order = np.argsort([-len(e) for e in encoded], kind="stable").tolist()
    return [list(part) for part in in_chunks(order, 2 * trainer.data_collator.at_once)]


def _forward(trainer: trl.RewardTrainer, model: Any, encoded: Sequence[Encoded]) -> torch.Tensor:
    inputs = trainer._prepare_inputs(trainer.data_collator.lay_out(encoded))
    with trainer.compute_loss_context_manager():
        return rewards_of(model, **inputs)


@contextlib.contextmanager
def without_dropout(model: Any) -> Iterator[None]:
    """Every dropout layer off, and the model otherwise as it is: in training mode, where activations may be recomputed."""
    layers = [m for m in model.modules() if isinstance(m, torch.nn.Dropout)]
    shares = [layer.p for layer in layers]
    for layer in layers:
        layer.p = 0.0
    try:
        yield
    finally:
        for layer, share in zip(layers, shares, strict=True):
            layer.p = share


def _pairs(batch: AnchorBatch) -> tuple[Any, Any]:
    """The policies of each pair k < l of a batch, as numbers in the anchor, in the order of :func:`~.losses.soft_wins`."""
    k, other = np.triu_indices(len(batch.policies), 1)
    return batch.policies[k], batch.policies[other]


def _like(values: FloatArray, tensor: torch.Tensor) -> torch.Tensor:
    return torch.as_tensor(values, dtype=tensor.dtype, device=tensor.device)
