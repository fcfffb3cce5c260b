"""What a run read and used: hashes, settings, versions."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from .reading.parts import matching


@dataclass(frozen=True)
class Manifest:
    """What a run read and used: enough to tell whether running again would give the same."""

    verb: str
    inputs: Mapping[str, str]
    settings: Mapping[str, Any]
    seed: int | None = None
    outputs: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)

    @property
    def fingerprint(self) -> str:
        """Hash of verb, inputs, settings and seed: equal fingerprints mean equal outputs."""
        core = {k: v for k, v in asdict(self).items() if k in ("verb", "inputs", "settings", "seed")}
        return hashlib.sha256(json.dumps(core, sort_keys=True, default=str).encode()).hexdigest()


def versions(packages: Sequence[str] = ("charm-rm", "numpy", "scipy", "polars")) -> dict[str, str]:
    """Versions of Python and the named packages, where installed."""
    found = {"python": platform.python_version()}
    found |= {package: version for package in packages if (version := _installed(package)) is not None}
    return found


@cache
def _installed(package: str) -> str | None:
    """The version of an installed package: found once, as all that is told of a package is read for it (10 ms)."""
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None


def hash_path(path: str | Path) -> str:
    """SHA-256 of a file, of a folder's files with their relative names, or of a pattern's (``shards/*.csv``) with theirs."""
    path = Path(path)
    digest = hashlib.sha256()
    patterned = matching(path)
    files = patterned or ([path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file()))
    for file in files:
        if file != path:
            name = file.name if patterned else str(file.relative_to(path))
            digest.update(name.encode() + b"\0")
        with file.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()


# Between the two models of a DPO reward, in what it is called.
AGAINST = " against "


def source_name(source: str | Path) -> str:
    """What a file, folder or model is called in files that are shared: by its last part, never by where it lies.

    Ids of the hub, addresses and functions (``python:module:function``) stay as they are; in ``hf:DIR`` and ``dpo:DIR,DIR``
    each folder is named by its last part, in ``FILE:category@date`` the file.
    """
    name = str(source)
    path = Path(name)
    if "://" in name:
        return name
    if AGAINST in name and not path.exists():
        return AGAINST.join(map(source_name, name.split(AGAINST)))
    if _is_place(path):
        return path.name if path.name not in ("", "..") else path.resolve().name
    head, colon, rest = name.partition(":")
    if not colon or head == "python":
        return name
    if _is_place(Path(head)):
        return f"{source_name(head)}:{rest}"
    return f"{head}:{','.join(map(source_name, rest.split(',')))}"


def _is_place(path: Path) -> bool:
    """Whether a name is one of the file system, and not an id or a word."""
    return path.is_absolute() or str(path).startswith(("~", "..")) or path.exists()


def source_record(source: str | Path) -> dict[str, str]:
    """``source``, the name of a file or folder, and ``source_sha256``, the hash of what it holds (where it is on this machine)."""
    path = Path(source)
    hashed = {"source_sha256": hash_path(path)} if path.exists() or matching(path) else {}
    return {"source": source_name(source), **hashed}


def file_records(paths: Iterable[str | Path]) -> list[dict[str, str]]:
    """Names and content hashes of the files and folders among ``paths``, each once; other names are passed over."""
    found = dict.fromkeys(Path(path) for path in paths if Path(path).exists())
    return [{"name": source_name(path), "sha256": hash_path(path)} for path in found]
