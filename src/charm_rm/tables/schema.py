"""What a noun is: a frozen Polars frame whose schema and invariants are checked once, when it is made.

A verb that receives a noun trusts it. ``provenance`` is a plain mapping (verb, settings, solver, warnings)
that travels with the table into its Parquet metadata.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import polars as pl

from ..errors import CharmWarning, SchemaError, did_you_mean, first_line, listing
from ..shown import Summarised
from .frames import as_frame

TEXT, NUMBER, WHOLE, TRUTH, ANY = "text", "number", "whole number", "true/false", "any"
_DTYPES = {TEXT: pl.String, NUMBER: pl.Float64, WHOLE: pl.Int64, TRUTH: pl.Boolean}
# Beside whole numbers and decimals, what can be text: bytes are the text that some writers do not mark as such.
_WRITTEN = (pl.String, pl.Binary, pl.Categorical, pl.Enum, pl.Date, pl.Datetime, pl.Null)
_PAYLOAD_KEY = "charm_rm"
_LONGEST = 80
_HOW = {
    NUMBER: ", with a decimal point and no thousands separators",
    WHOLE: ", with no thousands separators",
    TEXT: "; an id that became a float on its way (pandas: 7 as 7.0) is read exactly with dtype=str",
}


@dataclass(frozen=True)
class Column:
    """One column of a noun.

    ``nullable`` allows missing values; numbers must be finite unless ``finite`` is off; ``low`` and
    ``high`` bound them (inclusive).
    """

    name: str
    kind: str = NUMBER
    required: bool = True
    nullable: bool = False
    finite: bool = True
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Table(Summarised):
    """Base of the nouns: a validated frame and how it came about.

    Made of a Polars frame, or of any other table that :func:`.frames.as_frame` takes (pandas, Arrow, ``datasets``, columns, rows).

    Raises:
        SchemaError: a column is missing or of the wrong kind, a value is null, NaN, infinite or out of
            range, or the key is not unique. The message names column, row and fix.
    """

    frame: pl.DataFrame
    provenance: Mapping[str, Any] = field(default_factory=dict)

    noun: ClassVar[str] = "table"
    columns: ClassVar[tuple[Column, ...]] = ()
    key: ClassVar[tuple[str, ...]] = ()
    keeps_extra_columns: ClassVar[bool] = False
    may_be_empty: ClassVar[bool] = False

    def __post_init__(self) -> None:
        frame = as_frame(self.frame, noun=self.noun)
        object.__setattr__(self, "frame", _validated(type(self), frame))

    def __len__(self) -> int:
        return self.frame.height

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows for other libraries (Arrow's PyCapsule interface): ``pyarrow.table(scores)``, ``polars.DataFrame(scores)``, DuckDB."""
        return self.frame.__arrow_c_stream__(requested_schema)

    @property
    def policies(self) -> list[str]:
        """Every policy the table names, sorted."""
        names = [c for c in ("policy", "reference", "policy_a", "policy_b") if c in self.frame.columns]
        return sorted(set().union(*(self.frame[c].unique().to_list() for c in names)) - {None})

    @classmethod
    def dtypes(cls) -> dict[str, type[pl.DataType]]:
        """The type of each column that has one, those that may be left out among them: the schema of a frame of such rows."""
        return {column.name: _DTYPES[column.kind] for column in cls.columns if column.kind != ANY}

    def with_all_columns(self) -> pl.DataFrame:
        """The frame with every column that may be left out, null where it is."""
        absent = {name: kind for name, kind in self.dtypes().items() if name not in self.frame.columns}
        return self.frame.with_columns(pl.lit(None, dtype=kind).alias(name) for name, kind in absent.items())

    def payload(self) -> dict[str, Any]:
        """What the table holds beside its frame, as JSON-able values (stored in Parquet metadata)."""
        return {"noun": self.noun, "provenance": dict(self.provenance)}

    @classmethod
    def restore(cls, frame: pl.DataFrame, payload: Mapping[str, Any]) -> Self:
        """Rebuild from a frame and what :meth:`payload` gave; an empty payload is allowed."""
        return cls(frame, provenance=payload.get("provenance", {}))

    def metadata(self) -> dict[str, str]:
        """The payload as Parquet key-value metadata."""
        return {_PAYLOAD_KEY: json.dumps(self.payload(), default=_jsonable)}


def read_payload(metadata: Mapping[str, str]) -> dict[str, Any]:
    """Return the payload kept in a Parquet file's key-value metadata (empty where there is none).

    Raises:
        SchemaError: it is not what a noun writes there.
    """
    try:
        payload = json.loads(metadata.get(_PAYLOAD_KEY, "{}"))
    except (ValueError, RecursionError) as error:
        raise damaged_metadata(first_line(error)) from error
    if not isinstance(payload, dict) or not isinstance(payload.get("provenance", {}), dict):
        raise damaged_metadata("no object with a provenance")
    return payload


