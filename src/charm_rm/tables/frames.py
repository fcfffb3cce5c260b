"""Tables as people hold them in Python -> Polars frames: nothing rewritten in silence, no other library needed.

Taken are Polars frames (lazy ones are collected), pandas frames, everything with the Arrow stream interface (PyArrow tables,
DuckDB relations, narwhals ...) or the dataframe interchange protocol, ``datasets.Dataset``, mappings of columns and lists of
rows. Who they are is told by the members they have: none of these libraries is imported.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

import numpy as np
import polars as pl

from ..errors import CharmError, CharmWarning, SchemaError, first_line, listing
from ..shown import Shown
from .columns import array_column, column, list_column


class ArrowStream(Protocol):
    """What hands out its columns by the Arrow PyCapsule interface."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


# pandas frames and `datasets` are of no type here; they have the members that are asked for.
TableLike: TypeAlias = (
    pl.DataFrame | pl.LazyFrame | ArrowStream | Mapping[str, Any] | Sequence[Mapping[str, Any]]
)

_TAKEN = (
    "give a pandas or Polars frame, an Arrow table, a datasets.Dataset, a mapping of columns to lists, "
    "or a list of mappings, one a row"
)
_UNNAMED_INDEX = re.compile(r"__index_level_\d+__")


def as_frame(data: Any, *, noun: str = "table") -> pl.DataFrame:
    """A table of any kind as a Polars frame; ``noun`` is what messages call it.

    Missing values of pandas (NaN, NA, NaT) are null; a named index of pandas is columns, an unnamed one is left out (where it
    holds text, with a warning).

    Raises:
        SchemaError: no table, columns of several kinds or lengths, or columns that cannot be told apart.
    """
    if isinstance(data, pl.DataFrame):
        return data
    try:
        return _converted(data, noun)
    except CharmError:
        raise
    except Exception as error:  # another library's frame, in whatever state it is
        raise SchemaError(
            f"{noun}: {_kind(data)} cannot be read as a table: {first_line(error)}", fix=_TAKEN
        ) from error


def _converted(data: Any, noun: str) -> pl.DataFrame:
    if isinstance(data, Shown):  # what it knows beside its rows would be lost
        raise SchemaError(
            f"{noun}: {_kind(data)} is a result of charm's own",
            fix="give the table that is meant, or its .frame",
        )
    if isinstance(data, pl.LazyFrame):
        return data.collect()
    if _is_of(data, "narwhals"):
        return as_frame(data.to_native(), noun=noun)
    if _is_of(data, "pandas"):
        return _from_pandas(data, noun)
    if _is_of(data, "datasets"):
        return _from_datasets(data, noun)
    if isinstance(data, Mapping):
        return _from_columns(data, noun)
    if isinstance(data, list | tuple):
        return _from_rows(data, noun)
    if hasattr(data, "__arrow_c_stream__") and not isinstance(data, pl.Series):
        return _without_unnamed_index(pl.DataFrame(data))
    if hasattr(data, "__dataframe__"):
        return pl.from_dataframe(data)
    raise SchemaError(f"{noun}: {_kind(data)} is no table", fix=_TAKEN)


# --- mappings and rows --------------------------------------------------------------------------


def _from_columns(data: Mapping[Any, Any], noun: str) -> pl.DataFrame:
    _refuse_labels(list(data), noun)
    return _stacked([_any_column(name, values, noun) for name, values in data.items()], noun)


def _from_rows(rows: Sequence[Any], noun: str) -> pl.DataFrame:
    """Rows as mappings; a key that a row lacks is null there."""
    for row, value in enumerate(rows):
        if not isinstance(value, Mapping):
            raise SchemaError(
                f"{noun}: row {row} is {_kind(value)}, no mapping of columns to values", fix=_TAKEN
            )
    names = list(dict.fromkeys(name for row in rows for name in row))
    _refuse_labels(names, noun)
    return _stacked([list_column(n, [row.get(n) for row in rows], noun=noun) for n in names], noun)


def _any_column(name: str, values: Any, noun: str) -> pl.Series:
    return _pandas_column(name, values, noun) if _is_of(values, "pandas") else column(name, values, noun=noun)


def _stacked(columns: Sequence[pl.Series], noun: str) -> pl.DataFrame:
    lengths = {series.name: series.len() for series in columns}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"{name!r} {length}" for name, length in list(lengths.items())[:6])
        raise SchemaError(
            f"{noun}: the columns are of different lengths: {shown}", fix="give every column one value a row"
        )
    return pl.DataFrame(list(columns))


