"""Offsets with their intervals."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..charts import Row, interval_rows
from ..gather import Findings
from ..words import interval, number
from ._registry import Picture, both, figure
from ._rows import ends


@figure("offsets", title="Offsets", section="offsets", needs=("offsets",))
def offset_figure(findings: Findings, offsets: pl.DataFrame) -> Iterator[Picture]:
    rows = [_row(r) for r in offsets.filter(~pl.col("is_reference")).sort("delta").to_dicts()]
    if rows:
        yield both(
            lambda w: interval_rows(ends(rows), width=w, axis=f"offset Δ, {findings.offset_unit}"),
            alt=f"Offsets of {len(rows)} policies with 95 % intervals.",
            caption=f"Offset Δ in {findings.offset_unit} with 95 % intervals. " + _what_zero_says(offsets),
        )


def _what_zero_says(offsets: pl.DataFrame) -> str:
    if offsets["is_reference"].any():
        return "An interval that covers zero: already aligned, calibrating may hurt."
    return "Without references the offsets have mean 0: only their differences matter."


def _row(row: Mapping[str, Any]) -> Row:
    delta = (
        f"{number(row['delta'], 4, signed=True)} {interval(row['ci_low'], row['ci_high'], 4, signed=True)}"
    )
    reached = f"target {number(row['target'], 4)}, attained {number(row['attained'], 4)}"
    return Row(
        name=row["policy"],
        value=row["delta"],
        low=row["ci_low"],
        high=row["ci_high"],
        role="accent",
        tip=f"{row['policy']}\nΔ {delta}\n{reached}",
    )
