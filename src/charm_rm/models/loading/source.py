"""What is opened: all that is known of a model before its weights are read, and the hash of what decides its scores."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ...errors import ModelError
from .checkpoint import Checkpoint
from .folders import CONFIG, fingerprint, model_folder
from .head_names import find_saved_head
from .reduction import Choice, parse_reward
from .registry import Entry, entry_named, find_entry


@dataclass(frozen=True)
class Source:
    """What is opened: folder, its config.json, what is known of it, and the options of the loader."""

    folder: Path
    config: dict[str, Any]
    entry: Entry | None
    choice: Choice | None
    options: dict[str, Any]
    # Where config.json was found: the folder, or that of the entry's base.
    home: Path

    @property
    def reduction(self) -> Choice | None:
        """Which of several outputs is the reward: as asked for, or as the entry says."""
        if self.choice is not None and self.choice.kind != "like":
            return self.choice if self.choice.reduces else None
        wanted = parse_reward(self.entry.reward) if self.entry and self.entry.reward else None
        return wanted if wanted and wanted.reduces else None

    @cached_property
    def saved_head(self) -> str | None:
        """A head that the checkpoint keeps under a training code's name; None where it has none, or transformers' own."""
        return find_saved_head(Checkpoint(self.folder))

    @property
    def has_own_code(self) -> bool:
        """True where the model brings Python code, and may run it."""
        return bool(self.config.get("auto_map")) and bool(self.options["trust_remote_code"])

    @property
    def sign(self) -> int:
        """-1 for a cost."""
        return self.entry.sign if self.entry else 1


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
    if source.has_own_code:
        parts.append("own code")
    return parts[0] if len(parts) == 1 else hashlib.sha256("\0".join(parts).encode()).hexdigest()


def refuse_own_code(source: Source) -> ModelError:
    """What to say where a model cannot be read without its own code, and nobody said to run that."""
    return ModelError(
        "this model is read by Python code that comes with it, which is not run unasked",
        where=str(source.folder),
        fix="if you trust its authors, say so: --trust-remote-code (trust_remote_code=True)",
    )
