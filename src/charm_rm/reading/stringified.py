"""Messages that were written as text, as a table of text must: read as JSON, never evaluated as Python."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from typing import Any

import polars as pl

from ..conversations import as_conversation
from ..errors import CharmError, SchemaError
from .columns import CONVERSATIONS
from .json_columns import has_unread
from .names import is_talk, spellings

_LISTS = r"^\s*\["
_WRITTEN_MESSAGES = re.compile(r"""\s*\[\s*\{\s*['"](?:role|content|from|value)['"]\s*:""")
_WRITTEN_TEXT = re.compile(r"\s*\[\s*'.*'\s*,?\s*\]\s*", re.DOTALL)
_RESPONSES = frozenset(name for tier in spellings("response") for name in tier)
_MEND = "write JSON (json.dumps), or keep the lists in a Parquet or JSONL file"


def with_messages(
    frame: pl.DataFrame, *, untyped: bool, texts: Collection[str] = (), unread: bool = False
) -> pl.DataFrame:
    """Cells of prompts and responses that are JSON messages, or lists of one text, as such; ``texts``: columns that were told to hold such.

    In a file that knows text alone (``untyped``: CSV) every cell of messages is read, and lists of one text where a whole column
    is; in any other file only a column whose every cell is a list of messages, as text there may mean text. ``unread``: messages that
    cannot be read (a part is an image) stay lists as they are, for the reader to leave out and count.

    Raises:
        SchemaError: messages or lists as Python prints them; with row and column.
    """
    for name in [c for c in frame.columns if c in CONVERSATIONS or is_talk(c) or c in texts]:
        if frame[name].dtype == pl.String and frame[name].str.contains(_LISTS).any():
            cells = frame[name].to_list()
            values = (
                _untyped_column(name, cells, told=name in texts, unread=unread)
                if untyped
                else _typed_column(cells)
            )
            if values is not None:
                frame = frame.with_columns(_column(name, values))
    return frame


def _untyped_column(name: str, cells: list[str | None], *, told: bool, unread: bool) -> list[Any] | None:
    values = [_messages(name, c, row, unread=unread) for row, c in enumerate(cells)]
    some = [c for c in cells if c is not None]
    may_be_listed = name not in _RESPONSES and not told  # a list may be what a response says
    if may_be_listed and all(_one_text(c) is not None for c in some):
        return [None if c is None else _one_text(c) for c in cells]
    if may_be_listed and all(_WRITTEN_TEXT.fullmatch(c) for c in some):
        raise _printed(name, some[0], cells.index(some[0]))
    return values if any(isinstance(v, list) for v in values) else None


def _typed_column(cells: list[str | None]) -> list[Any] | None:
    values = [None if c is None else (_parsed(c) if c.lstrip().startswith("[") else None) for c in cells]
    lists = [as_conversation(v) if isinstance(v, list) else None for v in values]
    return lists if all(m is not None for m, c in zip(lists, cells, strict=True) if c is not None) else None


def _messages(name: str, cell: str | None, row: int, *, unread: bool) -> Any:
    """The messages of a cell, or the cell."""
    if cell is None or not cell.lstrip().startswith("["):
        return cell
    value = _parsed(cell)
    try:
        messages = as_conversation(value) if isinstance(value, list) else None
    except CharmError as error:
        if unread:
            return value
        error.where = f"row {row}, column {name!r}"
        raise
    if messages is None and _WRITTEN_MESSAGES.match(cell):
        raise _printed(name, cell, row)
    return cell if messages is None else messages


def _one_text(cell: str) -> str | None:
    value = _parsed(cell) if cell.lstrip().startswith("[") else None
    return value[0] if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str) else None


def _parsed(cell: str) -> Any:
    try:
        return json.loads(cell)
    except (ValueError, RecursionError):
        return None


def _column(name: str, values: list[Any]) -> pl.Series:
    kinds = {type(v) for v in values} - {type(None)}
    if kinds == {list, str} or has_unread(values):
        return pl.Series(name, values, dtype=pl.Object)
    return pl.Series(name, values)


def _printed(name: str, cell: str, row: int) -> SchemaError:
    return SchemaError(
        f"a list as a program prints it, not JSON: {cell[:60]!r}",
        where=f"row {row}, column {name!r}",
        fix=_MEND,
    )
