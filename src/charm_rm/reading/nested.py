"""Rows that stand inside of cells: lists of objects, one a policy, in the row of their prompt."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from ..errors import counted
from .names import is_spelling


def with_inner_rows(frame: pl.DataFrame, fields: Sequence[str], notes: list[str]) -> pl.DataFrame:
    """The frame with a row for each object of the first column of lists of objects that name all ``fields``; others stay as they are."""
    for name, dtype in frame.schema.items():
        inner = dtype.inner if isinstance(dtype, pl.List) else None
        if isinstance(inner, pl.Struct) and _name_all(inner, fields):
            notes.append(f"took the objects in {name!r} as rows")
            empty = frame[name].list.len().eq(0).fill_null(False)
            if empty.any():
                notes.append(f"left out {counted(int(empty.sum()), 'row')} with an empty list in {name!r}")
                frame = frame.filter(~empty)
            return with_parts(frame.explode(name), name)
    return frame


def with_parts(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    """The parts of a column of objects as columns, in the place of those that have their names."""
    dtype = frame.schema[name]
    parts = {f.name for f in dtype.fields} if isinstance(dtype, pl.Struct) else set()
    return frame.drop([c for c in frame.columns if c in parts and c != name]).unnest(name)


def _name_all(inner: pl.Struct, fields: Sequence[str]) -> bool:
    return all(any(is_spelling(f.name, field) for f in inner.fields) for field in fields)
