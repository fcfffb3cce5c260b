"""Columns of any type become text, numbers, whole numbers or truths; or they are refused with row and column."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from charm_rm.errors import SchemaError
from charm_rm.tables import NUMBER, TEXT, TRUTH, WHOLE, Scores, with_kinds


def made(kind: str, values: list[Any], dtype: Any = None) -> list[Any]:
    frame = pl.DataFrame({"x": pl.Series(values, dtype=dtype, strict=False)})
    return with_kinds(frame, {"x": kind, "not there": TEXT}, noun="things")["x"].to_list()


@pytest.mark.parametrize(
    ("values", "dtype", "told"),
    [
        ([1, None], pl.Int64, ["1", None]),
        ([2**100], pl.Int128, [str(2**100)]),
        (["a", "b"], pl.Categorical, ["a", "b"]),
        (["a", "b"], pl.Enum(["a", "b"]), ["a", "b"]),
        (["né".encode(), None], pl.Binary, ["né", None]),
        ([Decimal("1.10")], pl.Decimal(10, 2), ["1.10"]),
        ([date(2024, 12, 31)], pl.Date, ["2024-12-31"]),
        ([datetime(2024, 12, 31)], pl.Datetime, ["2024-12-31"]),
        ([None, None], pl.Null, [None, None]),
        ([None], pl.List(pl.Int64), [None]),
    ],
)
def test_what_can_be_text_is(values: list[Any], dtype: Any, told: list[Any]) -> None:
    assert made(TEXT, values, dtype) == told


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([None, b"\xff\xfe"], pl.Binary),
        ([7.0], pl.Float64),
        ([True], pl.Boolean),
        ([timedelta(1)], pl.Duration),
        ([time(3)], pl.Time),
        ([["a"]], pl.List(pl.String)),
        ([{"a": 1}], None),
    ],
)
def test_what_cannot_be_text_is_refused_with_its_row(values: list[Any], dtype: Any) -> None:
    with pytest.raises(SchemaError, match="column 'x' should hold a text, found") as caught:
        made(TEXT, values, dtype)
    row = next(i for i, v in enumerate(values) if v is not None)
    assert caught.value.where == f"things, row {row}"
    assert caught.value.fix


@pytest.mark.parametrize("kind", [NUMBER, WHOLE, TRUTH])
@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([date(2024, 1, 1)], pl.Date),
        ([datetime(2024, 1, 1)], pl.Datetime("us", "UTC")),
        ([timedelta(1)], pl.Duration),
        ([time(3)], pl.Time),
        ([b"1"], pl.Binary),
        ([[1.0]], pl.List(pl.Float64)),
        ([[1.0, 2.0]], pl.Array(pl.Float64, 2)),
        ([{"a": 1}], None),
    ],
)
def test_dates_bytes_and_lists_count_as_no_numbers(kind: str, values: list[Any], dtype: Any) -> None:
    with pytest.raises(SchemaError, match=f"column 'x' should hold a {kind}"):
        made(kind, values, dtype)


def test_numbers_in_categories_and_decimals_are_numbers() -> None:
    assert made(NUMBER, ["0.5", "2"], pl.Categorical) == [0.5, 2.0]
    assert made(NUMBER, [Decimal("1.25")], pl.Decimal(10, 2)) == [1.25]
    assert made(NUMBER, [2**70], pl.Int128) == [float(2**70)]
    with pytest.raises(SchemaError, match="found 'N/A'"):
        made(NUMBER, ["1", "N/A"])
    with pytest.raises(SchemaError, match="whole number"):
        made(WHOLE, [2**64 - 1], pl.UInt64)


def test_a_long_value_is_cut_in_the_message() -> None:
    with pytest.raises(SchemaError) as caught:
        made(TEXT, [[list(range(1000))]])
    assert len(str(caught.value)) < 500


def test_a_date_column_is_no_score() -> None:
    frame = pl.DataFrame({"prompt_id": ["p"], "policy": ["a"], "score": [date(2024, 1, 1)]})
    with pytest.raises(SchemaError, match="'score' should hold a number"):
        Scores(frame)
