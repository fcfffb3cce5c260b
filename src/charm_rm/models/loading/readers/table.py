"""Kind of reward model -> the function that reads it. Each registers where it is defined, by :func:`reads`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..registry import Kind
from ..source import Source


@dataclass(frozen=True)
class Reading:
    """A model whose logits are the reward, of how many outputs (1 where its own code decides), and what it is in words."""

    model: Any
    n_outputs: int
    output: str


# Source and tokenizer -> reading.
Reader = Callable[[Source, Any], Reading]
READERS: dict[Kind, Reader] = {}


def reads(kind: Kind) -> Callable[[Reader], Reader]:
    """Register the reader of this kind of model."""

    def register(reader: Reader) -> Reader:
        READERS[kind] = reader
        return reader

    return register


def signed(words: str, sign: int) -> str:
    """What is taken as the reward, in words, where lower is better too."""
    return words if sign == 1 else f"minus {words}: a cost, lower is better"
