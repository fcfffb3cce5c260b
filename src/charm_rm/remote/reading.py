"""Taking numbers out of servers' answers, and texts into their requests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..conversations import labelled_text
from ..errors import ModelError
from ..protocols import Prompt
from .problems import Malformed
from .secret import Secret

LONGEST_NAME = 500


def messages_of(prompt: Prompt, response: str) -> list[dict[str, str]]:
    """The whole conversation as chat messages."""
    turns = [{"role": "user", "content": prompt}] if isinstance(prompt, str) else [dict(m) for m in prompt]
    return [*turns, {"role": "assistant", "content": response}]


def whole_text(prompt: Prompt, response: str) -> str:
    """A conversation as one text: ``User: ...``, blank line, ``Assistant: ...``."""
    return labelled_text(messages_of(prompt, response))


def in_order(data: Any, n: int) -> list[Mapping[str, Any]]:
    """``data``'s ``n`` items by their ``index``.

    Raises:
        Malformed: too few, too many, twice the same, without a number or with something else for one (``"0"``, 0.0, true), or no
            such list at all.
    """
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        raise Malformed("the answer holds no list of results")
    if len(data) != n:
        raise Malformed(f"{len(data)} results for {n} texts")
    places = {item["index"]: item for item in data if type(item.get("index")) is int}
    if places.keys() != set(range(n)):
        raise Malformed(f"the results' index does not number them from 0 to {n - 1}")
    return [places[i] for i in range(n)]


def one_number(values: Any, *, what: str, where: str) -> float:
    """The one number in a list of one; NaN and infinities pass, for the caller to name the row.

    Raises:
        ModelError: there are several: a classifier, not a reward model.
        Malformed: it is no list of numbers.
    """
    if isinstance(values, list) and len(values) > 1:
        raise ModelError(
            f"{what} gives {len(values)} numbers per text; a reward model has one output",
            where=where,
            fix="serve a model with one output",
        )
    return number(values[0] if isinstance(values, list) and values else None, what=what)


def number(value: Any, *, what: str) -> float:
    """A number; JSON's null, which some servers send for NaN, is NaN, and a whole number beyond all floats infinite.

    Raises:
        Malformed: it is none.
    """
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Malformed(f"{what} gives something that is no number")
    return as_float(value)


def as_float(value: float) -> float:
    """The number as a float; JSON's whole numbers may lie beyond all of them, and are infinite then."""
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def name_in(value: Any, *, otherwise: str, secret: Secret) -> str:
    """A server's name for something, fit to be shown and kept; ``otherwise`` says that there is none.

    Raises:
        Malformed: it is no text, empty, longer than :data:`LONGEST_NAME`, holds hidden characters, or the key.
    """
    if not isinstance(value, str) or not value:
        raise Malformed(otherwise)
    if len(value) > LONGEST_NAME or not value.isprintable():
        raise Malformed(f"{otherwise} in words that can be shown")
    if secret.gives_away(value):
        raise Malformed(f"{otherwise} but by the key")
    return value
