"""Where a model's files are, and the hash of those that decide its scores."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from ...errors import CharmError, ModelError, first_line
from ...paths import expanded
from ..extras import require
from .limits import refuse_absurd
from .registry import find_entry

ADAPTER_CONFIG = "adapter_config.json"
CONFIG = "config.json"
# What decides a model's scores, among the files beside it (no README, no training state).
_DECIDING = (
    "config.json",
    "adapter_config.json",
    "chat_template.jinja",
    "*token*.json",
    "vocab*",
    "merges.txt",
    "*.model",
    "*.safetensors",
    "pytorch_model*.bin",
    "adapter_model.bin",
    "*.py",
)


def model_folder(path_or_id: str | os.PathLike[str]) -> Path:
    """The local folder of a model; a hub id is downloaded (or found in the cache) first."""
    path = expanded(path_or_id)
    if path.is_dir():
        if not any((path / name).exists() for name in (CONFIG, ADAPTER_CONFIG)) and not _has_base(path):
            raise ModelError(
                f"the folder has neither config.json nor {ADAPTER_CONFIG}",
                where=str(path),
                fix="name a folder written by save_pretrained",
            )
        refuse_absurd(path, CONFIG)
        return path
    name = os.fspath(path_or_id)
    if path.exists() or path.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
        raise ModelError("no such model folder", where=name, fix="check the path")
    hub = require("huggingface_hub")
    index = "*.index.json"  # of weights in several files; it decides nothing that they do not
    try:
        pickles = [p for p in _DECIDING if p.endswith(".bin")]
        wanted = [p for p in _DECIDING if p not in pickles]
        folder = Path(hub.snapshot_download(name, allow_patterns=[*wanted, index], ignore_patterns="*/*"))
        if not any(folder.glob("*.safetensors")):
            pickles += ["*.pt"] if _has_base(name) else []
            hub.snapshot_download(name, allow_patterns=[*pickles, index], ignore_patterns="*/*")
        refuse_absurd(folder, CONFIG)
        return folder
    except CharmError:
        raise
    except Exception as error:  # network, login, no such repository: the hub has many ways to say no
        raise ModelError(
            f"neither a local folder nor a model that the hub gave: {first_line(error)}",
            where=name,
            fix="check the name and the network; a private or gated model needs `hf auth login`",
        ) from error


def fingerprint(folder: str | os.PathLike[str], *more: str) -> str:
    """SHA-256 of the files that decide the scores: configuration, weights, tokenizer, code; and of ``more`` patterns."""
    digest = hashlib.sha256()
    for file in sorted({f for pattern in (*_DECIDING, *more) for f in Path(folder).glob(pattern)}):
        digest.update(file.name.encode() + b"\0")
        with file.open("rb") as handle:
            digest.update(hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def _has_base(path_or_id: str | os.PathLike[str]) -> bool:
    """True where the registry knows another place for the model's configuration."""
    entry = find_entry(path_or_id)
    return entry is not None and entry.base is not None
