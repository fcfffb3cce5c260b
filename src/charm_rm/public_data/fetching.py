"""A public data set brought to this machine: whole, checked, with a note of what it is, or not at all."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from ..errors import ConfigError
from ..locks import locked
from ..store import as_json, refuse_existing, writing_to
from .by_address import fetch_files
from .by_hub import fetch_from_hub
from .checks import sha256_of
from .places import MARKER, data_home, files_missing, files_there, folder_of
from .registry import Entry, find_entry


def fetch_data(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    accept_licence: bool = False,
    force: bool = False,
    bar: bool = False,
) -> Path:
    """The folder of a public data set, fetched where it is not on this machine.

    Args:
        name: as ``charm data list`` has it.
        data_dir: a local mirror, looked into first; what is fetched goes there. Default: the user's cache.
        accept_licence: the terms are accepted, where they have to be (:attr:`Entry.accept`).
        force: fetch again what is there.
        bar: show progress on standard error.

    Raises:
        ConfigError: no data set has this name; its licence has to be accepted; another process fetches it.
        RemoteError: the source cannot be reached, or sends another file.
        RemoteRefused: it does not have it, or refuses.
        MissingExtra: a library of [data] is not installed.
        WriteFailed: the disk is full.
    """
    return fetch_entry(
        find_entry(name), data_dir=data_dir, accept_licence=accept_licence, force=force, bar=bar
    )


def fetch_entry(
    entry: Entry,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    accept_licence: bool = False,
    force: bool = False,
    bar: bool = False,
) -> Path:
    """:func:`fetch_data` of an entry."""
    there = folder_of(entry, data_dir)
    if there is not None and not force and not files_missing(entry, there):
        return there
    if entry.accept and not accept_licence:
        raise ConfigError(
            f"its licence: {entry.licence}",
            where=entry.name,
            fix=f"read {entry.page}, and add --accept-licence (accept_licence= in Python) where your use is allowed",
        )
    target = data_home(data_dir) / entry.name
    partial = target.with_name(f".{entry.name}.partial")
    with writing_to(target):
        target.parent.mkdir(parents=True, exist_ok=True)
    with locked(target.with_name(f".{entry.name}.lock"), remove=True):
        _refuse_foreign(target)
        if force:
            shutil.rmtree(partial, ignore_errors=True)
        with writing_to(target):
            partial.mkdir(exist_ok=True)
        fetch = fetch_files if entry.kind == "files" else fetch_from_hub
        revision = fetch(entry, partial, bar=bar)
        with writing_to(target):
            _clear_litter(entry, partial)
            (partial / MARKER).write_text(as_json(_note(entry, partial, revision)), encoding="utf-8")
            if target.exists():
                shutil.rmtree(target)
            partial.rename(target)
    return target


def _refuse_foreign(target: Path) -> None:
    """Refuse to replace a folder that charm did not fetch."""
    refuse_existing(target, force=(target / MARKER).is_file())


def _clear_litter(entry: Entry, folder: Path) -> None:
    """Remove what the libraries leave beside the files: notes, and beginnings that a kill left."""
    for path in folder.rglob("*"):
        if path.is_file() and not entry.holds(path.relative_to(folder).as_posix()):
            path.unlink()
    shutil.rmtree(folder / ".cache", ignore_errors=True)


def _note(entry: Entry, folder: Path, revision: str) -> dict[str, object]:
    files = {
        file: {"bytes": (folder / file).stat().st_size, "sha256": sha256_of(folder / file)}
        for file in files_there(entry, folder)
    }
    source = entry.url or f"hub:{entry.repo}"
    return {
        "name": entry.name,
        "source": source,
        "revision": revision,
        "licence": entry.licence,
        "files": files,
    }
