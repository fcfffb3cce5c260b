"""The public data sets that are known: ``charm_rm/data/public_data.toml``, one entry each."""

from __future__ import annotations

import fnmatch
import functools
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from typing import Any, Literal

from ..errors import ConfigError, did_you_mean

_DATA = "public_data.toml"
UNPINNED = "main"


@dataclass(frozen=True)
class Entry:
    """One public data set.

    Args:
        name: what it is called here.
        title: what it holds, in a line.
        kind: ``files`` (each by its address) or ``hub`` (a data set of the Hugging Face hub).
        page: where to read about it, and its licence.
        revision: a commit, or ``main`` where none is known.
        licence: its name, or that there is none.
        accept: whether the licence must be accepted: non-commercial, or none given.
        files: paths within the entry; patterns for the hub.
        url: the address that paths are added to; ``repo``: the hub's id.
        size: bytes, where known.
        checks: path -> ``git:...`` (the file's id in its repository) or ``sha256:...``.
        places: folders of a local mirror that may hold it.
    """

    name: str
    title: str
    kind: Literal["files", "hub"]
    page: str
    revision: str
    licence: str
    accept: bool
    files: tuple[str, ...]
    url: str = ""
    repo: str = ""
    size: int | None = None
    checks: Mapping[str, str] = field(default_factory=dict)
    places: tuple[str, ...] = ()

    @property
    def pinned(self) -> bool:
        """Whether a commit says what exactly is fetched."""
        return self.revision != UNPINNED

    def holds(self, path: str) -> bool:
        """Whether a path is one of the entry's files."""
        return path in self.files or (
            self.kind == "hub" and any(fnmatch.fnmatchcase(path, pattern) for pattern in self.files)
        )


def list_entries() -> list[Entry]:
    """Every entry, in the file's order."""
    return list(_entries().values())


def find_entry(name: str) -> Entry:
    """The entry of a name.

    Raises:
        ConfigError: there is none.
    """
    known = _entries()
    if name not in known:
        raise ConfigError(
            f"no public data set is called {name!r}.{did_you_mean(name, known)}",
            fix="charm data list shows all",
        )
    return known[name]


@functools.cache
def _entries() -> dict[str, Entry]:
    text = resources.files("charm_rm").joinpath("data", _DATA).read_text(encoding="utf-8")
    return {name: _entry(name, values) for name, values in tomllib.loads(text).items()}


def _entry(name: str, values: Mapping[str, Any]) -> Entry:
    lists = {key: tuple(values[key]) for key in ("files", "places") if key in values}
    return Entry(name=name, **{**values, **lists})