def damaged_metadata(why: str) -> SchemaError:
    """The error for a file whose table can be read, and what charm keeps beside it cannot."""
    return SchemaError(
        f"the metadata {_PAYLOAD_KEY!r} of this Parquet file are damaged: {why}",
        fix="write the file again; a CSV or JSONL file of its rows has no metadata",
    )


# --- validation ---------------------------------------------------------------------------------


def _validated(noun: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    frame = _select(noun, frame)
    if frame.height == 0 and not noun.may_be_empty:
        raise SchemaError(f"{noun.noun}: the table has no rows", fix="check the stage that wrote it")
    kinds = {c.name: c.kind for c in noun.columns if c.kind != ANY}
    frame = with_kinds(frame, kinds, noun=noun.noun)
    _check_rows(noun, frame)
    return frame


def _select(noun: type[Table], frame: pl.DataFrame) -> pl.DataFrame:
    """Check the column names; drop what the noun has no place for, saying so."""
    known = [c.name for c in noun.columns]
    missing = [c.name for c in noun.columns if c.required and c.name not in frame.columns]
    extra = [c for c in frame.columns if c not in known]
    if missing:
        hint = did_you_mean(missing[0], extra)
        raise SchemaError(
            f"{noun.noun}: column {listing(missing)} is missing; found {listing(frame.columns, limit=12)}.{hint}",
            fix=f"rename or add it; {noun.noun} needs {', '.join(c.name for c in noun.columns if c.required)}",
        )
    if noun.keeps_extra_columns or not extra:
        return frame
    for name in extra:
        if hint := did_you_mean(name, [k for k in known if k not in frame.columns]):
            raise SchemaError(f"{noun.noun}: unknown column {name!r}.{hint}", fix="rename or drop it")
    warnings.warn(f"{noun.noun}: ignored unknown column {listing(extra)}", CharmWarning, stacklevel=5)
    return frame.drop(extra)


def with_kinds(frame: pl.DataFrame, kinds: Mapping[str, str], *, noun: str) -> pl.DataFrame:
    """The frame with those of the columns ``kinds`` that it has as their kinds (:data:`TEXT`, :data:`NUMBER` ...).

    For tables in the layouts of other tools: what comes after may rely on four types. ``noun`` is what messages call the table.

    Raises:
        SchemaError: a value is of another kind; with row and column.
    """
    schema = frame.schema
    others = [name for name in kinds if name in schema and schema[name] != _DTYPES[kinds[name]]]
    return frame.with_columns([_cast(frame[name], kinds[name], noun) for name in others]) if others else frame


def _cast(series: pl.Series, kind: str, noun: str) -> pl.Series:
    if series.null_count() == series.len():
        return pl.Series(series.name, [None] * series.len(), dtype=_DTYPES[kind])
    if not _may_become(series.dtype, kind):
        raise _wrong_kind(noun, series, kind, row=int(series.is_not_null().arg_true()[0]))
    cast, told = _converted(series, kind)
    changed = cast.is_null() & told
    if changed.any():
        raise _wrong_kind(noun, series, kind, row=int(changed.arg_true()[0]))
    return cast


def _may_become(dtype: pl.DataType, kind: str) -> bool:
    """Whether values of a type can be of a kind at all: floats and truths are no ids, dates no numbers, lists neither."""
    if dtype.is_nested() or dtype == pl.Object:
        return False
    if kind == TEXT:
        return dtype.is_integer() or dtype.is_decimal() or dtype in _WRITTEN
    return dtype.is_numeric() or dtype in (pl.String, pl.Null, pl.Categorical, pl.Enum)


def _converted(series: pl.Series, kind: str) -> tuple[pl.Series, pl.Series]:
    """The values as a kind, null where one is not of it, and which were told at all."""
    told = series.is_not_null()
    if kind == TEXT:
        return _as_text(series), told
    if series.dtype in (pl.String, pl.Categorical, pl.Enum):
        return _from_text(series.cast(pl.String), kind)
    cast = series.cast(_DTYPES[kind], strict=False)
    if kind != NUMBER and series.dtype.is_numeric():  # 0.5 is no whole number, 2 is no truth
        cast = cast.set(cast.cast(pl.Float64) != series.cast(pl.Float64), None)
    return cast, told


def _as_text(series: pl.Series) -> pl.Series:
    """Whole numbers as their digits, moments at midnight as their day, bytes as the UTF-8 that they are; null where they are none."""
    if series.dtype == pl.Binary:
        return pl.Series(series.name, [_decoded(v) for v in series.to_list()], dtype=pl.String)
    if isinstance(series.dtype, pl.Datetime) and (series == series.dt.truncate("1d")).all():
        series = series.dt.date()
    return series.cast(pl.String, strict=False)


def _decoded(value: bytes | None) -> str | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return None


def _from_text(series: pl.Series, kind: str) -> tuple[pl.Series, pl.Series]:
    """Text that says a number or a truth; nothing but white space is missing."""
    cast = series.cast(pl.Float64, strict=False)
    if kind == NUMBER and cast.null_count() == series.null_count():
        return cast, series.is_not_null()
    text = series.str.strip_chars()
    told = (text != "").fill_null(False)
    if kind == TRUTH:
        words = {"true": True, "1": True, "false": False, "0": False}
        return text.str.to_lowercase().replace_strict(words, default=None, return_dtype=pl.Boolean), told
    numbers = text.cast(pl.Float64, strict=False)
    if kind == NUMBER:
        return numbers, told
    whole = numbers.cast(pl.Int64, strict=False)
    exact = text.cast(pl.Int64, strict=False)  # beyond 2^53, too
    return exact.fill_null(whole.set((numbers != numbers.floor()).fill_null(True), None)), told


def _wrong_kind(noun: str, series: pl.Series, kind: str, *, row: int) -> SchemaError:
    return SchemaError(
        f"column {series.name!r} should hold a {kind}, found {_short(series[row])} ({_short(series.dtype)})",
        where=f"{noun}, row {row}",
        fix=f"convert the column to {kind}" + _HOW.get(kind, ""),
    )


def _short(value: Any) -> str:
    """A value of any type, at most a line of it."""
    text = (
        str(value)
        if isinstance(value, pl.DataType)
        else repr(value.to_list() if isinstance(value, pl.Series) else value)
    )
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _check_rows(noun: type[Table], frame: pl.DataFrame) -> None:
    """Refuse values that break a rule of their column, then keys that are there twice; all are looked for in one pass."""
    present = [column for column in noun.columns if column.name in frame.columns]
    rules = [(column.name, broken, complaint) for column in present for broken, complaint in _rules(column)]
    key = [k for k in noun.key if k in frame.columns]
    twice = [pl.struct(key).is_duplicated()] if key else []
    looked = [broken.any().alias(str(i)) for i, broken in enumerate([*(rule[1] for rule in rules), *twice])]
    found = frame.select(looked).row(0) if looked else ()
    for (name, broken, complaint), is_broken in zip(rules, found, strict=False):
        if is_broken:
            _refuse_values(noun, frame, name, broken, complaint)
    if twice and found[-1]:
        _refuse_key(noun, frame, key)


def _rules(column: Column) -> Iterator[tuple[pl.Expr, str]]:
    """Where a value of the column is not allowed, and what is wrong with it there."""
    values = pl.col(column.name)
    if not column.nullable:
        yield values.is_null(), "is missing (null)"
    if column.kind == NUMBER and column.finite:
        yield ~values.is_finite(), "is not finite"
    if column.low is not None:
        yield values < column.low, f"is below {column.low:g}"
    if column.high is not None:
        yield values > column.high, f"is above {column.high:g}"


def _refuse_values(
    noun: type[Table], frame: pl.DataFrame, column: str, broken: pl.Expr, complaint: str
) -> None:
    bad = frame.select(broken.fill_null(False).alias("bad"))["bad"]
    row = int(bad.arg_true()[0])
    raise SchemaError(
        f"{column} {complaint}: {frame[column][row]!r} ({int(bad.sum())} such rows)",
        where=_row_label(noun, frame, row),
        fix="correct or drop these rows",
    )


def _refuse_key(noun: type[Table], frame: pl.DataFrame, key: list[str]) -> None:
    twice = frame.select(pl.struct(key).is_duplicated().alias("twice"))["twice"]
    row = int(twice.arg_true()[0])
    raise SchemaError(
        f"({', '.join(key)}) is not unique: {int(twice.sum())} rows share theirs with another",
        where=_row_label(noun, frame, row),
        fix="keep one row per key",
    )


def _row_label(noun: type[Table], frame: pl.DataFrame, row: int) -> str:
    named = [k for k in (*noun.key, "policy", "policy_a", "policy_b", "prompt_id") if k in frame.columns]
    labels = [f"{k} {frame[k][row]!r}" for k in dict.fromkeys(named) if frame[k][row] is not None]
    return f"{noun.noun}, row {row}" + (f" ({', '.join(labels)})" if labels else "")


def refuse(table: Table, broken: pl.Expr, column: str, complaint: Any, *, fix: str) -> None:
    """Raise for the first row where ``broken`` holds, naming it."""
    bad = table.frame.select(broken.fill_null(False).alias("bad"))["bad"]
    if bad.any():
        row = int(bad.arg_true()[0])
        raise SchemaError(
            f"{complaint(table.frame[column][row])} ({int(bad.sum())} such rows)",
            where=_row_label(type(table), table.frame, row),
            fix=fix,
        )


def refuse_self_pairs(table: Table) -> None:
    refuse(
        table,
        pl.col("policy") == pl.col("reference"),
        "policy",
        lambda v: f"policy {v!r} is compared with itself",
        fix="drop these rows",
    )


def _jsonable(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    return str(value)
