"""config.json as transformers reads it: the backbone's class, and how many outputs the head has."""

from __future__ import annotations

from typing import Any

from ...errors import ModelError, counted
from ..extras import require
from .checkpoint import Checkpoint
from .head_names import head_rows
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
    """How many outputs the checkpoint's head has, and their names; 1 where only a registry's entry says so.

    Where config.json has no ``id2label``, for which transformers would take two, the head itself is counted.

    Raises:
        ModelError: config.json names another number of outputs than the head has.
    """
    config = source.config
    is_classifier = any("SequenceClassification" in a for a in config.get("architectures") or [])
    if not is_classifier or (source.entry is not None and source.reduction is None):
        return 1, {}
    loaded = require("transformers").AutoConfig.from_pretrained(
        source.home, trust_remote_code=source.options["trust_remote_code"]
    )
    saved = None if source.has_own_code else head_rows(Checkpoint(source.folder))
    says = "id2label" in config or "num_labels" in config
    if saved is None or saved[1] == loaded.num_labels:
        return loaded.num_labels, loaded.id2label
    if not says:
        return saved[1], {}
    raise ModelError(
        f"the head ({saved[0]}) has {counted(saved[1], 'row')}, config.json has labels for {loaded.num_labels}",
        where=str(source.folder),
        fix=f"make id2label in config.json name {counted(saved[1], 'output')}, or take config.json and weights from one place",
    )
