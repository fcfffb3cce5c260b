"""Reading a configuration file: YAML in, a validated :class:`Config` out, errors that name key and line.

Pydantic checks the types; bounds are checked by the settings themselves, in the same words as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ..errors import BadSetting, ConfigError, did_you_mean
from ..paths import expanded
from ..settings import Settings, settings_of
from ..spec_options import JUDGE_OPTIONS, POLICY_OPTIONS, SCORER_OPTIONS
from ..store import TABLE_FILES
from .config import Config
from .yaml_files import Location, dotted, key_lines, read_yaml

S = TypeVar("S", bound=Settings)
_KINDS = {*SCORER_OPTIONS, *JUDGE_OPTIONS, *POLICY_OPTIONS} - {""}


def load_config(path: str | Path) -> Config:
    """Read and check a configuration; relative paths become relative to its folder.

    Raises:
        UnreadableFile: no such file, or not UTF-8.
        ConfigError: not YAML, an unknown or repeated key, a wrong value. The message names key and line.
    """
    path = Path(path)
    node, values = read_yaml(path)
    lines = key_lines(node, where=str(path))
    return check_config(values, where=str(path), lines=lines, folder=path.parent)


def check_config(
    values: Any, *, where: str = "config", lines: Mapping[Location, int] | None = None, folder: Path = Path()
) -> Config:
    """Check plain values against the configuration's schema; ``folder`` is what relative paths start from."""
    if not isinstance(values, dict):
        raise ConfigError("a mapping of sections was expected", where=where, fix="start from: charm init")
    values = _resolved(_as_today(values), folder.resolve(), Config)
    try:
        config: Config = _adapter(Config).validate_python(values)
    except ValidationError as error:
        raise _first_problem(error, where=where, lines=lines or {}) from error
    return config


def load_entries(
    path: str | Path, cls: type[S], *, key: str, defaults: Mapping[str, Any]
) -> list[tuple[S, frozenset[str]]]:
    """Read a file that lists things of one kind under ``key``, each with settings ``cls``; ``defaults`` are for what one leaves out.

    Returns:
        Each entry, and the names of what it says itself.

    Raises:
        UnreadableFile, ConfigError: as :func:`load_config`.
    """
    path = Path(path)
    node, values = read_yaml(path)
    lines = key_lines(node, where=str(path))
    entries = values.get(key) if isinstance(values, dict) and set(values) == {key} else None
    if not isinstance(entries, list) or not entries or not all(isinstance(one, dict) for one in entries):
        raise ConfigError(
            f"a list under the one key {key!r} was expected, of mappings with the settings of each",
            where=str(path),
            fix=f"write {key}: and then, for each, - name: ... with its settings indented below",
        )
    found, checked = [], _adapter(cls)  # type: ignore[arg-type]  # a class is hashable, whatever its instances are
    for i, entry in enumerate(entries):
        at = {place[2:]: line for place, line in lines.items() if place[:2] == (key, i) and len(place) > 2}
        at[()] = lines.get((key, i), 1)
        resolved = _resolved(entry, path.parent.resolve(), cls)
        try:
            found.append((checked.validate_python({**defaults, **resolved}), frozenset(map(str, entry))))
        except ValidationError as error:
            raise _first_problem(error, where=str(path), lines=at, root=cls) from error
    return found


@cache
def _adapter(cls: Any) -> TypeAdapter[Any]:
    return TypeAdapter(cls)


def plain_schema() -> dict[str, Any]:
    """Keys, types and defaults of :class:`Config` as a JSON schema; :mod:`.schema` adds what pydantic does not know."""
    return _adapter(Config).json_schema()


def _as_today(values: Mapping[str, Any]) -> dict[str, Any]:
    """Keys as earlier versions had them: `audit.unrated` is `ratings.unrated`, and `rm.device: null` is `auto`."""
    today = {key: dict(value) if isinstance(value, Mapping) else value for key, value in values.items()}
    audit, rm = today.get("audit"), today.get("rm")
    ratings = today.get("ratings", {})
    if isinstance(audit, dict) and "unrated" in audit and isinstance(ratings, dict):
        today["ratings"] = {"unrated": audit.pop("unrated"), **ratings}
    if isinstance(rm, dict) and "device" in rm and rm["device"] is None:
        del rm["device"]
    return today


# --- paths --------------------------------------------------------------------------------------


