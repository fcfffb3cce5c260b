"""What several figures share: which findings are coloured, how many rows are drawn, how favour is told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..charts import Row
from ..significance import is_significant
from ..words import elo, interval

_MAX_ROWS = 80


def colour_role(value: float, q_value: float | None) -> str:
    """Colour of a finding: only what survives the false discovery rate is coloured."""
    if not is_significant(q_value):
        return "even"
    return "over" if value > 0 else "under"


def ends(rows: list[Row]) -> list[Row]:
    """All rows, or both ends where they are too many to draw."""
    return rows if len(rows) <= _MAX_ROWS else rows[: _MAX_ROWS // 2] + rows[-_MAX_ROWS // 2 :]


def favour_words(row: Mapping[str, Any]) -> str:
    """``favour +121 Elo [+89, +157]``, as tooltips have it."""
    return f"favour {elo(row['favour'])} Elo {interval(row['ci_low'], row['ci_high'], 0, signed=True)}"


def ranked(frame: pl.DataFrame) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their rank by size of favour."""
    rank = frame["favour"].abs().rank("ordinal", descending=True).to_list()
    return zip(rank, frame.to_dicts(), strict=True)


def by_policy(frame: pl.DataFrame | None) -> dict[str, dict[str, Any]]:
    """Rows by policy; none where there is no table."""
    return {} if frame is None else {r["policy"]: r for r in frame.to_dicts()}
