"""Held-out pairs, measured as scoring scores: planned batches, each distinct text once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from ..devices import device_kind
from ..scoring.batching import collate
from ..scoring.encoding import Encoded
from ..scoring.engine import run_rows
from ..scoring.launched import Launched
from ..scoring.local import LocalModel
from ..scoring.positions import find_regimes, run_by_regime
from ..scoring.reward import TOKEN_BUDGET
from .pairs import SIDES, EncodedPairs, row_of
from .settings import HeldOut, summarise_rewards


def measure_held_out(trainer: Any, pairs: EncodedPairs) -> HeldOut:
    """Accuracy and loss of a trainer's model on held-out pairs, dropout off, in the trainer's precision."""
    model = trainer.model
    was_training = model.training
    model.eval()
    unfinished = _Unfinished(
        model, trainer.processing_class.pad_token_id, str(trainer.args.device), trainer.accelerator.autocast
    )
    chosen, rejected = score_pairs(unfinished, pairs)
    model.train(was_training)
    return summarise_rewards(chosen, rejected, pairs.prompts)


def score_pairs(model: LocalModel, pairs: EncodedPairs) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Rewards of the chosen and of the rejected response of each pair; rows with the same tokens are computed once."""
    rows = [row_of(example, side) for side in SIDES for example in pairs.dataset]
    numbers: dict[bytes, int] = {}
    which = [numbers.setdefault(_key(row), len(numbers)) for row in rows]
    distinct = [rows[i] for i in np.unique(which, return_index=True)[1]]
    rewards = np.array(run_rows(model, distinct), dtype=np.float64)[which]
    chosen, rejected = rewards.reshape(2, -1)
    return chosen, rejected


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
    source: str = "the model in training"
    unpadded: Literal[False] = False
    replicas: Sequence[LocalModel] = field(default=())

    @property
    def token_budget(self) -> int:
        return TOKEN_BUDGET[device_kind(self.device)]

    def launch(self, batch: Sequence[Encoded]) -> Launched:
        regimes = find_regimes(self.model.config)
        with torch.inference_mode(), self.autocast():
            return Launched.of(run_by_regime(regimes, batch, self._rewards, model=self.model))

    def _rewards(self, rows: Sequence[Encoded]) -> torch.Tensor:
        inputs = {k: v.to(self.device) for k, v in collate(rows, pad_token_id=self.pad_token_id).items()}
        rewards: torch.Tensor = self.model(**inputs).logits[:, 0]
        return rewards
