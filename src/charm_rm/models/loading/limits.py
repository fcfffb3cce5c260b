"""Limits that no real model reaches, looked at before a library is handed a folder: an absurd number costs no memory and no time."""

from __future__ import annotations

import json
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import ModelError

# Far above what there is: known models have up to some 200 layers, and reward models a few dozen outputs.
_MOST = {
    "num_labels": 10_000,
    **dict.fromkeys(("num_hidden_layers", "n_layer", "n_layers", "num_layers", "encoder_layers", "decoder_layers"), 1000),
    **dict.fromkeys(("max_position_embeddings", "n_positions", "vocab_size"), 100_000_000),
    **dict.fromkeys(("hidden_size", "d_model", "n_embd", "intermediate_size", "head_dim", "num_experts"), 10_000_000),
}  # fmt: skip
_WEIGHTS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
# Of files that a library opens by name.
_SUFFIXES = (".json", ".jinja", ".safetensors", ".bin", ".txt", ".model", ".py", ".pt")
_LONGEST_CONFIG = 16 * 2**20
# Smaller tables are no danger, whatever the weights.
_HARMLESS = 50_000_000


def refuse_absurd(folder: Path, config: str) -> None:
    """Look over the files of a model folder, and the sizes that its configuration names.

    Raises:
        ModelError: one of its files is a pipe or a device, the configuration cannot be read, or it names a size that no
            model has, or that its weights cannot fill.
    """
    for file in sorted(folder.iterdir()):
        _refuse_what_is_no_file(file, folder)
    path = folder / config
    if not path.exists():
        return
    known = _read(path)
    for part in _parts(known):
        _refuse_numbers(part, path)
        _refuse_tables(part, path)


def _refuse_what_is_no_file(file: Path, folder: Path) -> None:
    """Refuse pipes, devices, links that lead nowhere, and folders in the place of files that a model has."""
    fix = "move it out of the folder, or take the folder anew from where the model came from"
    try:
        mode = file.stat().st_mode
    except OSError as error:
        raise ModelError(
            f"{file.name} cannot be read: {error.strerror}", where=str(folder), fix=fix
        ) from error
    if stat.S_ISDIR(mode) and file.suffix in _SUFFIXES:
        raise ModelError(f"{file.name} is a folder, not a file", where=str(folder), fix=fix)
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        kind = "a pipe" if stat.S_ISFIFO(mode) else "a device or socket"
        raise ModelError(f"{file.name} is {kind}, not a file", where=str(folder), fix=fix)


def _read(path: Path) -> Any:
    if path.stat().st_size > _LONGEST_CONFIG:
        raise ModelError(
            f"is longer than {_LONGEST_CONFIG:,} bytes",
            where=str(path),
            fix="take the configuration that the model came with",
        )
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        reason = "nested too deep" if isinstance(error, RecursionError) else str(error)
        raise ModelError(
            f"cannot be read as JSON: {reason}",
            where=str(path),
            fix="use a folder written by save_pretrained",
        ) from error


def _parts(config: Any) -> Iterator[Mapping[str, Any]]:
    """The configuration, and those of its parts (a text model in a model of images)."""
    if isinstance(config, Mapping):
        yield config
        for value in config.values():
            if isinstance(value, Mapping) and ("hidden_size" in value or "num_hidden_layers" in value):
                yield value


def _refuse_numbers(config: Mapping[str, Any], path: Path) -> None:
    for key, most in _MOST.items():
        value = config.get(key)
        if isinstance(value, int | float) and value > most:
            raise ModelError(
                f"{key} is {_short(value)}, and no model has more than {most:,}",
                where=str(path),
                fix="the configuration is broken: take the one that the model came with",
            )


def _refuse_tables(config: Mapping[str, Any], path: Path) -> None:
    """A table of embeddings, or a square layer, that is larger than all the weights at half a byte a number."""
    saved = sum(file.stat().st_size for kind in _WEIGHTS for file in path.parent.glob(kind))
    sizes = [
        config.get(key)
        for key in ("hidden_size", "d_model", "n_embd", "embedding_size", "word_embed_proj_dim")
    ]
    widths = [size for size in sizes if isinstance(size, int) and not isinstance(size, bool) and size > 0]
    vocabulary = config.get("vocab_size")
    if not saved or not widths:
        return
    tables = {"hidden_size": min(widths) ** 2}
    if isinstance(vocabulary, int):
        tables["vocab_size x hidden_size"] = vocabulary * min(widths)
    for name, numbers in tables.items():
        if numbers > max(2 * saved, _HARMLESS):
            raise ModelError(
                f"{name} asks for a table of {numbers:,} numbers, and all weights together have {saved:,} bytes",
                where=str(path),
                fix="configuration and weights are of different models: take both from one place",
            )


def _short(value: float) -> str:
    return f"{value:,}" if abs(value) < 1e15 else "beyond 10^15"
