"""Values of one JSON column -> a series: exact, or refused with line or item."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import polars as pl

from ..conversations import as_conversation, is_conversation
from ..errors import CharmError, SchemaError
from ..tables.schema import NUMBER, TRUTH, WHOLE, Column
from .columns import CONVERSATIONS, TEXTS
from .names import is_name_or_id, is_talk

Place = Callable[[int], str]
_LARGEST = sys.float_info.max
# Columns that tell rows apart or say who won: of one kind throughout, or refused.
_KEYS = frozenset(
    [
        "prompt_id",
        "policy",
        "reference",
        "policy_a",
        "policy_b",
        "model_a",
        "model_b",
        "winner",
        "model",
        "question_id",
    ]
)


def json_series(
    name: str,
    values: list[Any],
    place: Place,
    *,
    declared: Column | None = None,
    as_text: bool = False,
    unread: bool = False,
) -> pl.Series:
    """One column of JSON.

    - Prompts and responses: text as it is, conversations as messages; where a column holds both it has dtype Object.
    - Names and ids: text; whole numbers as their exact digits.
    - Numbers of a declared column: finite; text that is a number counts as one.
    - Anything else as it is; kinds that fit no one column, as JSON text.

    ``unread``: conversations that cannot be read (a part is an image) stay as they are, for the reader to leave out and count; their
    column has dtype Object.

    Raises:
        SchemaError: with line or item and column.
    """
    may_talk = name in CONVERSATIONS or is_talk(name) or as_text
    if may_talk:
        values = [
            _conversation(name, v, i, place, unread=unread) if isinstance(v, list) else v
            for i, v in enumerate(values)
        ]
        if unread and has_unread(values):
            return pl.Series(name, values, dtype=pl.Object)
    kinds = {type(v) for v in values} - {type(None)}
    if (
        declared is not None
        and declared.kind in (NUMBER, WHOLE, TRUTH)
        and not (kinds and kinds <= {list, dict})
    ):
        values = _numbers(name, values, kinds, place, declared)
        kinds = {type(v) for v in values} - {type(None)}
    elif (
        (name in TEXTS or as_text or is_name_or_id(name))
        and int in kinds
        and kinds <= {int, str}
        and name not in CONVERSATIONS
    ):
        return _exact_text(name, values, place)
    elif (name in _KEYS or (is_name_or_id(name) and not may_talk)) and len(kinds) > 1:
        raise _mixed(name, values, place)
    return _series(name, values, kinds, may_talk=may_talk)


def _series(name: str, values: list[Any], kinds: set[type], *, may_talk: bool) -> pl.Series:
    if kinds <= {str}:
        return pl.Series(name, values, dtype=pl.String)
    if kinds == {bool}:
        return pl.Series(name, values, dtype=pl.Boolean)
    if kinds == {int} and all(v is None or -(2**63) <= v < 2**63 for v in values):
        return pl.Series(name, values, dtype=pl.Int64)
    if kinds == {int}:
        return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)
    if kinds <= {int, float} and not any(isinstance(v, int) and abs(v) > _LARGEST for v in values):
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
    if kinds == {list, str} and may_talk:
        return pl.Series(name, values, dtype=pl.Object)
    if kinds <= {list, dict}:
        try:
            return pl.DataFrame([{name: v} for v in values], infer_schema_length=None)[name]
        except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
            pass
    texts = [v if v is None or isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
    return pl.Series(name, texts, dtype=pl.String)


def has_unread(values: Sequence[Any]) -> bool:
    """Whether some list of messages is no conversation of text."""
    lists = (v for v in values if isinstance(v, list) and any(isinstance(m, dict) for m in v))
    return not all(map(is_conversation, lists))


def _conversation(name: str, value: list[Any], index: int, place: Place, *, unread: bool) -> Any:
    try:
        return as_conversation(value) or value
    except CharmError as error:
        if unread:
            return value
        error.where = f"{place(index)}, column {name!r}"
        raise


def _exact_text(name: str, values: Sequence[Any], place: Place) -> pl.Series:
    """Whole numbers as their digits; refused where text says the same (zeros before it aside), as nobody knows whether both are one."""
    texts = {v.strip().lstrip("0") or "0": v for v in values if isinstance(v, str)}  # `007` may be the 7
    for index, value in enumerate(values):
        if isinstance(value, int) and str(value) in texts:
            raise SchemaError(
                f"column {name!r} holds both the number {value} and the text {texts[str(value)]!r}",
                where=place(index),
                fix="write every id as text",
            )
    return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)


def _numbers(name: str, values: list[Any], kinds: set[type], place: Place, column: Column) -> list[Any]:
    if str in kinds and column.kind != TRUTH:
        values = [_number(name, v, i, place) if isinstance(v, str) else v for i, v in enumerate(values)]
    wrong = {
        dict,
        list,
        *([bool] if column.kind != TRUTH else []),
        *([str] if column.kind == TRUTH and len(kinds) > 1 else []),
    }
    for index, value in enumerate(values):
        if type(value) in wrong:
            raise SchemaError(
                f"column {name!r} should hold a {column.kind}, found {value!r:.60}",
                where=place(index),
                fix=f"write a {column.kind}, or null where there is none",
            )
        if isinstance(value, int) and abs(value) > _LARGEST:
            raise SchemaError(
                f"{name} is beyond what a number can hold: {str(value)[:20]}... ({len(str(abs(value)))} digits)",
                where=f"{place(index)}, column {name!r}",
                fix="correct or drop these rows",
            )
        if isinstance(value, float) and column.finite and not math.isfinite(value):
            raise SchemaError(
                f"{name} is not finite: {value!r}",
                where=f"{place(index)}, column {name!r}",
                fix="correct or drop these rows",
            )
    return values


def _number(name: str, text: str, index: int, place: Place) -> float | int | None:
    """A number written as text, as it stands or not at all."""
    for kind in (int, float):
        try:
            if "_" not in text:
                return kind(text)
        except ValueError:
            continue
    raise SchemaError(
        f"column {name!r} should hold a number, found {text!r}",
        where=place(index),
        fix="write numbers with a decimal point and no thousands separators",
    )


def _mixed(name: str, values: Sequence[Any], place: Place) -> SchemaError:
    first = next(i for i, v in enumerate(values) if v is not None)
    other = next(i for i, v in enumerate(values) if v is not None and type(v) is not type(values[first]))
    return SchemaError(
        f"column {name!r} holds {values[first]!r:.40} first and {values[other]!r:.40} here",
        where=place(other),
        fix="write every name and id as text",
    )
