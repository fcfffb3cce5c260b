"""Where a public data set lies: in a local mirror, or in the user's cache."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ..memo import default_memo
from .registry import Entry, find_entry

MARKER = ".charm-data.json"  # what a fetched folder says of itself


def data_home(data_dir: str | os.PathLike[str] | None = None) -> Path:
    """The folder that data sets are fetched into: ``data_dir``, else ``data`` beside the store of scores ($CHARM_CACHE, ~/.cache/charm-rm)."""
    return default_memo().parent / "data" if data_dir is None else Path(data_dir)


def data_folder(name: str, data_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """The folder of a public data set, if it is on this machine; nothing is fetched.

    Args:
        name: as ``charm data list`` has it.
        data_dir: a local mirror, which is looked into first: a folder of the entry's name, or where such mirrors have it.

    Raises:
        ConfigError: no data set has this name.
    """
    return folder_of(find_entry(name), data_dir)


def folder_of(entry: Entry, data_dir: str | os.PathLike[str] | None = None) -> Path | None:
    """:func:`data_folder` of an entry."""
    homes = [data_home(data_dir)] if data_dir is None else [data_home(data_dir), data_home()]
    places = [home / place for home in homes for place in (entry.name, *entry.places)]
    return next((place for place in places if place.is_dir() and next(_found(entry, place), None)), None)


def files_there(entry: Entry, folder: Path) -> list[str]:
    """The entry's files in a folder, sorted."""
    return sorted(_found(entry, folder))


def files_missing(entry: Entry, folder: Path) -> list[str]:
    """The entry's files that a folder lacks; of a hub's, patterns that nothing fits, unless the folder was fetched whole."""
    if told(folder):
        return sorted(set(told(folder)["files"]) - set(files_there(entry, folder)))
    there = files_there(entry, folder)
    if entry.kind == "files":
        return sorted(set(entry.files) - set(there))
    return []


def told(folder: Path) -> Mapping[str, Any]:
    """What a fetched folder says of itself; empty for one that somebody else made."""
    try:
        found = json.loads((folder / MARKER).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) and isinstance(found.get("files"), dict) else {}


def _found(entry: Entry, folder: Path) -> Iterator[str]:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and entry.holds(name):
            yield name
