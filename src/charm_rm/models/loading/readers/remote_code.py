"""A model by its own Python code, its reward in the field of its result that the registry names."""

from __future__ import annotations

from typing import Any

from ...extras import require
from ..source import Source, refuse_own_code
from ..state import LOADING, incomplete, refuse_mismatched
from .classifier import reduced
from .table import Reading, reads, signed


@reads("remote-code")
def _read_remote_code(source: Source, _tokenizer: Any) -> Reading:
    """A model by its own Python code, its reward in the field of its result that the entry names."""
    entry = source.entry
    auto_class = (entry.auto_class if entry else None) or "AutoModel"
    if not source.options["trust_remote_code"]:
        raise refuse_own_code(source)
    model, info = getattr(require("transformers"), auto_class).from_pretrained(
        source.folder, **LOADING, **source.options
    )
    refuse_mismatched(source.folder, info)
    if info["missing_keys"]:
        raise incomplete(source, info["missing_keys"])
    field = (entry.output if entry else None) or "logits"
    words = f"{field!r} as the model's own code gives it"
    if source.reduction is not None:
        words = f"{source.reduction} of {words}"
    return Reading(reduced(source, model, field=field), 1, signed(words, source.sign))
