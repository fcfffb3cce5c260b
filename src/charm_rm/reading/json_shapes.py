"""The rows of a JSON document, in the shapes that programs write tables in.

=====================  ============================================================================================
shape                  example
=====================  ============================================================================================
rows                   ``[{"prompt_id": "p", "score": 1}]``
columns                ``{"prompt_id": ["p"], "score": [1]}``; pandas: ``{"prompt_id": {"0": "p"}, "score": {"0": 1}}``
split                  ``{"columns": ["prompt_id", "score"], "data": [["p", 1]]}``
wrapped                ``{"results": [{...}]}``, or any other key beside what is no table
rows by their index    ``{"0": {"prompt_id": "p", "score": 1}}``
rows by policy         ``{"oak": [{"prompt_id": "p", "score": 1}]}``
scores by both         ``{"oak": {"p": 1}}``: what there are more of inside are prompts
=====================  ============================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import SchemaError, UnreadableFile, counted, listing
from .names import is_known, is_spelling

_WRAPPERS = frozenset(
    ["results", "result", "data", "rows", "records", "items", "scores", "samples", "outputs", "examples", "table"]
)  # fmt: skip
Row = dict[str, Any]


def rows_of(document: Any, path: Path) -> tuple[list[Any], str]:
    """The rows, and a note on where they were, empty for a list of rows and for an object of equally long lists.

    Raises:
        UnreadableFile: the document is of none of these shapes.
        SchemaError: rows of a shape that do not fit together.
    """
    if isinstance(document, list):
        return document, ""
    if not isinstance(document, dict):
        raise UnreadableFile(
            f"holds {kind(document)}; a table is a list of objects",
            where=str(path),
            fix="write a list of objects",
        )
    if {"columns", "data"} <= set(document) and _are(document["data"], list):
        return _of_split(document, path), "read 'columns' and 'data' as a table"
    if (inner := _wrapped(document)) is not None:
        rows, note = rows_of(document[inner], path)
        return rows, f"took the rows of {inner!r}" + (f", {note}" if note else "")
    values = list(document.values())
    if _are(values, list) and len({len(v) for v in values}) == 1 and not _are_rows(values):
        return [dict(zip(document, row, strict=True)) for row in zip(*values, strict=True)], ""
    if _are_rows(values):
        return _by_policy(document, path)
    if _are(values, dict):
        return _of_objects(document, path)
    raise UnreadableFile(
        "holds one object; a table is a list of objects, or an object of equally long lists",
        where=str(path),
        fix="write a list of objects (pandas: orient='records'), or one object a line in a .jsonl file",
    )


def kind(value: Any) -> str:
    """What a JSON value is, in words."""
    names = {dict: "an object", list: "a list", str: "text", bool: "true/false", type(None): "null"}
    return names.get(type(value), "a number")


# --- details ------------------------------------------------------------------------------------


def _are(values: Any, what: type) -> bool:
    return isinstance(values, list) and bool(values) and all(isinstance(v, what) for v in values)


def _are_rows(values: Sequence[Any]) -> bool:
    """Whether they are lists of objects, as rows are (messages of conversations, with roles, are none)."""
    return bool(values) and all(_are(v, dict) and not {"role", "content"} <= set(v[0]) for v in values)


def _wrapped(document: Mapping[str, Any]) -> str | None:
    """The key under which the table is: the only one that holds rows, or one of the usual words beside what is no table."""
    rows = [k for k, v in document.items() if _are_rows([v])]
    if len(rows) == 1 and (len(document) > 1 or rows[0].casefold() in _WRAPPERS):
        others = [v for k, v in document.items() if k != rows[0]]
        return rows[0] if not any(isinstance(v, list) for v in others) else None
    usual = [k for k, v in document.items() if k.casefold() in _WRAPPERS and isinstance(v, dict) and v]
    beside = [v for k, v in document.items() if k not in usual]
    return usual[0] if len(usual) == 1 and not any(isinstance(v, list | dict) and v for v in beside) else None


def _of_split(document: Mapping[str, Any], path: Path) -> list[Row]:
    """pandas' ``orient='split'``; an index that is no count of rows is kept as one more column."""
    columns, data = document["columns"], document["data"]
    if not _are(columns, str) or any(len(row) != len(columns) for row in data):
        raise SchemaError(
            "'columns' does not name the cells of every row of 'data'",
            where=str(path),
            fix="write a list of objects",
        )
    rows = [dict(zip(columns, row, strict=True)) for row in data]
    index: Any = document.get("index")
    return _labelled(index, rows) if _are(index, str) and len(index) == len(rows) else rows


def _labelled(index: Sequence[str], rows: Sequence[Row]) -> list[Row]:
    """Rows with their labels as ``index``, where nothing in them names a prompt."""
    if any(is_spelling(c, "prompt_id") or is_spelling(c, "prompt") for row in rows for c in row):
        return list(rows)
    return [{"index": name, **row} for name, row in zip(index, rows, strict=True)]


def _by_policy(document: Mapping[str, Any], path: Path) -> tuple[list[Row], str]:
    """Lists of rows under the names of policies."""
    if twice := [k for k, rows in document.items() if any(_names_a_policy(r) for r in rows)]:
        raise SchemaError(
            f"several lists of rows, {listing(document)}, and those of {twice[0]!r} name policies of their own",
            where=str(path),
            fix="keep the list that is meant, or write one list of objects",
        )
    rows = [{"policy": name, **row} for name, rows in document.items() for row in rows]
    return rows, f"read the keys {listing(document)} as policies"


def _names_a_policy(row: Mapping[str, Any]) -> bool:
    return any(is_spelling(c, "policy") for c in row)


def _of_objects(document: Mapping[str, Any], path: Path) -> tuple[list[Row], str]:
    """Objects in an object: columns of cells, rows, or scores by policy and prompt."""
    keys = list(dict.fromkeys(k for v in document.values() for k in v))
    if sum(is_known(k) for k in document) > 1:  # pandas' to_json()
        return [{name: cells.get(k) for name, cells in document.items()} for k in keys], ""
    if sum(is_known(k) for k in keys) > 1:
        return _labelled(list(document), list(document.values())), "took the objects' values as rows"
    cells = [c for v in document.values() for c in v.values()]
    if not all(c is None or (isinstance(c, int | float) and not isinstance(c, bool)) for c in cells):
        raise UnreadableFile(
            "holds objects in an object, and their names are of no table that is known",
            where=str(path),
            fix="write a list of objects (pandas: orient='records')",
        )
    outer, inner = ("policies", "prompts") if len(keys) >= len(document) else ("prompts", "policies")
    note = f"read the outer keys as {outer}, {listing(document, limit=3)}, the inner ones as {inner}, {listing(keys, limit=3)}"
    long = [
        {"policy": a, "prompt_id": b, "score": c}
        if outer == "policies"
        else {"policy": b, "prompt_id": a, "score": c}
        for a, row in document.items()
        for b, c in row.items()
        if c is not None
    ]
    if empty := len(cells) - len(long):
        note += f", left out {counted(empty, 'score that is null', 'scores that are null')}"
    return long, note
