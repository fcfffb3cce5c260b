"""PEFT adapters: the base that they name, with adapter and saved head merged into it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from ...errors import ConfigError
from ..extras import require
from .folders import fingerprint, model_folder
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
    """Load the base of a PEFT adapter, put adapter and saved head on it, and merge."""
    if choice is not None:
        raise ConfigError(
            "an adapter's head has one output, so there is nothing to choose",
            where=str(folder),
            fix="leave reward out",
        )
    peft = require("peft")
    settings = peft.PeftConfig.from_pretrained(str(folder))
    name = find_base(settings.base_model_name_or_path, folder)
    base = model_folder(name)
    source = find_source(name, base, None, options)
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
