"""PEFT adapters: the base that they name, with adapter and saved head merged into it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ...errors import ConfigError, ModelError, counted
from ..extras import require
from .folders import fingerprint, model_folder
from .head_names import is_head_key
from .opened import Opened
from .reduction import Choice
from .source import find_source, source_fingerprint
from .state import headless, load_classifier
from .tokenizers import load_tokenizer

_CONFIG, _BASE = "adapter_config.json", "base_model_name_or_path"


def make_portable(folder: Path, *, base: str | Path, output: Path) -> None:
    """Name a local base in a saved adapter by the way there from ``output``, where the adapter will lie, so that both can move together.

    PEFT itself writes the path as it was given, and a set of modules in another order in every process.
    """
    file = folder / _CONFIG
    settings = json.loads(file.read_text(encoding="utf-8"))
    if Path(base).is_dir():
        settings[_BASE] = Path(os.path.relpath(Path(base).resolve(), output.resolve())).as_posix()
    if isinstance(modules := settings.get("target_modules"), list):
        settings["target_modules"] = sorted(modules)
    file.write_text(json.dumps(settings, indent=2, sort_keys=True), encoding="utf-8")


def find_base(name: str, folder: Path) -> str:
    """The base that the adapter in ``folder`` names: an id, a path, or (beginning with ``..``) the way there from the adapter."""
    return str(folder.resolve() / name) if name.startswith("..") else name


def open_adapter(folder: Path, options: dict[str, Any], choice: Choice | None) -> Opened:
    """Load the base of a PEFT adapter, put adapter and saved head on it, and merge.

    Where the adapter was trained on a larger vocabulary than its base has, the base gets as many embeddings.
    """
    if choice is not None:
        raise ConfigError(
            "an adapter's head has one output, so there is nothing to choose",
            where=str(folder),
            fix="leave out --reward (reward= in Python)",
        )
    peft = require("peft")
    settings = peft.PeftConfig.from_pretrained(str(folder))
    name = find_base(settings.base_model_name_or_path, folder)
    base = model_folder(name)
    source = find_source(name, base, None, options)
    has_tokenizer = any(folder.glob("tokenizer*"))
    tokenizer = load_tokenizer(source, folder) if has_tokenizer else load_tokenizer(source)
    model, missing = load_classifier(source, 1)
    saved = peft.load_peft_weights(str(folder), device="cpu")
    lost = {key for key in missing if not any(name.endswith(key) for name in saved)}
    if lost:
        raise headless(folder, lost)
    _refuse_other_heads(model, saved, folder)
    _resize(model, saved, settings, n_tokens=len(tokenizer))
    merged = peft.PeftModel.from_pretrained(model, str(folder)).merge_and_unload()
    both = hashlib.sha256((source_fingerprint(source) + fingerprint(folder)).encode()).hexdigest()
    return Opened(merged.eval(), tokenizer, both, entry=source.entry)


def _resize(model: Any, saved: Mapping[str, Any], settings: Any, *, n_tokens: int) -> None:
    """Give the base as many embeddings as the adapter was trained with; what is new of them, the adapter brings."""
    table = model.get_input_embeddings()
    name = next(name for name, module in model.named_modules() if module is table)
    rows = _saved_rows(saved, f"{name}.")
    trained = _trained_tokens(settings)
    if rows is None and trained and max(trained) >= table.num_embeddings:
        rows = max(n_tokens, max(trained) + 1)
    if rows is not None and rows != table.num_embeddings:
        model.resize_token_embeddings(rows, mean_resizing=False)


def _saved_rows(saved: Mapping[str, Any], name: str) -> int | None:
    """How many embeddings the adapter's own table has: saved whole, or as LoRA on embeddings."""
    for key, tensor in saved.items():
        tail = key.rpartition(name)[2] if name in key else ""
        if tail in ("weight", "base_layer.weight"):
            return int(tensor.shape[0])
        if tail.startswith("lora_embedding_A"):
            return int(tensor.shape[1])
    return None


def _trained_tokens(settings: Any) -> list[int]:
    """Tokens whose embeddings alone were trained (peft's trainable tokens), of the input embeddings or any layer."""
    found = (
        getattr(settings, "trainable_token_indices", None) or getattr(settings, "token_indices", None) or []
    )
    return [int(i) for some in found.values() for i in some] if isinstance(found, dict) else list(found)


def _refuse_other_heads(model: Any, saved: Mapping[str, Any], folder: Path) -> None:
    """Refuse a saved head with other than one output."""
    for key, tensor in saved.items():
        for name, parameter in model.named_parameters():
            if is_head_key(name) and key.endswith(f".{name}") and tensor.shape != parameter.shape:
                raise ModelError(
                    f"the adapter's head {name} has {counted(int(tensor.shape[0]), 'row')}, a reward model's has 1",
                    where=str(folder),
                    fix="merge the adapter into its base (merge_and_unload, save_pretrained), "
                    "and say which output is the reward: --reward output:N (reward= in Python)",
                )
