"""Held-out pairs, measured as scoring scores: planned batches, each distinct text once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..devices import device_kind
from ..scoring.batching import collate, plan_batches
from ..scoring.encoding import Encoded
from ..scoring.engine import run_rows
from ..scoring.launched import Launched
from ..scoring.local import LocalModel
from ..scoring.positions import Regimes, find_regimes, run_by_regime
from ..scoring.reward import TOKEN_BUDGET
from .pairs import SIDES, EncodedPairs, row_of
from .processes import Processes, gathered
from .settings import HeldOut, summarise_rewards


def measure_held_out(trainer: Any, pairs: EncodedPairs) -> HeldOut:
    """Accuracy and loss of a trainer's model on held-out pairs, dropout off, in the trainer's precision.

    Several processes share the pairs, and all get the figures.
    """
    processes: Processes = trainer.processes
    model = trainer.model_wrapped if processes.sharded else trainer.model
    was_training = model.training
    model.eval()
    unfinished = _Unfinished(
        model,
        trainer.processing_class.pad_token_id,
        str(trainer.args.device),
        trainer.accelerator.autocast,
        find_regimes(trainer.model.config),
        torch.no_grad if processes.sharded else torch.inference_mode,
    )
    run = run_rows if processes.alone else partial(run_together, processes=processes)
    chosen, rejected = score_pairs(unfinished, pairs, run=run)
    model.train(was_training)
    return summarise_rewards(chosen, rejected, pairs.prompts)


def score_pairs(
    model: LocalModel,
    pairs: EncodedPairs,
    *,
    run: Callable[[LocalModel, Sequence[Encoded]], list[Any]] = run_rows,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rewards of the chosen and of the rejected response of each pair; rows with the same tokens are computed once."""
    rows = [row_of(example, side) for side in SIDES for example in pairs.dataset]
    numbers: dict[bytes, int] = {}
    which = [numbers.setdefault(_key(row), len(numbers)) for row in rows]
    distinct = [rows[i] for i in np.unique(which, return_index=True)[1]]
    rewards = np.array(run(model, distinct), dtype=np.float64)[which]
    chosen, rejected = rewards.reshape(2, -1)
    return chosen, rejected


def run_together(model: LocalModel, rows: Sequence[Encoded], *, processes: Processes) -> list[Any]:
    """The results of all rows, in their order, each batch computed by one of the processes.

    All take as many batches, as where weights are spread every forward pass is one of all; who has none left repeats the last.
    """
    plan = plan_batches([len(row) for row in rows], token_budget=model.token_budget, padded=True)
    turns = -(-len(plan) // processes.count)
    mine = [plan[min(t * processes.count + processes.rank, len(plan) - 1)].tolist() for t in range(turns)]
    found: dict[int, Any] = {}
    for part in mine:
        found |= dict(zip(part, model.launch([rows[i] for i in part]).wait(), strict=True))
    values: dict[int, Any] = {}
    for one in gathered(processes, found):
        values |= one
    return [values[i] for i in range(len(rows))]


def _key(row: Encoded) -> bytes:
    """Same key, same input."""
    parts = [row.input_ids] if row.token_type_ids is None else [row.input_ids, row.token_type_ids]
    return np.asarray(parts, dtype=np.int32).tobytes()


@dataclass(frozen=True, eq=False)
class _Unfinished:
    """A model in training, as what the engine runs: padded batches in the precision of ``autocast``."""

    model: Any
    pad_token_id: int
    device: str
    autocast: Any
    regimes: Regimes
    without_gradients: Any
    source: str = "the model in training"
    unpadded: Literal[False] = False
    replicas: Sequence[LocalModel] = field(default=())

    @property
    def token_budget(self) -> int:
        return TOKEN_BUDGET[device_kind(self.device)]

    def launch(self, batch: Sequence[Encoded]) -> Launched:
        with self.without_gradients(), self.autocast():
            return Launched.of(run_by_regime(self.regimes, batch, self._rewards, model=self.model))

    def _rewards(self, rows: Sequence[Encoded]) -> torch.Tensor:
        inputs = {k: v.to(self.device) for k, v in collate(rows, pad_token_id=self.pad_token_id).items()}
        rewards: torch.Tensor = self.model(**inputs).logits[:, 0]
        return rewards
