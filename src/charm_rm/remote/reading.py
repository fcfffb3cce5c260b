"""Taking numbers out of servers' answers, and texts into their requests."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ..conversations import labelled_text
from ..errors import ModelError
from ..protocols import Prompt
from .problems import Malformed


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
        Malformed: too few, too many, twice the same, or no such list at all.
    """
    if not isinstance(data, list) or not all(isinstance(item, Mapping) for item in data):
        raise Malformed("the answer holds no list of results")
    places = {item.get("index", position): item for position, item in enumerate(data)}
    if len(data) != n or set(places) != set(range(n)):
        raise Malformed(f"{len(data)} results (numbers {listing_of(places)}) for {n} texts")
    return [places[i] for i in range(n)]


def listing_of(places: Mapping[Any, Any]) -> str:
    """The first few keys, short."""
    shown = [str(key)[:8] for key in list(places)[:5]]
    return ", ".join(shown) + (" ..." if len(places) > len(shown) else "")


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
            mend="serve a model with one output",
        )
    return number(values[0] if isinstance(values, list) and values else None, what=what)


def number(value: Any, *, what: str) -> float:
    """A number; JSON's null, which some servers send for NaN, is NaN.

    Raises:
        Malformed: it is none.
    """
    if value is None:
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise Malformed(f"{what} gives something that is no number")
    return float(value)
