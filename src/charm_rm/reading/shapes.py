"""Whether a JSON value has the shape that its reader counts on: checked once, where it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import UnreadableFile

NUMBER = (int, float)
_WORDS = {dict: "an object", list: "a list", str: "text", bool: "true or false", int: "a whole number", float: "a number", type(None): "null"}  # fmt: skip


@dataclass(frozen=True)
class Maybe:
    """A shape that may be missing, or null."""

    shape: Any


def check_shape(value: Any, shape: Any, *, where: str) -> None:
    """Refuse a value of another shape.

    Args:
        value: what JSON holds.
        shape: a class or a tuple of classes; a list of one shape (of all its rows); or a mapping of keys to shapes, each needed unless
            it is :class:`Maybe`, with any others beside them.
        where: the file, for messages.

    Raises:
        UnreadableFile: with the place in the document, such as ``summary.effect[2].value``.
    """
    if problem := _problem(value, shape, ""):
        raise UnreadableFile(
            f"is damaged, or of another version of charm: {problem}",
            where=where,
            fix="run what wrote it again",
        )


def _problem(value: Any, shape: Any, at: str) -> str | None:
    """The first part that does not fit, in words."""
    if isinstance(shape, Maybe):
        return None if value is None else _problem(value, shape.shape, at)
    if isinstance(shape, Mapping) and isinstance(value, Mapping):
        parts = [(f"{at}.{k}" if at else k, value.get(k), part) for k, part in shape.items()]
    elif isinstance(shape, list) and isinstance(value, list):
        parts = [(f"{at}[{i}]", one, shape[0]) for i, one in enumerate(value)]
    else:
        kinds = (
            shape
            if isinstance(shape, tuple)
            else (type(shape) if isinstance(shape, list | Mapping) else shape,)
        )
        if type(value) in kinds:
            return None
        wanted = " or ".join(dict.fromkeys(_WORDS.get(kind, "an object") for kind in kinds))
        return f"{at or 'the document'} should be {wanted}, found {str(value)[:40]!r}"
    return next((found for name, one, part in parts if (found := _problem(one, part, name))), None)
