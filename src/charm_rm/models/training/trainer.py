"""TRL's RewardTrainer as this project uses it: silent, offline, and measuring held-out pairs one by one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import peft
import torch
import transformers
import trl
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...errors import ModelError
from .anchoring import Anchoring, SaveAnchoring
from .losses import bradley_terry_loss
from .pairs import EncodedPairs, PairCollator
from .settings import HeldOut, TrainSettings, summarise_rewards

COMPLETE = "charm-complete"


class PairTrainer(trl.RewardTrainer):  # type: ignore[misc]
    """RewardTrainer on ready token ids: no telemetry, no model card of its own, soft labels and an anchor where given."""

    anchoring: Anchoring | None = None

    def _send_telemetry(self) -> None:
        """Nothing is sent anywhere."""

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """The card is written once, at the end, by :mod:`.card`."""

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of :mod:`.losses`; TRL's own is computed beside it, for its forward pass and its metrics."""
        p_chosen = inputs.pop("p_chosen", None)
        _, outputs = super().compute_loss(model, inputs, return_outputs=True)
        chosen, rejected = outputs.logits.squeeze(-1).chunk(2)
        loss = bradley_terry_loss(chosen, rejected, margin=inputs.get("margin", 0.0), p_chosen=p_chosen)
        return (loss, outputs) if return_outputs else loss

    def training_step(self, model: Any, inputs: dict[str, Any], num_items_in_batch: Any = None) -> Any:
        """As TRL's; the last one before an optimiser step adds the gradient of the anchor, where there is one."""
        loss = super().training_step(model, inputs, num_items_in_batch)
        if self.anchoring is not None and self.accelerator.sync_gradients:
            loss = loss + self.anchoring.add(self, model)
        return loss

    def hold_to(self, anchoring: Anchoring) -> None:
        """Train with an anchor, whose state goes into the checkpoints from now on."""
        self.anchoring = anchoring
        # Before all others: a checkpoint is marked as complete by the last.
        self.callback_handler.callbacks.insert(0, SaveAnchoring(anchoring))


def build_trainer(
    model: Any,
    tokenizer: Any,
    pairs: EncodedPairs,
    *,
    settings: TrainSettings,
    checkpoints: Path,
    progress: bool,
) -> PairTrainer:
    """A trainer ready to run; its checkpoints go to ``checkpoints``."""
    trainer = PairTrainer(
        model=model,
        args=_arguments(settings, checkpoints),
        train_dataset=pairs.dataset,
        processing_class=tokenizer,
        data_collator=PairCollator(pad_token_id=tokenizer.pad_token_id),
        peft_config=_lora(settings) if settings.lora else None,
        callbacks=[_MarkComplete(), *([_Progress()] if progress else [])],
    )
    trainer.remove_callback(transformers.PrinterCallback)  # it prints to standard output
    _check_head_is_trained(trainer.model, lora=settings.lora)
    return trainer


def _arguments(settings: TrainSettings, checkpoints: Path) -> trl.RewardConfig:
    on_gpu = torch.cuda.is_available()
    bf16 = on_gpu and torch.cuda.is_bf16_supported() if settings.bf16 is None else settings.bf16
    checkpointing = on_gpu if settings.gradient_checkpointing is None else settings.gradient_checkpointing
    return trl.RewardConfig(
        output_dir=str(checkpoints),
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=settings.pairs_per_device,
        per_device_eval_batch_size=settings.pairs_per_device,
        gradient_accumulation_steps=settings.accumulation,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps or -1,
        lr_scheduler_type=settings.scheduler,
        warmup_steps=settings.warmup_ratio,  # below 1 it is read as a share of all steps
        weight_decay=settings.weight_decay,
        max_grad_norm=settings.max_grad_norm,
        max_length=None,  # the encoder has shortened already; TRL would drop the pair
        disable_dropout=not settings.dropout,
        seed=settings.seed,
        data_seed=settings.seed,
        bf16=bf16,
        use_cpu=not on_gpu,
        gradient_checkpointing=checkpointing,
        dataloader_pin_memory=on_gpu,
        remove_unused_columns=False,
        eval_strategy="no",
        save_strategy="no" if settings.save_every == 0 else "steps",
        save_steps=settings.save_every or 0.1,
        save_total_limit=2,  # the older one is whole even while the newer is being written
        logging_steps=0.02,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # a loss that diverges must show
        disable_tqdm=True,
        report_to="none",
        push_to_hub=False,
    )


