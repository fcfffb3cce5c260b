"""Style control from the votes' own texts: what both sides wrote, counted by the features of responses."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..conversations import ROLES, as_conversation
from ..errors import CharmError, SchemaError
from ..features import FEATURES, Feature
from ..features.measure import measure_raw
from ..tables import Battles

# Where votes keep what was written: one column a side, and whose turns of a conversation count.
_RESPONSES, _CONVERSATIONS = ("response_a", "response_b"), ("conversation_a", "conversation_b")
TEXT_COLUMNS = (*_RESPONSES, *_CONVERSATIONS, "prompt")


def text_columns(columns: Sequence[str], style: Sequence[str]) -> list[str]:
    """The columns of votes that hold the texts to count these styles in: none, where all are counted already."""
    return [c for c in TEXT_COLUMNS if c in columns] if _uncounted(columns, style) else []


def with_style_counts(battles: Battles, style: Sequence[str]) -> Battles:
    """Battles with the columns ``NAME_a``, ``NAME_b`` of every style that is a feature and lacks both: its raw numbers.

    They are counted in ``response_a``, ``response_b`` (text, messages, or the turns of one side as a list), or in the assistant's turns of
    ``conversation_a``, ``conversation_b``; what the user said is in ``prompt``, or in the conversations. Several turns count as one text, a blank
    line between. The versions of the definitions are in the provenance (``style_counts``).

    Raises:
        SchemaError: a battle without a text on one side, or texts that cannot be read; it names row and column.
    """
    frame = battles.frame
    features = [FEATURES[name] for name in _uncounted(frame.columns, style)]
    sides = _sides(frame.columns)
    if not features or sides is None:
        return battles
    added = [
        one for text, side in zip(sides, "ab", strict=True) for one in _counted(frame, text, side, features)
    ]
    versions = {f.name: f.version for f in features}
    return Battles(frame.with_columns(added), provenance={**battles.provenance, "style_counts": versions})


def known_styles(columns: Sequence[str], counted: Sequence[str]) -> list[str]:
    """Names that a style may have here: those ``counted`` in numeric columns, and features, where there are texts."""
    return [*counted, *(FEATURES if _sides(columns) else ())]


def how_to_count(style: str, columns: Sequence[str], counted: Sequence[str]) -> str:
    """What would let a style that is missing be controlled for."""
    if style in FEATURES:
        return (
            f"give the texts to count it in ({' and '.join(_RESPONSES)}, or {' and '.join(_CONVERSATIONS)}), or the numeric columns "
            f"{style}_a and {style}_b"
        )
    features = f"; features of the texts are {', '.join(FEATURES)}" if _sides(columns) else ""
    return f"a style NAME needs the numeric columns NAME_a and NAME_b; found {', '.join(counted) or 'none'}{features}"


# --- details ------------------------------------------------------------------------------------


def _uncounted(columns: Sequence[str], style: Sequence[str]) -> list[str]:
    """Styles that are features, with no column of their numbers."""
    return [
        s
        for s in dict.fromkeys(style)
        if s in FEATURES and f"{s}_a" not in columns and f"{s}_b" not in columns
    ]


def _sides(columns: Sequence[str]) -> tuple[str, str] | None:
    for sides in (_RESPONSES, _CONVERSATIONS):
        if set(sides) <= set(columns):
            return sides
    return None


def _counted(frame: pl.DataFrame, column: str, side: str, features: Sequence[Feature]) -> list[pl.Series]:
    """The raw numbers of one side, ``NAME_a`` or ``NAME_b`` of each feature."""
    response = _texts(frame[column], "assistant")
    needed = any("prompt_words" in f.needs or "prompt" in f.needs for f in features)
    prompt = _asked(frame, column) if needed else pl.repeat("", frame.height, dtype=pl.String, eager=True)
    raw = measure_raw(pl.DataFrame({"prompt": prompt, "response": response}), features)
    return [
        pl.Series(f"{f.name}_{side}", values, dtype=pl.Float64)
        for f, values in zip(features, raw.T, strict=True)
    ]


def _asked(frame: pl.DataFrame, column: str) -> pl.Series:
    if "prompt" in frame.columns:
        return _texts(frame["prompt"], "user")
    if column in _CONVERSATIONS:
        return _texts(frame[column], "user")
    raise SchemaError("battles: there is no column 'prompt', which a style needs", fix="add what was asked")


def _texts(cells: pl.Series, role: str) -> pl.Series:
    """What ``role`` said in each cell: text, turns of its own, or messages, also where these are written as JSON."""
    lost = cells.is_null()
    if lost.any():
        raise _unreadable(cells, int(lost.arg_true()[0]), f"no text ({int(lost.sum())} such rows)")
    if cells.dtype == pl.String:
        if not cells.str.contains(r"^\s*\[").all():
            return cells
        parsed = [_parsed(cell) for cell in cells.to_list()]
        return _joined(cells, parsed, role) if all(_is_turns(value) for value in parsed) else cells
    return _joined(cells, cells.to_list(), role)


def _joined(cells: pl.Series, values: Sequence[Any], role: str) -> pl.Series:
    return pl.Series(
        cells.name, [_said(cells, row, value, role) for row, value in enumerate(values)], dtype=pl.String
    )


def _said(cells: pl.Series, row: int, value: Any, role: str) -> str:
    """Turns as one text. In a list of plain turns a null is a turn that came to nothing."""
    if isinstance(value, str):
        return value
    if not isinstance(value, list):
        raise _unreadable(cells, row, f"neither text nor turns: {value!r:.80}")
    if all(turn is None or isinstance(turn, str) for turn in value):
        return "\n\n".join(turn or "" for turn in value)
    try:
        turns = as_conversation([m for m in value if _speaker(m) == role])
    except CharmError as error:
        raise _unreadable(cells, row, error.what) from error
    if turns is None:
        raise _unreadable(cells, row, f"no turn of the {role}: {value!r:.80}")
    return "\n\n".join(turn["content"] for turn in turns)


def _speaker(message: Any) -> str | None:
    role = (message.get("role") or message.get("from")) if isinstance(message, Mapping) else None
    return ROLES.get(role.casefold(), role) if isinstance(role, str) else None


def _is_turns(value: Any) -> bool:
    """Whether what was written as JSON is turns of one side, or messages; any other list is text that looks so."""
    if not isinstance(value, list):
        return False
    return all(turn is None or isinstance(turn, str) for turn in value) or all(
        isinstance(turn, Mapping) for turn in value
    )


def _parsed(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return None


def _unreadable(cells: pl.Series, row: int, what: str) -> SchemaError:
    return SchemaError(
        f"column {cells.name!r}: {what}",
        where=f"battles, row {row}",
        fix="give text, or messages with role and content, on both sides, or drop these rows",
    )
