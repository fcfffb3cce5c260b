"""Opening a reward model: a folder or hub id -> model and tokenizer, refused where it is not a reward model.

What kind of model it is decides how it is read (:mod:`.kinds`): as the option ``reward`` says, else as the
registry says (:mod:`.registry`), else as its checkpoint shows.

Transformers fills what a checkpoint lacks with random numbers and goes on. For a reward model that means
scores out of thin air, so every missing weight is an error here, unless a new head is asked for by seed.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ConfigError, ModelError, listing
from ..extras import require
from .checkpoint import Checkpoint
from .dressing import load_tokenizer
from .folders import ADAPTER_CONFIG as ADAPTER_CONFIG
from .folders import CONFIG, model_folder
from .folders import fingerprint as fingerprint
from .kinds import (
    Reading,
    Source,
    find_head,
    open_first_token,
    open_gated,
    open_linear_head,
    open_remote_code,
    reduced,
    refuse_own_code,
)
from .libraries import as_model_error, quiet
from .reduction import Choice, parse_reward, reduce
from .registry import Entry, entry_named, find_entry


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
        raise ConfigError("training starts from one output or a new head", mend="leave reward out")
    folder = model_folder(path_or_id)
    options: dict[str, Any] = {"dtype": dtype, "trust_remote_code": trust_remote_code}
    if attention is not None:
        options["attn_implementation"] = attention
    with as_model_error(path_or_id), quiet():
        if (folder / ADAPTER_CONFIG).exists():
            return _open_adapter(folder, options, choice)
        source = find_source(path_or_id, folder, choice, options)
        if new_head_seed is not None:
            return _open_for_training(source, new_head_seed)
        tokenizer = load_tokenizer(source)
        reading = _read(source, tokenizer)
    return Opened(
        reading.model.eval(),
        tokenizer,
        source_fingerprint(source),
        n_outputs=reading.n_outputs,
        output=reading.output,
        entry=source.entry,
    )


# --- details ------------------------------------------------------------------------------------


def find_source(
    path_or_id: str | os.PathLike[str], folder: Path, choice: Choice | None, options: dict[str, Any]
) -> Source:
    """All that is known of the model before its weights are read."""
    entry = entry_named(choice.argument) if choice is not None and choice.kind == "like" else None
    entry = entry or find_entry(path_or_id)
    home = folder
    if not (folder / CONFIG).exists() and entry is not None and entry.base is not None:
        home = model_folder(entry.base)
    config = json.loads((home / CONFIG).read_text(encoding="utf-8"))
    return Source(folder, config, entry or find_entry(path_or_id, config), choice, options, home)


def _read(source: Source, tokenizer: Any) -> Reading:
    """Read the model as its kind wants it."""
    entry, choice = source.entry, source.choice
    if choice is not None and choice.kind == "head":
        return open_linear_head(source, [choice.argument])
    if choice is not None and choice.kind == "token":
        return open_first_token(source, choice.argument, tokenizer)
    kind = "sequence-classifier" if entry is None else entry.kind
    if kind == "pair-ranker":
        raise ModelError(
            "this model compares two responses; it gives no score to one",
            where=str(source.folder),
            mend="load it with charm_rm.models.load_pair_ranker",
        )
    if entry is not None and kind == "linear-head":
        return open_linear_head(source, entry.head, pooling=entry.pooling)
    if entry is not None and kind == "gated":
        return open_gated(source, entry.gate_pattern)
    if entry is not None and kind == "first-token":
        return open_first_token(source, parse_reward(entry.reward or "").argument, tokenizer)
    if kind == "remote-code":
        return open_remote_code(source)
    if entry is None and not _has_own_code(source) and (head := find_head(Checkpoint(source.folder))):
        return open_linear_head(source, [head])
    return _read_classifier(source)


def _read_classifier(source: Source) -> Reading:
    """A sequence classifier of transformers (or of trusted code), its outputs reduced to one."""
    known = source.config.get("model_type") in require("transformers").CONFIG_MAPPING
    if source.config.get("auto_map") and not known and not source.options["trust_remote_code"]:
        raise refuse_own_code(source)
    n_outputs, labels = _outputs(source)
    weights, words = reduce(source.reduction, n_outputs, labels, where=str(source.folder))
    model, missing = load_classifier(source, n_outputs)
    if missing:
        raise headless(source.folder, missing)
    if list(weights) != [1.0] or source.sign != 1:
        model = reduced(source, model, labels=labels)
    return Reading(model, n_outputs, words if source.sign == 1 else f"minus {words}")


def _outputs(source: Source) -> tuple[int, dict[int, str]]:
    """How many outputs the checkpoint's head has, and their names; 1 where only a registry's entry says so."""
    config = source.config
    is_classifier = any("SequenceClassification" in a for a in config.get("architectures") or [])
    if not is_classifier or (source.entry is not None and source.reduction is None):
        return 1, {}
    loaded = require("transformers").AutoConfig.from_pretrained(
        source.home, trust_remote_code=source.options["trust_remote_code"]
    )
    return loaded.num_labels, loaded.id2label


def _open_for_training(source: Source, seed: int) -> Opened:
    """A model with one output by transformers' own names, or a backbone with a new head."""
    if source.entry is None or source.entry.kind == "sequence-classifier":
        reduce(None, *_outputs(source), where=str(source.folder))
    model, missing = load_classifier(source, 1, seed=seed)
    if lost := {k for k in missing if not _is_head(k)}:
        raise ModelError(
            f"weights besides the head are missing: {listing(sorted(lost))}", where=str(source.folder)
        )
    tokenizer = load_tokenizer(source)
    return Opened(
        model.eval(), tokenizer, source_fingerprint(source), has_new_head=bool(missing), entry=source.entry
    )


