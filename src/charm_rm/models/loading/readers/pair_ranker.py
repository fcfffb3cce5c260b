"""Models that compare two responses: known to the registry, and no reward models."""

from __future__ import annotations

from typing import Any

from ....errors import ModelError
from ..source import Source
from .table import Reading, reads


@reads("pair-ranker")
def _refuse_pair_ranker(source: Source, _tokenizer: Any) -> Reading:
    """Say what to load it with."""
    raise ModelError(
        "this model compares two responses; it gives no score to one",
        where=str(source.folder),
        fix="judge pairs with it: charm judge --judge pair:DIR_OR_ID (load_pair_ranker in Python)",
    )
