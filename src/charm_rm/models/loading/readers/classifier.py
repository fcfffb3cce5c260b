"""A sequence classifier of transformers (or of trusted code), its outputs reduced to one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...extras import require
from ..config import find_outputs
from ..reduction import reduce
from ..source import Source, refuse_own_code
from ..state import headless, load_classifier
from .linear_head import load_heads
from .table import Reading, reads


@reads("sequence-classifier")
def _read_classifier(source: Source, _tokenizer: Any) -> Reading:
    """A sequence classifier of transformers (or of trusted code), its outputs reduced to one."""
    known = source.config.get("model_type") in require("transformers").CONFIG_MAPPING
    if source.config.get("auto_map") and not known and not source.options["trust_remote_code"]:
        raise refuse_own_code(source)
    n_outputs, labels = find_outputs(source)
    weights, words = reduce(source.reduction, n_outputs, labels, where=str(source.folder))
    model, missing = load_classifier(source, n_outputs)
    if missing:
        raise headless(source.folder, missing)
    if list(weights) != [1.0] or source.sign != 1:
        model = reduced(source, model, labels=labels)
    return Reading(model, n_outputs, words if source.sign == 1 else f"minus {words}")


def reduced(
    source: Source, model: Any, *, field: str = "logits", labels: Mapping[int, str] | None = None
) -> Any:
    """The model with its outputs made into one reward, as the source says; ``labels`` name them, else config.json."""
    if labels is None:
        labels = {int(k): str(v) for k, v in (source.config.get("id2label") or {}).items()}
    where = str(source.folder)
    return load_heads().ReducedOutputs(
        model, source.reduction, labels=labels, sign=source.sign, field=field, where=where
    )
