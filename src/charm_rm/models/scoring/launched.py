"""Results that are not there yet, and those that are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..extras import require


@dataclass(frozen=True, eq=False)
class Launched:
    """Scores on their way to the host: the copy is queued behind their computation, and nothing waits for it."""

    scores: Any
    copied: Any = None

    @classmethod
    def of(cls, scores: Any) -> Launched:
        """Begin to copy a device's tensor."""
        scores = scores.double()
        if scores.device.type != "cuda":
            return cls(scores.cpu())
        torch = require("torch")
        with torch.cuda.device(scores.device):
            host = torch.empty(scores.shape, dtype=scores.dtype, pin_memory=True)
            host.copy_(scores, non_blocking=True)
            copied = torch.cuda.Event()
            copied.record()
        return cls(host, copied)

    def wait(self) -> NDArray[np.float64]:
        """The scores, once they are there."""
        if self.copied is not None:
            self.copied.synchronize()
        values: NDArray[np.float64] = self.scores.numpy()
        return values


@dataclass(frozen=True, eq=False)
class Ready:
    """Results that are there: of a model that cannot begin one batch before it has ended another."""

    results: Sequence[Any]

    def wait(self) -> Sequence[Any]:
        """The results."""
        return self.results
