"""The columns of a file that judgements are made of, under the names that their layouts know."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import polars as pl

from ..errors import ReadingNote, SchemaError
from ..reading import json_series
from ..reading.columns import CONVERSATIONS
from ..reading.names import folded
from ..store import column_names, kind_of, read_frame, read_json, read_json_lines
from .checks import numbered
from .grades import USED as USED_IN_GRADES
from .grades import grade_columns
from .layouts import LAYOUTS, MEASURES, layout_of, of_several_kinds
from .layouts import USED as USED_IN_LAYOUTS
from .pair_rows import OUTCOMES
from .whose import JUDGES

USED = USED_IN_LAYOUTS | USED_IN_GRADES | set(JUDGES)
NOTHING: Mapping[str, str] = MappingProxyType({})


def read_rows(path: Path, given: Mapping[str, str] = NOTHING) -> pl.DataFrame | None:
    """The columns of a file that matter to judgements of pairs or grades; None where its columns are of no known layout.

    Args:
        path: a table in any of the kinds that are read. JSON is read row by row: raw completions differ in shape from row to row and
            fit no table.
        given: fields whose column somebody told (``--column``). Every other column counts in any case and punctuation.
    """
    kind = kind_of(path)
    if kind in ("json", "jsonl"):
        return _of_json(read_json(path) if kind == "json" else read_json_lines(path), path, given)
    names = known_names(column_names(path), given)
    if not is_known(names.values()):
        return None
    texts = [column for column, name in names.items() if name in OUTCOMES or column != name]
    return in_known_names(read_frame(path, texts=texts), given, where=str(path))


def in_known_names(frame: pl.DataFrame, given: Mapping[str, str] = NOTHING, *, where: str) -> pl.DataFrame:
    """The columns that matter, renamed; what was renamed without being told to is said."""
    names = known_names(frame.columns, given)
    _say(names, given, where)
    return frame.select([pl.col(column).alias(name) for column, name in names.items()])


def known_names(columns: Iterable[str], given: Mapping[str, str] = NOTHING) -> dict[str, str]:
    """Column -> the name that layouts know, for the columns that matter: as told, else its own, else its own folded.

    Where the column of the outcome is told, no other is one.
    """
    there = list(columns)
    names = {column: field for field, column in given.items() if column in there}
    known = USED - set(OUTCOMES) if set(OUTCOMES) & set(names.values()) else USED
    for fold in (str, folded):
        for column in there:
            name = fold(column)
            if column not in names and name in known and name not in names.values():
                names[column] = name
    return {column: names[column] for column in there if column in names}


def is_known(columns: Iterable[str]) -> bool:
    """Whether columns are those of judgements of pairs or grades."""
    names = set(columns)
    return layout_of(names) is not None or grade_columns(names) is not None


def with_numbers(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """:func:`~.checks.numbered`, with columns of several kinds as they are."""
    return numbered(frame, where, but=of_several_kinds(layout_of(frame.columns)))


def no_layout(path: Path) -> SchemaError:
    """The error for a file whose columns are of no layout."""
    layouts = "; ".join(f"{name}: {', '.join(columns)}" for name, columns in LAYOUTS.items())
    return SchemaError(
        "its columns are of no known layout of judgements",
        where=str(path),
        fix=f"{layouts} and one of {', '.join(MEASURES)}",
    )


def _say(names: Mapping[str, str], given: Mapping[str, str], where: str) -> None:
    words = [
        f"{column!r} as {name}" for column, name in names.items() if column != name and name not in given
    ]
    if words:
        warnings.warn(f"{where}: read {', '.join(words)}", ReadingNote, stacklevel=5)


# --- JSON -----------------------------------------------------------------------------------------


def _of_json(rows: Any, path: Path, given: Mapping[str, str]) -> pl.DataFrame | None:
    """The columns of interest of JSON rows; None where the file holds something else."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return None
    names = known_names({name: None for row in rows for name in row}, given)
    if not is_known(names.values()):
        return None
    _say(names, given, str(path))
    return pl.DataFrame(
        [_series(name, [row.get(column) for row in rows], path) for column, name in names.items()]
    )


def _series(name: str, values: list[Any], path: Path) -> pl.Series:
    """Numbers as numbers, games with their scores alone (as text), prompts as they are, everything else as text."""
    told = [v for v in values if v is not None]
    if name in CONVERSATIONS:
        return json_series(name, values, lambda index: f"{path}: judgements, row {index}")
    if all(isinstance(v, list) and all(g is None or isinstance(g, dict) for g in v) for v in told):
        return pl.Series(name, [v and [g and {"score": _text(g.get("score"))} for g in v] for v in values])
    if any(isinstance(v, list | dict | bool) for v in told):
        return pl.Series(name, [_text(v) for v in values], dtype=pl.String)
    return json_series(name, values, lambda index: f"{path}: judgements, row {index}")


def _text(value: Any) -> str | None:
    """Text as it is, of MT-Bench's judge (model and prompt) the model, anything else as JSON."""
    if value is None or isinstance(value, str):
        return value
    return str(value[0]) if isinstance(value, list) and value else json.dumps(value)