def _lora(settings: TrainSettings) -> peft.LoraConfig:
    """Adapters on every linear layer; for this task type peft trains and saves the head itself (modules_to_save)."""
    return peft.LoraConfig(
        task_type=peft.TaskType.SEQ_CLS,
        r=settings.lora_rank,
        lora_alpha=settings.lora_alpha or 2 * settings.lora_rank,
        lora_dropout=0.0,
        target_modules="all-linear",
    )


def _check_head_is_trained(model: Any, *, lora: bool) -> None:
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    if lora and not any("modules_to_save" in name for name in trained):
        raise ModelError(
            "LoRA would leave this architecture's reward head untrained: it is named neither score nor classifier",
            mend="train all weights (without --lora)",
        )


def measure_held_out(trainer: PairTrainer, pairs: EncodedPairs) -> HeldOut:
    """Accuracy and loss on held-out pairs, through the trainer's own batches and forward pass.

    Not ``trainer.evaluate()``: that averages accuracy over batches, so a short last batch weighs too much.
    """
    chosen, rejected = _pair_rewards(trainer, pairs)
    return summarise_rewards(chosen, rejected, pairs.prompts)


def _pair_rewards(
    trainer: PairTrainer, pairs: EncodedPairs
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rewards of the chosen and the rejected response of every pair, dropout off."""
    model = trainer.model
    was_training = model.training
    model.eval()
    sides: list[NDArray[np.float64]] = []
    with torch.no_grad():
        for batch in trainer.get_eval_dataloader(pairs.dataset):
            inputs = trainer._prepare_inputs(
                {k: v for k, v in batch.items() if k not in ("margin", "p_chosen")}
            )
            with trainer.accelerator.autocast():
                logits = model(**inputs).logits
            sides.append(logits.float().cpu().numpy().astype(np.float64).reshape(2, -1))
    model.train(was_training)
    chosen, rejected = np.concatenate(sides, axis=1)
    return chosen, rejected


def last_checkpoint(folder: Path) -> Path | None:
    """The newest checkpoint that was written to its end; one that a kill cut short is passed over."""
    whole = [p.parent for p in folder.glob(f"checkpoint-*/{COMPLETE}")]
    return max(whole, key=lambda p: int(p.name.split("-")[1]), default=None)


@contextlib.contextmanager
def flush_denormals() -> Iterator[None]:
    """Take denormal floats for 0: on CPUs they slow training several times over."""
    torch.set_flush_denormal(True)
    try:
        yield
    finally:
        torch.set_flush_denormal(False)


class _MarkComplete(transformers.TrainerCallback):  # type: ignore[misc]
    """Leave a mark in each checkpoint once all of it is written."""

    def on_save(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()


class _Progress(transformers.TrainerCallback):  # type: ignore[misc]
    """A progress bar on standard error (the Trainer's own writes to standard output)."""

    def __init__(self) -> None:
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self.bar = Progress(*columns, TextColumn("{task.description}"), console=Console(stderr=True))
        self.task = self.bar.add_task("")

    def on_train_begin(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        self.bar.update(self.task, total=state.max_steps, completed=state.global_step)
        self.bar.start()

    def on_step_end(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        self.bar.update(self.task, completed=state.global_step)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_kwargs: Any) -> None:
        if logs and "loss" in logs:
            self.bar.update(self.task, description=f"loss {logs['loss']:.3f}")

    def on_train_end(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        self.bar.stop()
