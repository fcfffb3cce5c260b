"""Figures of what calibration did: offsets, labels, benchmarks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..charts import Row, interval_rows, stacked_rows
from ..gather import Findings
from ..words import interval, number
from .figure import Figure, both, ends

LEDGER_PARTS = ("kept", "flipped", "tied", "dropped")


def offset_figure(findings: Findings) -> Iterator[Figure]:
    if findings.offsets is None:
        return
    rows = [
        Row(
            name=r["policy"],
            value=r["delta"],
            low=r["ci_low"],
            high=r["ci_high"],
            role="accent",
            tip=f"{r['policy']}\nΔ {number(r['delta'], 4, signed=True)} {interval(r['ci_low'], r['ci_high'], 4, signed=True)}"
            f"\ntarget {number(r['target'], 4)}, attained {number(r['attained'], 4)}",
        )
        for r in findings.offsets.filter(~pl.col("is_reference")).sort("delta").to_dicts()
    ]
    if rows:
        yield both(
            "offsets",
            lambda w: interval_rows(ends(rows), width=w, axis=f"offset Δ, {findings.offset_unit}"),
            f"Offsets of {len(rows)} policies with 95 % intervals.",
        )


def ledger_figure(findings: Findings) -> Iterator[Figure]:
    if findings.ledger is None or findings.ledger.is_empty():
        return
    rows = [
        (
            f"{r['policy']} · {r['reference']}",
            {p: int(r.get(p) or 0) for p in LEDGER_PARTS},
            f"{r['policy']}\nagainst {r['reference']}\n"
            + ", ".join(f"{p} {int(r.get(p) or 0):,}" for p in LEDGER_PARTS),
        )
        for r in findings.ledger.sort("flipped", descending=True).head(20).to_dicts()
    ]
    yield both(
        "ledger",
        lambda w: stacked_rows(rows, parts=LEDGER_PARTS, width=w, axis="preference pairs"),
        f"Labels kept, flipped, tied and dropped for {len(rows)} policy pairs.",
    )


def benchmark_figure(findings: Findings) -> Iterator[Figure]:
    frame = findings.benchmarks
    if frame is None or not {"benchmark", "subset", "metric", "accuracy", "ci_low", "ci_high"} <= set(
        frame.columns
    ):
        return
    rows = [_benchmark_row(r) for r in frame.to_dicts()]
    yield both(
        "benchmarks",
        lambda w: interval_rows(rows, width=w, axis="accuracy", zero=0.5),
        f"Accuracy on {len(rows)} benchmark metrics with 95 % intervals.",
    )


def _benchmark_row(row: Mapping[str, Any]) -> Row:
    name = " · ".join(dict.fromkeys([row["benchmark"], row["subset"], row["metric"]]))
    tip = f"{name}\naccuracy {number(row['accuracy'])} {interval(row['ci_low'], row['ci_high'])}, n = {row.get('n')}"
    if row.get("baseline_accuracy") is not None:
        tip += (
            f"\nbaseline {number(row['baseline_accuracy'])}, difference {number(row['difference'], signed=True)} "
            f"{interval(row['diff_ci_low'], row['diff_ci_high'], signed=True)}\nMcNemar p = {number(row['p_value'], 4)}"
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