def _refuse_labels(names: Sequence[Any], noun: str) -> None:
    """Columns are told by their names: text, each once."""
    for name in names:
        if not isinstance(name, str):
            levels = " (an index of several levels)" if isinstance(name, tuple) else ""
            raise SchemaError(
                f"{noun}: {name!r} is no text and names a column{levels}",
                fix="rename the columns: prompt_id, policy, score ...",
            )
    if twice := sorted({name for name in names if list(names).count(name) > 1}):
        raise SchemaError(f"{noun}: several columns are called {listing(twice)}", fix="keep one of each name")


# --- pandas -------------------------------------------------------------------------------------


def _from_pandas(data: Any, noun: str) -> pl.DataFrame:
    if not hasattr(data, "columns"):
        raise SchemaError(
            f"{noun}: {_kind(data)} is one column, a table is needed",
            fix="name its index and make both columns: series.rename_axis('policy').rename('rating').reset_index()",
        )
    names = list(data.columns)
    _refuse_labels(names, noun)
    columns = [_pandas_column(name, data[name], noun) for name in names]
    return _stacked([*_of_index(data.index, columns, noun), *columns], noun)


def _pandas_column(name: str, values: Any, noun: str) -> pl.Series:
    """The values of a pandas series as they are; what pandas counts as missing is null."""
    if isinstance(values.dtype, np.dtype) and values.dtype.kind in "biufM":
        series = array_column(name, values.to_numpy(), noun=noun)
        return series.fill_nan(None) if series.dtype.is_float() else series
    missing = np.asarray(values.isna())
    told = [None if gone else value for value, gone in zip(values.tolist(), missing, strict=True)]
    return list_column(name, told, noun=noun)


def _of_index(index: Any, columns: Sequence[pl.Series], noun: str) -> Iterator[pl.Series]:
    """Named levels of an index as columns."""
    known = {series.name: series for series in columns}
    for level, name in enumerate(index.names):
        values = index.get_level_values(level)
        if name is None:
            _tell_of_text(values, noun)
            continue
        _refuse_labels([name], noun)
        series = _pandas_column(name, values, noun)
        if name not in known:
            yield series
        elif not series.equals(known[name]):
            raise SchemaError(
                f"{noun}: the index and a column are both called {name!r}, and differ",
                fix="rename one of them, or drop the index: frame.reset_index(drop=True)",
            )


def _tell_of_text(values: Any, noun: str) -> None:
    """An index of row numbers says nothing; names in one without a name would be lost."""
    if getattr(values.dtype, "kind", "O") in "biuf" or not len(values):
        return
    warnings.warn(
        f"{noun}: the index has no name and is left out; it begins with {values[0]!r:.40} "
        "(names in it become a column by frame.rename_axis('policy').reset_index())",
        CharmWarning,
        stacklevel=7,
    )


# --- others -------------------------------------------------------------------------------------


def _from_datasets(data: Any, noun: str) -> pl.DataFrame:
    """The rows that the data set shows, in its order; names of classes in place of their numbers."""
    if isinstance(data, Mapping):
        if len(data) != 1:
            raise SchemaError(
                f"{noun}: a DatasetDict of the splits {listing(data)}", fix="give one of them: data['train']"
            )
        return as_frame(next(iter(data.values())), noun=noun)
    if not hasattr(data, "to_polars") or not hasattr(data, "num_rows"):
        raise SchemaError(
            f"{noun}: {_kind(data)} is a stream with no end that could be known",
            fix="load it without streaming, or give list(data)",
        )
    if (data.format or {}).get("type") == "custom":
        raise SchemaError(
            f"{noun}: the data set has a transform that its stored rows do not show",
            fix="apply it with .map(), or leave it out with .reset_format()",
        )
    frame: pl.DataFrame = data.to_polars()
    named = {n: f.names for n, f in data.features.items() if hasattr(f, "names") and hasattr(f, "int2str")}
    return frame.with_columns(_class_names(frame[n], names) for n, names in named.items())


def _class_names(numbers: pl.Series, names: Sequence[str]) -> pl.Series:
    """A ClassLabel's numbers as its names; -1, which stands for none, is null."""
    told = dict(enumerate(names))
    return pl.Series(numbers.name, [told.get(n) for n in numbers.to_list()], dtype=pl.String)


def _without_unnamed_index(frame: pl.DataFrame) -> pl.DataFrame:
    """Row numbers that pandas wrote as a column."""
    extra = [c for c, t in frame.schema.items() if _UNNAMED_INDEX.fullmatch(c) and t.is_integer()]
    return frame.drop(extra)


def _is_of(data: object, library: str) -> bool:
    """Whether an object is of a library, by where its class or one of its bases is defined."""
    return any(kind.__module__.partition(".")[0] == library for kind in type(data).__mro__)


def _kind(data: object) -> str:
    kind = type(data)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    return f"a {name}" + (f" ({data!r:.60})" if isinstance(data, str | int | float) else "")
