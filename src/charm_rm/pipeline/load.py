"""Reading a configuration file: YAML in, a validated :class:`Config` out, errors that name key and line.

Pydantic checks the types; bounds are checked by the settings themselves, in the same words as everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import TypeAdapter, ValidationError
from pydantic_core import ErrorDetails

from ..errors import BadSetting, ConfigError, UnreadableFile, did_you_mean, first_line
from ..paths import expanded
from ..reading.files import read_text
from ..settings import Settings, settings_of
from ..store import TABLE_FILES
from .config import Config

_Location = tuple[str | int, ...]


def load_config(path: str | Path) -> Config:
    """Read and check a configuration; relative paths become relative to its folder.

    Raises:
        UnreadableFile: no such file, or not UTF-8.
        ConfigError: not YAML, an unknown or repeated key, a wrong value. The message names key and line.
    """
    path = Path(path)
    node, values = _read_yaml(path)
    lines = _lines(node, where=str(path))
    return check_config(values, where=str(path), lines=lines, folder=path.parent)


def check_config(
    values: Any, *, where: str = "config", lines: Mapping[_Location, int] | None = None, folder: Path = Path()
) -> Config:
    """Check plain values against the configuration's schema; ``folder`` is what relative paths start from."""
    if not isinstance(values, dict):
        raise ConfigError("a mapping of sections was expected", where=where, fix="start from: charm init")
    values = _resolved(_as_today(values), folder.resolve(), Config)
    try:
        config: Config = _adapter().validate_python(values)
    except ValidationError as error:
        raise _first_problem(error, where=where, lines=lines or {}) from error
    return config


@cache
def _adapter() -> TypeAdapter[Any]:
    return TypeAdapter(Config)


def plain_schema() -> dict[str, Any]:
    """Keys, types and defaults of :class:`Config` as a JSON schema; :mod:`.schema` adds what pydantic does not know."""
    return _adapter().json_schema()


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
    """A spec with the paths in it made absolute where they are there: ``FILE:CATEGORY@DATE``, ``KIND:FOLDER``, ``dpo:FOLDER,FOLDER``."""
    head, colon, rest = spec.partition(":")
    if not colon or "://" in spec:
        return spec

    def placed(name: str) -> str:
        path = folder / expanded(name)
        return str(path) if name and path.exists() else name

    if placed(head) != head:
        return f"{placed(head)}:{rest}"
    return f"{head}:{','.join(map(placed, rest.split(',')))}"


# --- YAML ---------------------------------------------------------------------------------------


