"""What a run read and used: hashes, settings, versions."""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


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
    for package in packages:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[package] = importlib.metadata.version(package)
    return found


def hash_path(path: str | Path) -> str:
    """SHA-256 of a file, or of a folder's files with their relative names."""
    path = Path(path)
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        if file != path:
            digest.update(str(file.relative_to(path)).encode() + b"\0")
        with file.open("rb") as handle:
            while chunk := handle.read(1 << 20):
                digest.update(chunk)
    return digest.hexdigest()
