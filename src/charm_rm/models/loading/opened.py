"""What opening gives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .registry import Entry


@dataclass(frozen=True)
class Opened:
    """A model with its tokenizer, on the CPU and in eval mode; ``model(**inputs).logits`` is (rows, 1), the reward.

    ``n_outputs`` is how many outputs the head has (1 where that is left to the model's own code), ``output`` says in
    words what of them is taken as the reward, ``entry`` is what the registry knows of the model.
    """

    model: Any
    tokenizer: Any
    fingerprint: str
    has_new_head: bool = False
    n_outputs: int = 1
    output: str = "the one output of the head"
    entry: Entry | None = None