class _AsWritten(yaml.SafeLoader):
    """Plain values are the text that the file says, or null; what they mean is the setting's to say.

    YAML by itself would make a date of a policy called 2024-05-13, 1.1 of version 1.10, false of `no`, and 8 of seed 010.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (as the base class has it)
        first: [r for r in resolvers if r[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def _read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
    """The document as nodes, which know their lines, and as plain values."""
    if not path.exists():
        raise UnreadableFile("no such file", where=str(path), fix="write one with: charm init")
    text = read_text(path, most=_LONGEST_YAML)
    try:
        node = yaml.compose(text, Loader=_AsWritten)
        _refuse_explosion(node, where=str(path))
        return node, yaml.load(text, Loader=_AsWritten)
    except RecursionError as error:
        raise ConfigError("is nested too deep", where=str(path), fix="start from: charm init") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f", line {mark.line + 1}" if mark else ""
        raise ConfigError(
            f"is not valid YAML: {getattr(error, 'problem', None) or error}",
            where=f"{path}{line}",
            fix="check indentation, colons and quotes there",
        ) from error
    except (ValueError, ArithmeticError, LookupError, TypeError, AttributeError) as error:
        # A date, a number or a truth that is none, by its look or its tag: PyYAML lets through whatever its parts raise.
        raise ConfigError(
            f"holds a value that cannot be read: {first_line(error)}",
            where=str(path),
            fix="put it in quotes, or leave its tag out",
        ) from error


# Far above what a configuration needs; aliases count as often as they are used.
_LONGEST_YAML, _MOST_VALUES, _DEEPEST = 4 * 2**20, 200_000, 30


def _refuse_explosion(root: yaml.Node | None, *, where: str) -> None:
    """Refuse what a few bytes of aliases blow up, contain themselves in, or nest without end, and halves of characters.

    Raises:
        ConfigError: with the line.
    """
    sizes: dict[int, int] = {}
    open_nodes: set[int] = set()

    def size(node: yaml.Node, depth: int) -> int:
        line = f"{where}, line {node.start_mark.line + 1}"
        if id(node) in open_nodes:
            raise ConfigError("an alias that contains itself", where=line, fix="write the value out")
        if depth > _DEEPEST:
            raise ConfigError(
                f"is nested more than {_DEEPEST} deep", where=line, fix="start from: charm init"
            )
        if id(node) not in sizes:
            if isinstance(node, yaml.ScalarNode) and any("\ud800" <= c <= "\udfff" for c in node.value):
                raise ConfigError("half of a character (a lone surrogate)", where=line, fix="write it out")
            open_nodes.add(id(node))
            sizes[id(node)] = 1 + sum(size(part, depth + 1) for part in _parts_of(node))
            open_nodes.discard(id(node))
        if sizes[id(node)] > _MOST_VALUES:
            words = f"holds more than {_MOST_VALUES:,} values once its aliases are written out"
            raise ConfigError(words, where=line, fix="write the values out")
        return sizes[id(node)]

    if root is not None:
        size(root, 0)


def _parts_of(node: yaml.Node) -> list[yaml.Node]:
    if isinstance(node, yaml.MappingNode):
        return [part for pair in node.value for part in pair]
    return list(node.value) if isinstance(node, yaml.SequenceNode) else []


def _lines(node: yaml.Node | None, *, where: str, at: _Location = ()) -> dict[_Location, int]:
    """Line of every key, by its location; a repeated key is an error (YAML would keep the last silently)."""
    found: dict[_Location, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            location, line = (*at, str(key.value)), key.start_mark.line + 1
            if location in found:
                raise ConfigError(
                    f"key {_dotted(location)!r} is there twice (first in line {found[location]})",
                    where=f"{where}, line {line}",
                    fix="keep one of them",
                )
            found[location] = line
            found |= _lines(value, where=where, at=location)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            found[(*at, i)] = value.start_mark.line + 1
    return found


# --- what went wrong ----------------------------------------------------------------------------


def _first_problem(error: ValidationError, *, where: str, lines: Mapping[_Location, int]) -> ConfigError:
    """The first problem as one readable error; how many more there are is said."""
    problems = error.errors(include_url=False)
    first = next((p for p in problems if p["type"] == _UNKNOWN), problems[0])
    location = _in_file(first, lines)
    line = next((lines[location[:i]] for i in range(len(location), 0, -1) if location[:i] in lines), None)
    what, fix = _describe(first, location)
    if more := len(problems) - 1:
        what += f" (and {more} more problem{'s' if more > 1 else ''})"
    return ConfigError(what, where=f"{where}, line {line}" if line else where, fix=fix)


_UNKNOWN = "unexpected_keyword_argument"


def _in_file(problem: ErrorDetails, lines: Mapping[_Location, int]) -> _Location:
    """The problem's location without the tags that pydantic adds for unions, which are in no file."""
    bad = _bad_setting(problem)
    parts = (*problem["loc"], *(bad.setting.split(".") if bad and bad.setting else ()))
    kept: _Location = ()
    for part in parts:
        if (*kept, part) in lines:
            kept = (*kept, part)
    if problem["type"] == "missing" or not (kept or bad):
        kept = (*kept, problem["loc"][-1]) if problem["loc"] else ()
    return kept


def _bad_setting(problem: ErrorDetails) -> BadSetting | None:
    error = problem.get("ctx", {}).get("error")
    return error if isinstance(error, BadSetting) else None


def _describe(problem: ErrorDetails, location: _Location) -> tuple[str, str]:
    name, hint = _dotted(location), "see the comments that `charm init` writes"
    if bad := _bad_setting(problem):
        section = _dotted(problem["loc"])
        return f"{section}: {bad.what}" if section else bad.what, bad.fix or hint
    if problem["type"] == _UNKNOWN:
        known = _keys_at(location[:-1])
        return (
            f"unknown key {name!r}.{did_you_mean(str(location[-1]), known)}",
            f"known here: {', '.join(known)}",
        )
    if problem["type"] == "missing":
        return f"key {name!r} is missing", "add it; `charm init` writes a template with every key"
    message = problem["msg"][:1].lower() + problem["msg"][1:]
    return f"{name} is {problem['input']!r}: {message}", hint


def _keys_at(location: _Location) -> list[str]:
    cls: type[Settings] = Config
    for part in location:
        cls = section_type(cls, str(part)) or cls
    return [one.name for one in settings_of(cls)]


def section_type(cls: type[Settings], key: str) -> type[Settings] | None:
    """The section that ``key`` of ``cls`` holds, or ``None`` where it holds a plain value."""
    kind = next((one.kind for one in settings_of(cls) if one.name == key), None)
    return kind if isinstance(kind, type) and issubclass(kind, Settings) else None


def _dotted(location: _Location) -> str:
    return ".".join(str(x) for x in location)
