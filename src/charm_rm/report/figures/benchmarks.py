"""Accuracy on benchmarks, beside the baseline's where there is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..charts import Row, interval_rows
from ..gather import Findings, has_baseline
from ..words import chance, interval, number
from ._registry import Picture, both, figure

_COLUMNS = {"benchmark", "subset", "metric", "accuracy", "ci_low", "ci_high"}


@figure("benchmarks", title="Accuracy on benchmarks", section="evaluation", needs=("benchmarks",))
def benchmark_figure(_: Findings, frame: pl.DataFrame) -> Iterator[Picture]:
    if not set(frame.columns) >= _COLUMNS:
        return
    rows = [accuracy_row(r) for r in frame.to_dicts()]
    hollow = "; hollow: the baseline on the same items." if has_baseline(frame) else "."
    yield both(
        lambda w: interval_rows(rows, width=w, axis="accuracy", zero=0.5),
        alt=f"Accuracy on {len(rows)} benchmark metrics with 95 % intervals.",
        caption=f"Accuracy with 95 % intervals{hollow}",
    )


def accuracy_row(row: Mapping[str, Any]) -> Row:
    """A figure with its interval, and where the baseline's lies; named by its benchmark too, where the row has one."""
    name = " · ".join(dict.fromkeys([row.get("benchmark") or row["subset"], row["subset"], row["metric"]]))
    tip = f"{name}\naccuracy {number(row['accuracy'])} {interval(row['ci_low'], row['ci_high'])}, n = {row.get('n')}"
    if row.get("baseline_accuracy") is not None:
        tip += (
            f"\nbaseline {number(row['baseline_accuracy'])}, difference {number(row['difference'], signed=True)} "
            f"{interval(row['diff_ci_low'], row['diff_ci_high'], signed=True)}\nMcNemar p = {chance(row['p_value'])}"
        )
    return Row(
        name=name,
        value=row["accuracy"],
        low=row["ci_low"],
        high=row["ci_high"],
        start=row.get("baseline_accuracy"),
        role="accent",
        tip=tip,
    )