def load_classifier(source: Source, n_outputs: int, *, seed: int = 0) -> tuple[Any, set[str]]:
    """Load as a sequence classifier; return the model and the weights that the checkpoint lacks."""
    torch, transformers = require("torch"), require("transformers")
    config = transformers.AutoConfig.from_pretrained(
        source.folder, trust_remote_code=source.options["trust_remote_code"]
    )
    config.num_labels = n_outputs
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model, info = transformers.AutoModelForSequenceClassification.from_pretrained(
            source.folder, config=config, output_loading_info=True, **source.options
        )
    return model, set(info["missing_keys"])


def _open_adapter(folder: Path, options: dict[str, Any], choice: Choice | None) -> Opened:
    """Load the base of a PEFT adapter, put adapter and saved head on it, and merge."""
    if choice is not None:
        raise ConfigError(
            "an adapter's head has one output, so there is nothing to choose",
            where=str(folder),
            mend="leave reward out",
        )
    peft = require("peft")
    settings = peft.PeftConfig.from_pretrained(str(folder))
    base = model_folder(settings.base_model_name_or_path)
    source = find_source(settings.base_model_name_or_path, base, None, options)
    model, missing = load_classifier(source, 1)
    saved = peft.load_peft_weights(str(folder), device="cpu")
    lost = {key for key in missing if not any(name.endswith(key) for name in saved)}
    if lost:
        raise headless(folder, lost)
    merged = peft.PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    has_tokenizer = any(folder.glob("tokenizer*"))
    tokenizer = load_tokenizer(source, folder) if has_tokenizer else load_tokenizer(source)
    both = hashlib.sha256((source_fingerprint(source) + fingerprint(folder)).encode()).hexdigest()
    return Opened(merged.eval(), tokenizer, both, entry=source.entry)


def source_fingerprint(source: Source) -> str:
    """Of the folder, and of what registry and option add to how it is read."""
    alone = source.home == source.folder
    parts = [fingerprint(source.folder) if alone else fingerprint(source.folder, "*.pt")]
    if not alone:
        parts.append(fingerprint(source.home))
    if source.entry is not None and (reading := source.entry.reading()):
        parts.append(json.dumps(reading, sort_keys=True))
    if source.choice is not None:
        parts.append(str(source.choice))
    if _has_own_code(source):
        parts.append("own code")
    return parts[0] if len(parts) == 1 else hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _has_own_code(source: Source) -> bool:
    return bool(source.config.get("auto_map")) and bool(source.options["trust_remote_code"])


def _is_head(key: str) -> bool:
    return key.split(".")[0] in ("score", "classifier", "classification_head", "v_head", "head")


def headless(source: str | os.PathLike[str], missing: set[str]) -> ModelError:
    return ModelError(
        f"not a reward model: the checkpoint lacks {listing(sorted(missing))}, which would be random numbers",
        where=os.fspath(source),
        mend="use a reward model, or train one on this backbone with `charm train`",
    )
