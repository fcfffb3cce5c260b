"""What tables of people hold: columns of another type, cells that say something else, columns lost, renamed, twice."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import polars as pl

NUMBERS = (
    *(0.0, -1.0, 1e308, -1e308, 1e154, -1e154, 1e300, 1e-300, 5e-324, 2.0**53, 1e15, 1e9, 0.5),
    *(float("nan"), float("inf"), float("-inf"), None),
)
WHOLES = (0, -1, 1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), None)
TEXTS = (
    *("", " ", "a", "N/A", "-", "nan", "None", "null", "1,5", "1_000", "0x10", "１２", "1e999", "1" + "0" * 400, "true", "2024-12-31"),
    *("\x00", "\x1b[2J", "\u202e", "\ufeff", "x" * 50_000, "a\nb", 'say "hi"', "=1+1", "arena", "velvet", "velvet ", "VELVET", "e\u0301", "tie", "model_a"),
)  # fmt: skip
CELLS = (
    *TEXTS,
    *map(str, NUMBERS[:-1]),
    "1.0.0",
    "+5/-5",
    "[1, 2]",
    '[{"role": "user", "content": "x"}]',
    '[{"role": "user"}]',
    "['a']",
    "TRUE",
    "0",
    "007",
    "1e5",
    "'a",
    '"',
    "\\",
    "a;b",
    "a\tb",
)
NAMES = (
    "",
    " ",
    "policy",
    "score",
    "rating",
    "winner",
    "margin",
    "win_rate",
    "prompt_id",
    "row_",
    "row",
    "twice",
    "bad",
    "x" * 5000,
    "a\nb",
    "\x1b[2J",
    "date",
    "literal",
    "len",
    "index",
    "date_",
    "place",
)

Change = Callable[[pl.DataFrame, Random], pl.DataFrame]


def column_of_another_type(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    name = rng.choice(frame.columns)
    n = frame.height
    return frame.with_columns(_typed(rng.choice(_TYPES), n, rng, frame[name]).alias(name))


def column_cast(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    name = rng.choice(frame.columns)
    dtype = rng.choice(
        [
            pl.String,
            pl.Categorical,
            pl.Float32,
            pl.Int8,
            pl.UInt64,
            pl.Int128,
            pl.Boolean,
            pl.Binary,
            pl.Decimal(20, 3),
            pl.Datetime,
            pl.Date,
            pl.Duration,
            pl.Null,
            pl.List(pl.String),
        ]
    )
    return frame.with_columns(frame[name].cast(dtype, strict=False).alias(name))


def numbers_strange(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    name = rng.choice([c for c, t in frame.schema.items() if t.is_numeric()] or frame.columns)
    whole = frame.schema[name].is_integer()
    pool = rng.sample(WHOLES if whole else NUMBERS, rng.choice([1, 1, 2]))
    share = rng.choice([0.01, 0.2, 1.0])
    values = [rng.choice(pool) if rng.random() < share else v for v in frame[name].to_list()]
    if rng.random() < 0.5 and values:
        values[rng.randrange(len(values))] = pool[0]
    if not frame.schema[name].is_numeric():
        values = [None if v is None else str(v) for v in values]
    return frame.with_columns(
        pl.Series(name, values, dtype=frame.schema[name] if frame.schema[name].is_numeric() else pl.String)
    )


def texts_strange(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    name = rng.choice([c for c, t in frame.schema.items() if t == pl.String] or frame.columns)
    pool = rng.sample(TEXTS, rng.choice([1, 1, 2]))
    share = rng.choice([0.0, 0.2, 1.0])
    values = (
        [
            rng.choice(pool) if rng.random() < share else v
            for v in frame[name].cast(pl.String, strict=False).to_list()
        ]
        if not frame.schema[name].is_nested()
        else [pool[0]] * frame.height
    )
    if values:
        values[rng.randrange(len(values))] = pool[0]
    return frame.with_columns(pl.Series(name, values, dtype=pl.String))


def nulls(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    name = rng.choice(frame.columns)
    if rng.random() < 0.5:
        return frame.with_columns(pl.lit(None, dtype=frame.schema[name]).alias(name))
    keep = pl.Series([rng.random() > 0.1 for _ in range(frame.height)], dtype=pl.Boolean)
    return frame.with_columns(pl.when(keep).then(pl.col(name)).alias(name))


def column_dropped(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    return frame.drop(rng.choice(frame.columns))


def column_renamed(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    new = rng.choice([n for n in NAMES if n not in frame.columns])
    return frame.rename({rng.choice(frame.columns): new})


def column_added(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    new = rng.choice(
        [
            n
            for n in (
                *NAMES,
                "std_err",
                "ci_low",
                "n",
                "votes",
                "category",
                "weight",
                "judge",
                "anony",
                "split",
                "margin",
                "truncated",
                "flipped",
            )
            if n not in frame.columns
        ]
    )
    return frame.with_columns(_typed(rng.choice(_TYPES), frame.height, rng, frame.to_series(0)).alias(new))


def columns_exchanged(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    a, b = rng.choice(frame.columns), rng.choice(frame.columns)
    return frame.with_columns(frame[a].alias(b), frame[b].alias(a)) if a != b else frame.reverse()


def rows_changed(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    kinds = (
        lambda: frame.clear(), lambda: frame.head(1), lambda: frame.head(2), lambda: pl.concat([frame, frame]), lambda: frame.head(frame.height // 2),
        lambda: pl.concat([frame, frame.head(1)]), lambda: frame.sample(fraction=1.0, shuffle=True, seed=rng.randrange(99)),
        lambda: frame.sample(n=min(3, frame.height), seed=rng.randrange(99)), lambda: frame.select([]), lambda: frame.sample(fraction=0.7, seed=rng.randrange(99)),
    )  # fmt: skip
    return rng.choice(kinds)()


def one_value_everywhere(frame: pl.DataFrame, rng: Random) -> pl.DataFrame:
    name = rng.choice(frame.columns)
    return (
        frame.with_columns(pl.repeat(frame[name][0], frame.height, dtype=frame.schema[name]).alias(name))
        if frame.height and not frame.schema[name].is_nested()
        else frame
    )


def many_columns(frame: pl.DataFrame, _rng: Random) -> pl.DataFrame:
    return frame.with_columns(pl.lit(i).alias(f"extra_{i}") for i in range(500))


FRAMES: tuple[Change, ...] = (
    *[column_of_another_type] * 6, *[column_cast] * 3, *[numbers_strange] * 5, *[texts_strange] * 4, *[nulls] * 2, column_dropped, *[column_renamed] * 2,
    *[column_added] * 2, columns_exchanged, *[rows_changed] * 2, one_value_everywhere, many_columns,
)  # fmt: skip


# --- CSV ------------------------------------------------------------------------------------------


def csv_changed(text: str, rng: Random) -> str:
    """A table of text changed in cells, header or form."""
    rows = list(csv.reader(io.StringIO(text)))
    kind = rng.randrange(8)
    if kind < 4 and len(rows) > 1:
        column = rng.randrange(len(rows[0]))
        value = rng.choice(CELLS)
        for row in rng.sample(rows[1:], rng.choice([1, 1, len(rows) - 1])):
            row[column] = value
    elif kind == 4:
        rows[0][rng.randrange(len(rows[0]))] = rng.choice([*NAMES, rows[0][0]])
    elif kind == 5:
        row = rng.choice(rows)
        row[:] = rng.choice([row[:-1], [*row, "more"], [], [""] * len(row), ["a,b", *row[1:]]])
    elif kind == 6:
        column = rng.randrange(len(rows[0]))
        rows = (
            [[c for i, c in enumerate(row) if i != column] for row in rows]
            if rng.random() < 0.5
            else [[*row, row[column]] for row in rows]
        )
    else:
        rows = rng.choice(
            [
                rows[:1],
                rows[1:],
                rows[:2],
                rows + rows[1:],
                [*rows, rows[0]],
                [[], *rows],
                [*rows, []],
                [["# note"], *rows],
            ]
        )
    out = io.StringIO()
    csv.writer(out, delimiter=rng.choice([",", ",", ",", ";", "\t", "|"]), quoting=rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL, csv.QUOTE_NONE]), escapechar="\\", lineterminator=rng.choice(["\n", "\r\n"])).writerows(rows)  # fmt: skip
    return out.getvalue()


# --- details --------------------------------------------------------------------------------------

_TYPES: tuple[str, ...] = (
    *("list", "struct", "array", "messages", "deep", "binary", "truth", "category", "enum", "date", "datetime", "zoned", "duration", "time", "decimal", "null"),
    *("int8", "uint64", "int128", "float32", "numbers as text", "empty list", "list of null", "empty struct"),
)  # fmt: skip


def _typed(kind: str, n: int, rng: Random, old: pl.Series) -> pl.Series:
    """A column of ``n`` values of a type; half the time as different as the old ones were."""
    index = list(range(n)) if rng.random() < 0.7 else [0] * n
    make: dict[str, Callable[[int], Any]] = {
        "list": lambda i: [i, i],
        "struct": lambda i: {"a": i},
        "array": lambda i: [float(i), 0.0],
        "messages": lambda i: [{"role": "user", "content": f"x {i}"}],
        "deep": lambda i: [[[{"a": [i]}]]],
        "binary": lambda i: f"{i}".encode() + b"\xff",
        "truth": lambda i: i % 2 == 0,
        "category": lambda i: str(i),
        "enum": lambda i: "ab"[i % 2],
        "date": lambda i: date(2024, 1, 1) + timedelta(days=i),
        "datetime": lambda i: datetime(2024, 1, 1) + timedelta(hours=i),
        "zoned": lambda i: datetime(2024, 1, 1) + timedelta(days=i),
        "duration": lambda i: timedelta(seconds=i),
        "time": lambda i: time(i % 24),
        "decimal": lambda i: Decimal(i) / 4,
        "null": lambda i: None,
        "int8": lambda i: i % 100,
        "uint64": lambda i: 2**64 - 1 - i,
        "int128": lambda i: 2**100 + i,
        "float32": lambda i: i / 3,
        "numbers as text": lambda i: f" {i / 3} ",
        "empty list": lambda i: [],
        "list of null": lambda i: [None],
        "empty struct": lambda i: {},
    }
    values = [make[kind](i) for i in index]
    if n and rng.random() < 0.2:
        values[rng.randrange(n)] = None
    dtypes: dict[str, Any] = {
        "array": pl.Array(pl.Float64, 2), "category": pl.Categorical, "enum": pl.Enum(["a", "b"]), "zoned": pl.Datetime("us", "UTC"), "decimal": pl.Decimal(20, 2),
        "int8": pl.Int8, "uint64": pl.UInt64, "int128": pl.Int128, "float32": pl.Float32, "empty struct": pl.Struct({}),
    }  # fmt: skip
    return pl.Series(old.name, values, dtype=dtypes.get(kind), strict=False)
