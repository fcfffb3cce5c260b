"""config.json as transformers reads it: the backbone's class, and how many outputs the head has."""

from __future__ import annotations

from typing import Any

from ...errors import ModelError
from ..extras import require
from .source import Source


def transformers_config(source: Source) -> Any:
    """config.json as transformers' own class for its model_type (or the entry's), whatever code it points to."""
    mapping = require("transformers").CONFIG_MAPPING
    kind = (source.entry.model_type if source.entry else None) or source.config.get("model_type")
    if kind not in mapping:
        raise ModelError(
            f"transformers knows no model_type {kind!r}, so its backbone cannot be read without the model's own code",
            where=str(source.folder),
            fix="update transformers, or let the model's own code run: --trust-remote-code",
        )
    own = {k: v for k, v in source.config.items() if k not in ("model_type", "auto_map", "architectures")}
    return mapping[kind].from_dict(own)


def find_outputs(source: Source) -> tuple[int, dict[int, str]]:
    """How many outputs the checkpoint's head has, and their names; 1 where only a registry's entry says so."""
    config = source.config
    is_classifier = any("SequenceClassification" in a for a in config.get("architectures") or [])
    if not is_classifier or (source.entry is not None and source.reduction is None):
        return 1, {}
    loaded = require("transformers").AutoConfig.from_pretrained(
        source.home, trust_remote_code=source.options["trust_remote_code"]
    )
    return loaded.num_labels, loaded.id2label
