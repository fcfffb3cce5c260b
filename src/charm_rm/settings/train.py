"""Settings of training. The defaults are the paper's (lr 2e-6, batch 64, cosine, 3 % warm-up, one epoch, 4096 tokens)."""

from __future__ import annotations

from dataclasses import dataclass

from ..errors import BadSetting
from .anchor import AnchorSettings
from .definition import Settings, setting, settings_of
from .vocabulary import Labels

_AUTO_DEVICE_BATCH = 8


@dataclass(frozen=True, kw_only=True)
class FineTuneSettings(Settings):
    """Train a reward model on preference pairs."""

    learning_rate: float = setting(2e-6, "Peak learning rate.", above=0, flags=("--lr", "--learning-rate"))
    batch_size: int = setting(64, "Pairs per optimiser step.", above=0)
    device_batch_size: int | None = setting(
        None,
        "Pairs in memory at once (default: up to 8); gradients accumulate. Lower it when memory runs out.",
        above=0,
    )
    epochs: float = setting(1.0, "Passes over the pairs.", above=0)
    max_steps: int | None = setting(None, "Stop after this many optimiser steps.", above=0)
    max_length: int = setting(4096, "Tokens per sequence, capped by what the model can read.", above=0)
    warmup_ratio: float = setting(0.03, "Share of steps that warm up.", least=0, below=1)
    scheduler: str = setting("cosine", "Learning-rate schedule, by its name in transformers.")
    weight_decay: float = setting(0.0, "Weight decay.", least=0)
    max_grad_norm: float = setting(1.0, "Gradients are clipped to this norm.", above=0)
    lora: bool = setting(False, "Train low-rank adapters and the reward head, not all weights.")
    lora_rank: int = setting(16, "Rank of the adapters.", above=0)
    lora_alpha: int | None = setting(None, "Scale of the adapters (default: twice the rank).", above=0)
    merge: bool = setting(True, "Fold adapters into the weights, or save them apart.")
    margin_loss: bool = setting(False, "Ask r_chosen to lead by the pair's margin.")
    soft_labels: bool = setting(False, "Train on p_chosen instead of hard labels.")
    eval_fraction: float = setting(0.05, "Share of prompts held out to evaluate on.", least=0, below=1)
    dropout: bool = setting(True, "Keep the dropout that the model's configuration asks for.")
    bf16: bool | None = setting(
        None, "Multiply matrices in bfloat16 (default: on GPUs that are made for it)."
    )
    gradient_checkpointing: bool | None = setting(
        None, "Recompute activations to save memory (default: on GPUs)."
    )
    save_every: int | None = setting(
        None, "Checkpoint every so many steps (default: ten times a run; 0: never).", least=0
    )

    unchecked: bool = setting(
        False, "Train even where over 5 % of the pairs' tokens are unknown to the tokenizer."
    )

    def as_train_settings(self, *, new_head: bool, seed: int) -> TrainSettings:
        """These settings for a training with this seed, of a model with or without a head."""
        known = {one.name for one in settings_of(TrainSettings)}
        mine = {name: value for name, value in self.values().items() if name in known}
        return TrainSettings(**mine, new_head=new_head, seed=seed)

    @property
    def pairs_in_memory(self) -> int:
        """Most pairs of a micro-batch: what is in memory until its backward pass."""
        return min(self.device_batch_size or _AUTO_DEVICE_BATCH, self.batch_size)


@dataclass(frozen=True, kw_only=True)
class TrainSectionSettings(AnchorSettings, FineTuneSettings):
    """Fine-tune the reward model on the relabelled preferences (null: stop after relabel)."""

    labels: Labels = setting(
        "given",
        "Labels of the training pairs: `given`; or, to compare with, `uncalibrated`, with those that calibration turned turned back, "
        "or `random-flips`, with as many turned at random instead.",
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.labels != "given" and (self.margin_loss or self.soft_labels):
            raise BadSetting(
                f"margins and soft labels are those of the calibrated labels, not of labels {self.labels!r}",
                setting="labels",
                fix="train on hard labels without margins",
            )
        if self.keep_scores and not self.anchor_weight:
            raise BadSetting(
                "the old scores are kept on the responses of an anchor, and there is none",
                setting="keep_scores",
                fix="set anchor_weight, too",
            )


@dataclass(frozen=True, kw_only=True)
class TrainSettings(TrainSectionSettings):
    """How to train: all that :func:`charm_rm.train_reward_model` can be told."""

    new_head: bool = setting(False, "Give a backbone that has no reward head a fresh one, seeded.")
    seed: int = setting(0, "Seed of everything random.", least=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.lora and self.new_head and not self.merge:
            raise BadSetting(
                "an adapter beside a base that has no score head cannot be loaded by others",
                setting="merge",
                fix="merge the adapter, or give the base its head in a first training",
            )
        if self.new_head and self.anchor_weight:
            raise BadSetting(
                "a fresh head has no old scores, whose spread is the unit of anchored win rates",
                setting="anchor_weight",
                fix="train the head in a first training, and anchor a second one",
            )


@dataclass(frozen=True, kw_only=True)
class TrainFromSettings(FineTuneSettings):
    """Make the first reward model: train a new head (and the body) on preferences."""

    base: str = setting(
        about="Backbone: a local folder, a hub id, or `minilm` (pip-shipped, [demo] extra).",
        path="path or id",
    )
    preferences: str = setting(
        about="Preference pairs: Parquet or JSONL with prompt, chosen, rejected.", path="path"
    )
