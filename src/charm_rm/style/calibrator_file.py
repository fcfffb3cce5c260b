"""Calibrators as JSON: one readable file, whose format and version are in it. Read strictly, and never evaluated."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeAlias

from .. import store
from ..errors import SchemaError, did_you_mean, listing
from ..paths import expanded
from ..reading.files import check_plain_file
from .calibrator import Calibrator, FeatureWeight

FORMAT, VERSION = "charm-calibrator", 1
_NUMBERS = ("spread", "temperature", "fit_temperature", "penalty", "kept", "limit")
_ABOVE_ZERO = ("spread", "temperature", "fit_temperature", "limit")
_OPTIONAL = ("std_err", "ci_low", "ci_high", "estimate")


def save_calibrator(calibrator: Calibrator, path: str | Path, *, force: bool = False) -> Path:
    """Write a calibrator as JSON, whole or not at all.

    Raises:
        OutputExists: the file exists and ``force`` is off.
    """
    return store.write_json({"format": FORMAT, "version": VERSION, **calibrator.to_json()}, path, force=force)


def load_calibrator(path: str | Path) -> Calibrator:
    """Read a calibrator.

    Raises:
        SchemaError: it is none, is of a newer version, or a field is missing, unknown, or of the wrong kind.
        UnreadableFile: the file cannot be read as JSON.
    """
    told = store.read_json(path)
    try:
        return read_calibrator(told)
    except SchemaError as error:
        error.where = f"{path}: {error.where}" if error.where else str(path)
        raise


CalibratorLike: TypeAlias = Calibrator | str | os.PathLike[str]


def as_calibrator(given: CalibratorLike) -> Calibrator:
    """A calibrator, or the one that a file holds."""
    return given if isinstance(given, Calibrator) else load_calibrator(expanded(given))


def is_calibrator(path: str | Path) -> bool:
    """Whether a file holds a calibrator (or what was one), as its content says: a JSON object with a format, or features. Offsets are a table.

    Raises:
        UnreadableFile: there is no such file, or it cannot be opened.
    """
    path = Path(path)
    check_plain_file(path)
    try:
        with path.open("rb") as file:
            start = file.read(64).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:
        return False  # what is wrong with it is said where it is read
    if path.suffix != ".json" or not start.startswith(b"{"):
        return False
    told = store.read_json(path)
    return isinstance(told, Mapping) and bool({"format", "features"} & set(told))


def read_calibrator(told: Any) -> Calibrator:
    """A calibrator from its JSON values; raises as :func:`load_calibrator`."""
    if not isinstance(told, Mapping) or told.get("format") != FORMAT:
        raise _wrong(
            f"this is no calibrator: 'format' is not {FORMAT!r}",
            fix="write one: charm calibrate --style -o FILE.json",
        )
    if not isinstance(told.get("version"), int) or isinstance(told["version"], bool):
        raise _wrong(f"'version' should hold a whole number, found {told.get('version')!r}")
    if told["version"] > VERSION:
        raise _wrong(
            f"it is of version {told['version']}; this charm reads up to {VERSION}",
            fix="install a newer charm",
        )
    values = {k: v for k, v in told.items() if k not in ("format", "version")}
    _check_names(values, Calibrator)
    if values.get("unit") not in ("score", "log-odds"):
        raise _wrong(f"'unit' is neither score nor log-odds: {values.get('unit')!r}")
    for name in _NUMBERS:
        values[name] = _number(values, name, name)
        if name in _ABOVE_ZERO and not values[name] > 0:
            raise _wrong(f"{name!r} is not above 0: {values[name]!r}")
    values["features"] = tuple(
        _feature(one, f"features[{i}]") for i, one in enumerate(_list(values, "features"))
    )
    names = [one.name for one in values["features"]]
    if twice := sorted({n for n in names if names.count(n) > 1}):
        raise _wrong(f"feature {listing(twice)} stands twice")
    values["offsets"] = {
        k: _number(_mapping(values, "offsets"), k, f"offsets[{k!r}]") for k in values["offsets"]
    }
    values["held_out"] = tuple(_list(values, "held_out"))
    if values["solved_on"] is not None:
        _mapping(values, "solved_on")
    _mapping(values, "provenance")
    return Calibrator(**values)


def _feature(told: Any, where: str) -> FeatureWeight:
    if not isinstance(told, Mapping):
        raise _wrong(f"{where} is no object")
    _check_names(told, FeatureWeight, where)
    if not isinstance(told["name"], str) or not isinstance(told["version"], int | str):
        raise _wrong(f"{where}: 'name' should be text, and 'version' a number or text")
    values: dict[str, Any] = {"name": told["name"], "version": told["version"]}
    for name in ("centre", "scale", "weight"):
        values[name] = _number(told, name, f"{where}.{name}")
    for name in _OPTIONAL:
        values[name] = None if told[name] is None else _number(told, name, f"{where}.{name}")
    if not values["scale"] > 0:
        raise _wrong(f"{where}.scale is not above 0: {values['scale']!r}")
    return FeatureWeight(**values)


def _check_names(told: Mapping[str, Any], kind: type, where: str = "") -> None:
    known = [f.name for f in fields(kind)]
    at = f"{where}: " if where else ""
    for name in told:
        if name not in known:
            raise _wrong(f"{at}unknown field {name!r}.{did_you_mean(str(name), known)}")
    for name in known:
        if name not in told:
            raise _wrong(f"{at}field {name!r} is missing")


def _number(told: Mapping[str, Any], name: str, where: str) -> float:
    value = told[name]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e300:
        raise _wrong(f"{where} should hold a finite number, found {value!r}")
    return float(value)


def _list(told: Mapping[str, Any], name: str) -> Sequence[Any]:
    value = told[name]
    if not isinstance(value, list):
        raise _wrong(f"{name!r} should hold a list, found {type(value).__name__}")
    return value


def _mapping(told: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = told[name]
    if not isinstance(value, Mapping):
        raise _wrong(f"{name!r} should hold an object, found {type(value).__name__}")
    return value


def _wrong(what: str, *, fix: str = "use the file as charm calibrate --style wrote it") -> SchemaError:
    return SchemaError(what, where="calibrator", fix=fix)
