"""A run without the places of its files: what the manifest keeps, so that it can be copied, moved and shown to others.

Files are named by their last part, and known by their content.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from ..provenance import source_name
from ..settings import Settings, settings_of

S = TypeVar("S", bound=Settings)
# What stands before the name of a file that is no file of the run directory.
GIVEN = "given:"


def portable(config: S) -> S:
    """The configuration, or a section of it, with every file and folder named by its last part."""
    changes: dict[str, Any] = {}
    for one in settings_of(type(config)):
        value = getattr(config, one.name)
        if isinstance(value, Settings):
            changes[one.name] = portable(value)
        elif one.items is not None and value is not None:
            changes[one.name] = tuple(portable(part) for part in value)
        elif value is not None and one.bounds.path is not None:
            named = value if isinstance(value, tuple) else (value,)
            names = tuple(map(source_name, named))
            changes[one.name] = names if isinstance(value, tuple) else names[0]
    return replace(config, **changes)


def given_names(paths: Iterable[str]) -> dict[str, str]:
    """Names for files from elsewhere -> the files; of several with one name the later ones are numbered."""
    found: dict[str, str] = {}
    for path in dict.fromkeys(paths):
        name, n = f"{GIVEN}{source_name(path)}", 1
        while name in found:
            n += 1
            name = f"{GIVEN}{source_name(path)} ({n})"
        found[name] = path
    return found


def without_places(text: str, files: Iterable[str], directory: Path) -> str:
    """What a stage said, with the files that it read and the run directory by their names alone."""
    own = {str(directory.resolve()), str(directory.absolute())}
    places = own | {path for path in files if Path(path).is_absolute()}
    for place in sorted(places, key=len, reverse=True):
        if place in own:
            text = text.replace(f"{place}/", "")
        text = text.replace(place, Path(place).name)
    return text
