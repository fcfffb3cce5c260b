"""How each kind of reward model is read: one file per kind, all giving a :class:`Reading`.

A new kind is a file here that registers itself, its name in ``registry.Kind``, and its import below.
"""

from __future__ import annotations

from typing import Any

from ..registry import Kind
from ..source import Source
from . import classifier, first_token, gated, linear_head, pair_ranker, remote_code  # noqa: F401  (each registers itself)
from .table import READERS as READERS
from .table import Reading as Reading

# Choices that say where the head is, whatever the registry says of the model.
_BY_CHOICE: dict[str, Kind] = {"head": "linear-head", "token": "first-token"}


def kind_of(source: Source) -> Kind:
    """As the option ``reward`` says, else as the registry says, else as the checkpoint shows."""
    if source.choice is not None and source.choice.kind in _BY_CHOICE:
        return _BY_CHOICE[source.choice.kind]
    if source.entry is not None:
        return source.entry.kind
    # Code that comes with the model and may run knows its own head.
    return "linear-head" if not source.has_own_code and source.saved_head else "sequence-classifier"


def read_model(source: Source, tokenizer: Any) -> Reading:
    """Read the model as its kind wants it."""
    return READERS[kind_of(source)](source, tokenizer)
