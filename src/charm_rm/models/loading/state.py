"""Weights into models. Transformers fills what a checkpoint lacks with random numbers and goes on; nothing here does."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ...errors import ModelError, listing
from ..extras import require
from .checkpoint import Checkpoint
from .config import transformers_config
from .source import Source


def load_backbone(source: Source, checkpoint: Checkpoint) -> Any:
    """The model without a head that config.json describes, with its weights out of the checkpoint."""
    torch, transformers = require("torch"), require("transformers")
    config = transformers_config(source)
    with torch.device("meta"):
        bare = transformers.AutoModel.from_config(config)
    prefix = _prefix(set(bare.state_dict()), checkpoint.keys)
    options = {k: v for k, v in source.options.items() if k != "trust_remote_code"}
    model, info = type(bare).from_pretrained(
        None, config=sane(config), state_dict=checkpoint.under(prefix), **LOADING, **options
    )
    refuse_mismatched(source.folder, info)
    if info["missing_keys"]:
        raise incomplete(source, info["missing_keys"])
    return model


def load_classifier(source: Source, n_outputs: int, *, seed: int = 0) -> tuple[Any, set[str]]:
    """Load as a sequence classifier; return the model and the weights that the checkpoint lacks."""
    torch, transformers = require("torch"), require("transformers")
    config = transformers.AutoConfig.from_pretrained(
        source.folder, trust_remote_code=source.options["trust_remote_code"]
    )
    config.num_labels = n_outputs
    sane(config)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            source.folder, config=config, **LOADING, **source.options
        )
    refuse_mismatched(source.folder, info)
    return model, set(info["missing_keys"])


# What does not fit is refused here, in words: transformers' own report of it is not in its error.
LOADING = {"output_loading_info": True, "ignore_mismatched_sizes": True}


def refuse_mismatched(where: str | os.PathLike[str], info: Mapping[str, Any]) -> None:
    """Raise where weights have other shapes than the configuration asks for.

    Raises:
        ModelError: names them, with both shapes.
    """
    wrong = sorted(info.get("mismatched_keys") or ())
    if wrong:
        key, saved, asked = wrong[0]
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise ModelError(
            f"{key} has the shape {tuple(saved)} in the checkpoint, config.json asks for {tuple(asked)}{more}",
            where=os.fspath(where),
            fix="take config.json and weights from one place, the model's own",
        )


def sane(config: Any) -> Any:
    """The configuration without a pad token that is beyond the embeddings: torch makes no table with such a token."""
    for part in (config, config.get_text_config()):
        pad, size = getattr(part, "pad_token_id", None), getattr(part, "vocab_size", None)
        if pad is not None and isinstance(size, int) and not 0 <= pad < size:
            part.pad_token_id = None
    return config


def headless(source: str | os.PathLike[str], missing: set[str]) -> ModelError:
    """What to say of a checkpoint without a reward head."""
    return ModelError(
        f"not a reward model: the checkpoint lacks {listing(sorted(missing))}, which would be random numbers",
        where=os.fspath(source),
        fix="use a reward model, or train one on this backbone with `charm train`",
    )


def incomplete(source: Source, missing: Sequence[str]) -> ModelError:
    """What to say of a checkpoint that lacks other weights."""
    return ModelError(
        f"the checkpoint lacks {listing(sorted(missing))}, which would be random numbers",
        where=str(source.folder),
        fix="use a complete checkpoint",
    )


def _prefix(expected: set[str], keys: frozenset[str]) -> str:
    """What the checkpoint puts before the backbone's names: that which finds most of them, the shortest first."""
    found: dict[str, int] = {}
    for name in expected:
        for key in (k for k in keys if k.endswith(name)):
            prefix = key.removesuffix(name)
            if prefix == "" or prefix.endswith("."):
                found[prefix] = found.get(prefix, 0) + 1
    return min(found, key=lambda prefix: (-found[prefix], len(prefix)), default="")
