"""Opening a reward model: a folder or hub id -> model and tokenizer, refused where it is not a reward model.

What kind of model it is decides how it is read (:mod:`.readers`): as the option ``reward`` says, else as the
registry says (:mod:`.registry`), else as its checkpoint shows.

Transformers fills what a checkpoint lacks with random numbers and goes on. For a reward model that means
scores out of thin air, so every missing weight is an error here, unless a new head is asked for by seed.
"""

from __future__ import annotations

import os
from typing import Any

from ...errors import ConfigError, ModelError, listing
from ..extras import require
from .adapters import open_adapter
from .config import find_outputs
from .folders import ADAPTER_CONFIG, model_folder
from .head_names import is_head_key
from .libraries import as_model_error, quiet
from .opened import Opened
from .readers import read_model
from .reduction import parse_reward, reduce
from .source import Source, find_source, source_fingerprint
from .state import load_classifier
from .tokenizers import load_tokenizer


def open_model(
    path_or_id: str | os.PathLike[str],
    *,
    dtype: str = "float32",
    trust_remote_code: bool = False,
    new_head_seed: int | None = None,
    attention: str | None = None,
    reward: str | None = None,
) -> Opened:
    """Open a model folder, a PEFT adapter folder (merged into its base), or a hub id.

    Args:
        path_or_id: local folder or hub id.
        dtype: ``float32``, ``bfloat16`` or ``auto`` (as saved).
        trust_remote_code: run Python code that comes with the model.
        attention: transformers' ``attn_implementation``; None: its choice.
        new_head_seed: where the checkpoint lacks only a reward head, make one with this seed instead of
            refusing: the start of training a reward model from a backbone.
        reward: which of the model's outputs is the reward, or where its head is (:mod:`.reduction`); None: as
            the registry says, or the only one.

    Raises:
        ModelError: nothing there, no reward head, several outputs and no choice, or weights that do not fit.
        ConfigError: ``reward`` cannot be read, or does not go with what else is asked for.
        MissingExtra: transformers (or peft, for adapters) is not installed.
    """
    require("torch"), require("transformers")
    choice = None if reward is None else parse_reward(reward)
    if choice is not None and new_head_seed is not None:
        raise ConfigError("training starts from one output or a new head", fix="leave out reward=")
    folder = model_folder(path_or_id)
    options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": trust_remote_code}
    if attention is not None:
        options["attn_implementation"] = attention
    with as_model_error(path_or_id), quiet():
        if (folder / ADAPTER_CONFIG).exists():
            return open_adapter(folder, options, choice)
        source = find_source(path_or_id, folder, choice, options)
        if new_head_seed is not None:
            return _open_for_training(source, new_head_seed)
        tokenizer = load_tokenizer(source)
        reading = read_model(source, tokenizer)
    return Opened(
        reading.model.eval(),
        tokenizer,
        source_fingerprint(source),
        n_outputs=reading.n_outputs,
        output=reading.output,
        entry=source.entry,
    )


def _open_for_training(source: Source, seed: int) -> Opened:
    """A model with one output by transformers' own names, or a backbone with a new head."""
    if source.entry is None or source.entry.kind == "sequence-classifier":
        reduce(None, *find_outputs(source), where=str(source.folder))
    tokenizer = load_tokenizer(source)
    model, missing = load_classifier(source, 1, seed=seed)
    if lost := {k for k in missing if not is_head_key(k)}:
        raise ModelError(
            f"weights besides the head are missing: {listing(sorted(lost))}",
            where=str(source.folder),
            fix="take the whole checkpoint from where the model came from",
        )
    return Opened(
        model.eval(), tokenizer, source_fingerprint(source), has_new_head=bool(missing), entry=source.entry
    )
