"""TRL's RewardTrainer as this project uses it: silent, offline, and without padding where order is free."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import peft
import torch
import transformers
import trl
from accelerate.data_loader import prepare_data_loader
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from ...errors import ModelError
from ..scoring.onednn import use_onednn
from ..scoring.positions import ONE_REGIME, find_regimes
from .anchoring import Anchoring, SaveAnchoring
from .losses import bradley_terry_loss
from .micro_batches import PASS_COST, TARGETS, PairCollator, rewards_of
from .pairs import EncodedPairs
from .processes import ALONE, Processes, gathered
from .products import use_bf16_products
from .settings import TrainSettings

COMPLETE = "charm-complete"
# Cost of a pass that no padding is worth: where weights are spread, all processes must take as many passes.
_ONE_PASS = 1 << 40


class PairTrainer(trl.RewardTrainer):  # type: ignore[misc]
    """RewardTrainer on ready token ids: batches of :class:`~.micro_batches.PairCollator`, soft labels and an anchor where given.

    No telemetry, no model card of its own.
    """

    anchoring: Anchoring | None = None

    def __init__(self, *, processes: Processes, **options: Any) -> None:
        self.processes = processes
        super().__init__(**options)
        self._seen: list[torch.Tensor] = []  # (pairs, 2) rewards of each micro-batch since the last log
        self._tokens = 0

    def _send_telemetry(self) -> None:
        """Nothing is sent anywhere."""

    def create_model_card(self, *_args: Any, **_kwargs: Any) -> None:
        """The card is written once, at the end, by :mod:`.card`."""

    def get_train_dataloader(self) -> Any:
        """Whole steps for every process: the collator takes its part of each. So a step is the same for any number of processes."""
        if self.processes.alone:
            return super().get_train_dataloader()
        loader = torch.utils.data.DataLoader(
            self.train_dataset,
            batch_size=self.args.per_device_train_batch_size,
            sampler=self._get_train_sampler(),
            collate_fn=self.data_collator,
        )
        one: dict[str, Any] = {"num_processes": 1, "process_index": 0}
        return prepare_data_loader(loader, **one, use_seedable_sampler=True, data_seed=self.args.data_seed)

    def training_step(
        self, model: Any, inputs: dict[str, Any], _num_items_in_batch: Any = None
    ) -> torch.Tensor:
        """Gradients of the mean loss over an optimiser batch, and of the anchor where there is one; the loss of both."""
        model.train()
        inputs = self._prepare_inputs(inputs)
        self._tokens += inputs["tokens"]
        total = torch.zeros((), device=self.args.device)
        *earlier, last = inputs["micro_batches"]
        for micro in earlier:
            self.accelerator.gradient_state._set_sync_gradients(False)
            with self.accelerator.no_sync(model):
                total += self._backward(model, micro)
        self.accelerator.gradient_state._set_sync_gradients(True)
        total += self._backward(model, last)
        return total if self.anchoring is None else total + self.anchoring.add(self, model)

    def _backward(self, model: Any, micro: dict[str, Any]) -> torch.Tensor:
        """Add a micro-batch's gradient; its part of the loss."""
        loss = self.compute_loss(model, micro) * micro["share"]
        self.accelerator.backward(loss)
        added: torch.Tensor = loss.detach()
        return added

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The loss of :mod:`.losses`, mean over a micro-batch; with ``return_outputs`` its (2, pairs) rewards, too."""
        rewards = rewards_of(model, inputs["passes"], inputs["places"]).reshape(2, -1)
        if inputs.get("counted", 1):
            self._seen.append(rewards.detach().T)
        targets = {name: inputs[name] for name in TARGETS if name in inputs}
        loss = bradley_terry_loss(*rewards, **targets)
        return (loss, rewards) if return_outputs else loss

    def hold_to(self, anchoring: Anchoring) -> None:
        """Train with an anchor, whose state goes into the checkpoints from now on."""
        self.anchoring = anchoring
        # Before all others: a checkpoint is marked as complete by the last.
        self.callback_handler.callbacks.insert(0, SaveAnchoring(anchoring))

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Operations of a forward and a backward pass over this process's part: 6 x tokens x parameters, embeddings aside."""
        tokens = int(inputs["tokens"]) // self.processes.count
        return 6 * tokens * int(self.model.num_parameters(exclude_embeddings=True))

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log, and with it what TRL logs of the rewards since the last time; the device is waited for here alone."""
        seen = gathered(self.processes, [part.float().cpu() for part in self._seen])
        if rewards := [part for parts in seen for part in parts]:
            self._seen.clear()
            logs |= _summary(torch.cat(rewards)) | {"num_tokens": self._tokens}
        super().log(logs, start_time)


def _summary(rewards: torch.Tensor) -> dict[str, float]:
    """Of (pairs, 2) rewards, chosen first: accuracy, mean margin, and the least, mean and largest reward."""
    margins = rewards[:, 0] - rewards[:, 1]
    return {
        "accuracy": float((margins > 0).float().mean()),
        "margin": float(margins.mean()),
        "min_reward": float(rewards.min()),
        "mean_reward": float(rewards.mean()),
        "max_reward": float(rewards.max()),
    }


def build_trainer(
    model: Any,
    tokenizer: Any,
    pairs: EncodedPairs,
    *,
    settings: TrainSettings,
    checkpoints: Path,
    progress: bool,
    processes: Processes = ALONE,
) -> PairTrainer:
    """A trainer ready to run; its checkpoints go to ``checkpoints``."""
    regimes = find_regimes(model.config)
    _check_passes(regimes, processes)
    trainer = PairTrainer(
        processes=processes,
        model=model,
        args=_arguments(settings, checkpoints),
        train_dataset=pairs.dataset,
        processing_class=tokenizer,
        data_collator=PairCollator(
            pad_token_id=tokenizer.pad_token_id,
            at_once=settings.pairs_in_memory,
            pass_cost=_ONE_PASS
            if processes.sharded
            else PASS_COST["cuda" if torch.cuda.is_available() else "cpu"],
            regimes=regimes,
            processes=processes,
        ),
        peft_config=_lora(settings) if settings.lora else None,
        callbacks=[_MarkComplete(processes), *([_Progress()] if progress and processes.first else [])],
    )
    trainer.remove_callback(transformers.PrinterCallback)  # it prints to standard output
    if not torch.cuda.is_available():
        _quicken_products(trainer.model, bf16=multiplies_bf16(settings))
    _check_head_is_trained(trainer.model, lora=settings.lora)
    return trainer


def multiplies_bf16(settings: TrainSettings) -> bool:
    """Whether a training here multiplies in bfloat16: as asked, or where the device is made for it."""
    if settings.bf16 is not None:
        return settings.bf16
    return torch.cuda.is_available() and torch.cuda.is_bf16_supported()


def _quicken_products(model: torch.nn.Module, *, bf16: bool) -> None:
    """On a CPU: products of training in bfloat16 where wanted, those of held-out scores as in scoring."""
    if bf16:
        use_bf16_products(model)
    use_onednn(model)


def _arguments(settings: TrainSettings, checkpoints: Path) -> trl.RewardConfig:
    on_gpu = torch.cuda.is_available()
    checkpointing = on_gpu if settings.gradient_checkpointing is None else settings.gradient_checkpointing
    return trl.RewardConfig(
        output_dir=str(checkpoints),
        learning_rate=settings.learning_rate,
        per_device_train_batch_size=settings.batch_size,  # the trainer itself cuts it into micro-batches
        ddp_broadcast_buffers=False,  # several forward passes come before one backward pass
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
        bf16=on_gpu and multiplies_bf16(settings),
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
            fix="train all weights (without --lora)",
        )


def _check_passes(regimes: Any, processes: Processes) -> None:
    if processes.sharded and regimes != ONE_REGIME:
        raise ModelError(
            f"reads long and short rows in different ways, which cannot be trained with weights spread over GPUs ({processes.sharded})",
            fix="train it on one GPU, or by a configuration of distributed_type MULTI_GPU",
        )


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
    """Leave a mark in each checkpoint once all of it is written, by all processes."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes

    def on_save(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        gathered(self.processes, None)
        if self.processes.first:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()


class AtTheStart(transformers.TrainerCallback):  # type: ignore[misc]
    """Do something once, when the model is ready and before the first step."""

    def __init__(self, do: Callable[[], object]) -> None:
        self.do = do

    def on_train_begin(self, args: Any, state: Any, control: Any, **_kwargs: Any) -> None:
        self.do()


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
