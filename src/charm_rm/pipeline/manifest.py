"""The run's memory: what each stage read, with which settings, and what it wrote, by hash.

``manifest.json`` in the run directory is rewritten, whole, after every stage. A stage whose settings, inputs and
outputs still have the recorded hashes need not run again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .. import store
from ..errors import CharmError, ConfigError
from ..provenance import hash_path, source_name
from ..reading.parts import matching
from ..reading.shapes import check_shape

_RECORD = {"inputs": dict, "settings": dict, "outputs": dict, "warnings": [str]}
FILE, _HASHES, LOCK = "manifest.json", ".hashes.json", ".lock"
# The model card is written into the model folder after the model itself; it never changes a score.
_UNHASHED = ("README.md",)


@dataclass
class Ledger:
    """The manifest in memory.

    ``header`` is the run's own facts, ``stages`` one record per stage that has run. ``seen`` (kept apart, in a hidden
    file) is the stat of each file hashed and its hash, so that a large unchanged file is not read again.
    """

    directory: Path
    header: dict[str, Any] = field(default_factory=dict)
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    seen: dict[str, list[Any]] = field(default_factory=dict)

    @classmethod
    def open(cls, directory: Path) -> Ledger:
        """Read the manifest of a run directory; an empty one where there is none."""
        path = directory / FILE
        if not path.exists():
            return cls(directory)
        try:
            stages = store.read_shaped(path, {"stages": dict})["stages"]
            for record in stages.values():
                check_shape(record, _RECORD, where=str(path))
            return cls(directory, {}, stages, _read_hashes(directory / _HASHES))
        except CharmError as error:
            raise ConfigError(
                "this is not the manifest of a run",
                where=str(path),
                fix="choose another output folder, or delete the file to run every stage again",
            ) from error

    def save(self) -> None:
        """Write the manifest, whole or not at all."""
        said = [w for record in self.stages.values() for w in record["warnings"]]
        content = {**self.header, "warnings": list(dict.fromkeys(said)), "stages": self.stages}
        store.write_json(content, self.directory / FILE, force=True)
        store.write_json(self.seen, self.directory / _HASHES, force=True)

    def hash(self, path: str | Path) -> str | None:
        """Hash of a file, a folder or a pattern's files (``None`` where there is none), read again only if its stat changed."""
        path = Path(path)
        if path.is_dir():
            files = sorted(p for p in path.rglob("*") if p.is_file() and p.name not in _UNHASHED)
            listing = "\n".join(f"{f.relative_to(path)} {self.hash(f)}" for f in files)
            return hashlib.sha256(listing.encode()).hexdigest()
        if patterned := matching(path):
            return hashlib.sha256(
                "\n".join(f"{f.name} {self.hash(f)}" for f in patterned).encode()
            ).hexdigest()
        if not path.is_file():
            return None
        stat = path.stat()
        key = self._key(path)
        signature = [stat.st_size, stat.st_mtime_ns, stat.st_ino]
        if key in self.seen and self.seen[key][:-1] == signature:
            return str(self.seen[key][-1])
        self.seen[key] = [*signature, hash_path(path)]
        return str(self.seen[key][-1])

    def hash_input(self, name: str) -> str | None:
        """Hash of an input outside the run directory, and of the folders in a spec (``dpo:DIR,DIR``); a hub id stands for itself."""
        if Path(name).exists() or Path(name).is_absolute():
            return self.hash(name)
        folders = [part for part in name.partition(":")[2].split(",") if part and Path(part).exists()]
        return " ".join([f"id:{source_name(name)}", *(str(self.hash(folder)) for folder in folders)])

    def _key(self, path: Path) -> str:
        """Under which a file is remembered: its path in the run directory; of files elsewhere a digest of it, which tells nobody where."""
        place, own = path.resolve(), self.directory.resolve()
        if place.is_relative_to(own):
            return place.relative_to(own).as_posix()
        return "elsewhere:" + hashlib.sha256(str(place).encode()).hexdigest()[:32]


def _read_hashes(path: Path) -> dict[str, list[Any]]:
    """The hashes known; none where the file is damaged: it only saves reading."""
    try:
        found = store.read_shaped(path, {})
    except CharmError:
        return {}
    return {key: entry for key, entry in found.items() if isinstance(entry, list)}


def changed_keys(old: Mapping[str, Any], new: Mapping[str, Any], at: str = "") -> list[str]:
    """Dotted names of the keys whose values differ."""
    found = []
    for key in sorted(set(old) | set(new)):
        a, b = old.get(key), new.get(key)
        if isinstance(a, Mapping) and isinstance(b, Mapping):
            found += changed_keys(a, b, f"{at}{key}.")
        elif a != b:
            found.append(f"{at}{key}")
    return found
