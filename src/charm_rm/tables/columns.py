"""One column of Python values -> a Polars series: exactly what was given, or an error that names column and rows.

Nothing is converted to fit: a whole number among texts, a truth among numbers, a whole number that no float holds are errors.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..errors import SchemaError

_MESSAGE = pl.Struct({"role": pl.String, "content": pl.String})
_EXACT = 2**53  # every whole number up to here is a float of the same value
_KINDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (bool, "true/false"),
    (int, "whole numbers"),
    (float, "numbers"),
    (str, "text"),
    (bytes, "bytes"),
    ((list, tuple, dict, np.ndarray), "lists or mappings"),
)
Kinds = dict[str, int]  # what a column holds, and the first row of each


def column(name: str, values: Any, *, noun: str) -> pl.Series:
    """A series of one column's values: a list, a tuple, a one-dimensional array, or a series of another library.

    Raises:
        SchemaError: the values are of several kinds, not one-dimensional, or no sequence at all.
    """
    if isinstance(values, pl.Series):
        return values.alias(name)
    if isinstance(values, np.ndarray):
        return array_column(name, values, noun=noun)
    if hasattr(values, "__arrow_c_stream__") or hasattr(values, "__arrow_c_array__"):
        return pl.Series(name, values)
    if hasattr(values, "__array__"):
        return array_column(name, np.asarray(values), noun=noun)
    if isinstance(values, Sequence) and not isinstance(values, str | bytes):
        return list_column(name, list(values), noun=noun)
    raise SchemaError(
        f"{noun}: column {name!r} is no list of values but {_shown(values)}",
        fix="give every column as a list or an array, one value a row",
    )


def array_column(name: str, array: np.ndarray, *, noun: str) -> pl.Series:
    """A series of a NumPy array; NaN stays NaN."""
    if array.ndim != 1:
        raise SchemaError(
            f"{noun}: column {name!r} has {array.ndim} dimensions (shape {array.shape})",
            fix="give one value a row",
        )
    if array.dtype.kind in "biu":
        return pl.Series(name, array)
    if array.dtype.kind == "f" and array.dtype.itemsize <= 8:
        return pl.Series(name, array.astype(np.float64))
    if array.dtype.kind == "M" and np.datetime_data(array.dtype)[0] in ("s", "ms", "us", "ns"):
        array = array.astype("datetime64[us]") if np.datetime_data(array.dtype)[0] == "s" else array
        return pl.Series(name, array)
    return list_column(name, array.tolist(), noun=noun)


def list_column(name: str, values: list[Any], *, noun: str) -> pl.Series:
    """A series of Python values, ``None`` where one is missing; whole numbers beyond 64 bits are their digits."""
    values = [v.item() if isinstance(v, np.generic) else v for v in values]
    kinds = _kinds_of(values)
    if len(kinds) > 1:
        return _of_several(name, values, kinds, noun)
    kind = next(iter(kinds), "text")
    if kind == "text":
        return _text(name, values, noun)
    if kind == "whole numbers":
        return _whole(name, values)
    if kind == "lists or mappings":
        return _nested(name, values, noun)
    dtype = {"true/false": pl.Boolean, "numbers": pl.Float64, "bytes": pl.Binary}.get(kind)
    return _made(name, values, dtype, noun)


def _kinds_of(values: Sequence[Any]) -> Kinds:
    """The kinds of the values in words, with the first row of each; missing values have none."""
    first: dict[type, int] = {}
    for row, value in enumerate(values):
        if type(value) not in first:
            first[type(value)] = row
    found: Kinds = {}
    for kind, row in first.items():
        if kind is not type(None):
            found.setdefault(_word(kind), row)
    return found


def _word(kind: type) -> str:
    return next((word for known, word in _KINDS if issubclass(kind, known)), kind.__name__)


def _of_several(name: str, values: list[Any], kinds: Kinds, noun: str) -> pl.Series:
    """Whole numbers among numbers, where each is exact as one, and texts among conversations; all else is refused."""
    if set(kinds) == {"whole numbers", "numbers"} and all(
        abs(v) <= _EXACT for v in values if isinstance(v, int)
    ):
        return pl.Series(name, [None if v is None else float(v) for v in values], dtype=pl.Float64)
    if set(kinds) == {"text", "lists or mappings"}:
        plain = [_plain(v) for v in values]
        if all(v is None or isinstance(v, str) or _are_mappings(v) for v in plain):
            return pl.Series(name, plain, dtype=pl.Object)
    (one, row), (other, later) = sorted(kinds.items(), key=lambda item: item[1])[:2]
    raise SchemaError(
        f"column {name!r} holds {one} ({_shown(values[row])} in row {row}) and {other} ({_shown(values[later])} in row {later})",
        where=f"{noun}, row {later}",
        fix="make all its values of one kind, None where there is none; ids and names as the text they were written as "
        "(pandas: read the file with dtype=str for that column)",
    )


def _text(name: str, values: list[Any], noun: str) -> pl.Series:
    try:
        return pl.Series(name, values, dtype=pl.String)
    except UnicodeEncodeError as error:
        row = next(i for i, v in enumerate(values) if v is not None and not _is_whole_text(v))
        raise SchemaError(
            f"column {name!r} holds half a character (a lone surrogate) in {_shown(values[row])}",
            where=f"{noun}, row {row}",
            fix="drop the row, or replace it: text.encode('utf-8', 'replace').decode()",
        ) from error


def _is_whole_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(name: str, values: list[Any]) -> pl.Series:
    told = [v for v in values if v is not None]
    for low, high, dtype in ((-(2**63), 2**63, pl.Int64), (0, 2**64, pl.UInt64)):
        if all(low <= v < high for v in told):
            return pl.Series(name, values, dtype=dtype)
    return pl.Series(name, [None if v is None else str(v) for v in values], dtype=pl.String)


def _nested(name: str, values: list[Any], noun: str) -> pl.Series:
    """Messages as messages; other lists and mappings where Polars gives back what it was given."""
    plain = [_plain(v) for v in values]
    if all(v is None or (_are_mappings(v) and all(_is_message(m) for m in v)) for v in plain):
        return pl.Series(name, plain, dtype=pl.List(_MESSAGE))
    if all(v is None or _are_mappings(v) for v in plain):
        return pl.Series(
            name, plain, dtype=pl.Object
        )  # conversations in words of others: read by who knows them
    try:
        series = pl.DataFrame([{name: v} for v in plain], infer_schema_length=None)[name]
        if series.to_list() == plain:
            return series
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError):
        pass
    raise SchemaError(
        f"column {name!r} holds lists or mappings of different shapes, which no column of a table keeps as they are",
        where=noun,
        fix="drop the column, or write its values as text (json.dumps)",
    )


def _made(
    name: str, values: list[Any], dtype: pl.DataType | type[pl.DataType] | None, noun: str
) -> pl.Series:
    """A series of values of one kind: known to Polars, such as dates, or refused."""
    try:
        series = pl.Series(name, values, dtype=dtype)
    except (pl.exceptions.PolarsError, TypeError, ValueError, OverflowError) as error:
        raise _unknown(name, values, noun) from error
    if series.dtype == pl.Object or not _known(series.dtype):
        raise _unknown(name, values, noun)
    return series


def _known(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype.is_temporal() or dtype in (pl.String, pl.Boolean, pl.Binary, pl.Null)


def _unknown(name: str, values: Sequence[Any], noun: str) -> SchemaError:
    row = next(i for i, v in enumerate(values) if v is not None)
    return SchemaError(
        f"column {name!r} holds {type(values[row]).__name__} objects ({_shown(values[row])})",
        where=f"{noun}, row {row}",
        fix="write them as text or numbers",
    )


def _plain(value: Any) -> Any:
    """Arrays and tuples as lists, at every depth: what Parquet files become in pandas."""
    if isinstance(value, np.ndarray | list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value.item() if isinstance(value, np.generic) else value


def _are_mappings(value: Any) -> bool:
    return isinstance(value, list) and len(value) > 0 and all(isinstance(m, Mapping) for m in value)


def _is_message(value: Mapping[str, Any]) -> bool:
    return set(value) == {"role", "content"} and all(isinstance(v, str) for v in value.values())


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 40 else f"{text[:40]}..."


__all__ = ["array_column", "column", "list_column"]
