"""YAML as it is written: plain values are text or null, every key knows its line, and no few bytes become very many."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ..errors import ConfigError, UnreadableFile, first_line
from ..reading.files import read_text

Location = tuple[str | int, ...]


class _AsWritten(yaml.SafeLoader):
    """Plain values are the text that the file says, or null; what they mean is the setting's to say.

    YAML by itself would make a date of a policy called 2024-05-13, 1.1 of version 1.10, false of `no`, and 8 of seed 010.
    """

    yaml_implicit_resolvers = {  # noqa: RUF012 (as the base class has it)
        first: [r for r in resolvers if r[0] in ("tag:yaml.org,2002:null", "tag:yaml.org,2002:merge")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


def read_yaml(path: Path) -> tuple[yaml.Node | None, Any]:
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


def key_lines(node: yaml.Node | None, *, where: str, at: Location = ()) -> dict[Location, int]:
    """Line of every key, by its location; a repeated key is an error (YAML would keep the last silently)."""
    found: dict[Location, int] = {}
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            location, line = (*at, str(key.value)), key.start_mark.line + 1
            if location in found:
                raise ConfigError(
                    f"key {dotted(location)!r} is there twice (first in line {found[location]})",
                    where=f"{where}, line {line}",
                    fix="keep one of them",
                )
            found[location] = line
            found |= key_lines(value, where=where, at=location)
    elif isinstance(node, yaml.SequenceNode):
        for i, value in enumerate(node.value):
            found[(*at, i)] = value.start_mark.line + 1
            found |= key_lines(value, where=where, at=(*at, i))
    return found


def dotted(location: Location) -> str:
    """``audit.draws``."""
    return ".".join(str(x) for x in location)