def _resolved(values: Mapping[str, Any], folder: Path, cls: type[Settings]) -> dict[str, Any]:
    """Make the paths absolute; what may be an id instead is a path only where that exists."""
    known = {one.name: one for one in settings_of(cls)}
    resolved = dict(values)
    for key, value in values.items():
        one = known.get(key)
        inner = section_type(cls, key)
        if inner is not None and isinstance(value, Mapping):
            resolved[key] = _resolved(value, folder, inner)
        elif one is not None and one.items is not None and isinstance(value, list):
            resolved[key] = [_resolved(v, folder, one.items) if isinstance(v, Mapping) else v for v in value]
        elif one is not None and one.bounds.path == "path" and isinstance(value, str):
            resolved[key] = str(folder / expanded(value))
        elif one is not None and one.bounds.path == "path or id":
            several = isinstance(value, list)
            resolved[key] = [_path_or_id(v, folder) for v in value] if several else _path_or_id(value, folder)
    return resolved


def _path_or_id(value: Any, folder: Path) -> Any:
    if not isinstance(value, str):
        return value
    path = folder / expanded(value)
    looks_like_a_path = value.startswith((".", "/", "~")) or Path(value).suffix in TABLE_FILES
    if path.exists() or looks_like_a_path:
        return str(path)
    return _spec_of_paths(value, folder)


def _spec_of_paths(spec: str, folder: Path) -> str:
    """A spec with the paths in it made absolute where they are there: ``FILE:CATEGORY@DATE``, ``KIND:FOLDER``, ``dpo:FOLDER,FOLDER``, ``NAME=SPEC``.

    What a kind is called stands for the kind, whatever lies beside the configuration under that name.
    """
    head, colon, rest = spec.partition(":")
    name, equals, kind = head.rpartition("=")
    if not colon or "://" in spec:
        return spec

    def placed(text: str) -> str:
        path = folder / expanded(text)
        return str(path) if text and path.exists() else text

    if kind not in _KINDS and placed(head) != head:
        return f"{placed(head)}:{rest}"
    return f"{name}{equals}{kind}:{','.join(map(placed, rest.split(',')))}"


# --- what went wrong ----------------------------------------------------------------------------


def _first_problem(
    error: ValidationError, *, where: str, lines: Mapping[Location, int], root: type[Settings] = Config
) -> ConfigError:
    """The first problem as one readable error; how many more there are is said."""
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["type"] == _UNKNOWN), problems[0])
    location = _in_file(first, lines)
    line = next((lines[location[:i]] for i in range(len(location), -1, -1) if location[:i] in lines), None)
    what, fix = _describe(first, location, root)
    if more := len(problems) - 1:
        what += f" (and {more} more problem{'s' if more > 1 else ''})"
    return ConfigError(what, where=f"{where}, line {line}" if line else where, fix=fix)


_UNKNOWN = "unexpected_keyword_argument"


def _in_file(problem: ErrorDetails, lines: Mapping[Location, int]) -> Location:
    """The problem's location without the tags that pydantic adds for unions, which are in no file."""
    bad = _bad_setting(problem)
    parts = (*problem["loc"], *(bad.setting.split(".") if bad and bad.setting else ()))
    kept: Location = ()
    for part in parts:
        if (*kept, part) in lines:
            kept = (*kept, part)
    if problem["type"] == "missing" or not (kept or bad):
        kept = (*kept, problem["loc"][-1]) if problem["loc"] else ()
    return kept


def _bad_setting(problem: ErrorDetails) -> BadSetting | None:
    error = problem.get("ctx", {}).get("error")
    return error if isinstance(error, BadSetting) else None


def _describe(problem: ErrorDetails, location: Location, root: type[Settings]) -> tuple[str, str]:
    name = dotted(location)
    hint = "see the comments that `charm init` writes" if root is Config else "see `charm generate --help`"
    if bad := _bad_setting(problem):
        section = dotted(problem["loc"])
        return f"{section}: {bad.what}" if section else bad.what, bad.fix or hint
    if problem["type"] == _UNKNOWN:
        known = _keys_at(location[:-1], root)
        return (
            f"unknown key {name!r}.{did_you_mean(str(location[-1]), known)}",
            f"known here: {', '.join(known)}",
        )
    if problem["type"] == "missing":
        return f"key {name!r} is missing", "add it; `charm init` writes a template with every key"
    if problem["type"] == "tuple_type":
        return (
            f"{name} is {problem['input']!r}: one value, and a list is wanted",
            f"write a list: {location[-1]}: [...]",
        )
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    return f"{name} is {problem['input']!r}: {message}", hint


def _keys_at(location: Location, root: type[Settings]) -> list[str]:
    cls = root
    for part in location:
        known = {one.name: one for one in settings_of(cls)}.get(str(part))
        cls = section_type(cls, str(part)) or (known and known.items) or cls
    return [one.name for one in settings_of(cls)]


def section_type(cls: type[Settings], key: str) -> type[Settings] | None:
    """The section that ``key`` of ``cls`` holds, or ``None`` where it holds a plain value."""
    kind = next((one.kind for one in settings_of(cls) if one.name == key), None)
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None
