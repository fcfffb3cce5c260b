"""The tables of an evaluation's page: each figure with its comparison, placebos and remarks; strata, calibration, repeats as they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from ..evaluate import Diagnosis
from .listings import Listing, plain_listing
from .words import chance, clean, interval, number

_PLAIN = {
    "strata": "Accuracy by what the better response looks like",
    "calibration": "Calibration",
    "reliability": "Reliability, bin by bin",
    "placebos": "The model beside each placebo",
    "repeats": "Asked again",
}


def accuracy_listing(key: str, frame: pl.DataFrame, diagnosis: Diagnosis) -> Listing:
    """Every figure of a benchmark: in per cent, with intervals; beside a baseline, and placebos, where there are some."""
    compared = frame["difference"].null_count() < frame.height
    placebos = diagnosis.tables.get("placebos")
    names = [] if placebos is None else placebos["placebo"].unique(maintain_order=True).to_list()
    several = frame["metric"].n_unique() > 1
    columns = [("Subset", False), *([("Metric", False)] if several else [])]
    columns += [("n", True), ("Accuracy, %", True), ("95 % CI", True), ("Ties", True)]
    if compared:
        columns += [("Baseline", True), ("Difference", True), ("95 % CI of difference", True)]
        columns += [("Simultaneous CI", True), ("Better / worse", True), ("p", True), ("q", True)]
    columns += [(clean(name).capitalize(), True) for name in names]
    rows = []
    for k, row in enumerate(frame.iter_rows(named=True)):
        cells = [clean(row["subset"]) + (" *" if row["partial"] else "")]
        cells += [clean(row["metric"])] if several else []
        cells += [number(row["n"], 0), _hundred(row["accuracy"]), _ends(row, "ci"), number(row["ties"], 0)]
        cells += _compared(row) if compared else []
        cells += [
            _hundred(placebos.filter(pl.col("placebo") == name)["accuracy"][k]) for name in names
        ] if placebos is not None else []  # fmt: skip
        rows.append(cells)
    note = "* partial." if frame["partial"].any() else ""
    return Listing(f"{key}_accuracy", "Accuracies", columns, rows, note)


def saturation_listing(key: str, frame: pl.DataFrame, diagnosis: Diagnosis) -> Listing | None:
    """The figures that say little by themselves, and why."""
    rows = [
        [clean(row["subset"]), clean(row["metric"]), clean("; ".join(notes))]
        for row, notes in zip(frame.iter_rows(named=True), diagnosis.saturation, strict=True)
        if notes
    ]
    columns = [("Subset", False), ("Metric", False), ("Why", False)]
    return (
        Listing(f"{key}_saturation", "Figures that say little by themselves", columns, rows) if rows else None
    )


def plain_tables(key: str, tables: Mapping[str, pl.DataFrame]) -> list[Listing]:
    """The other tables, as they are in the files."""
    found: list[Listing | None] = [
        plain_listing(f"{key}_{name}", caption, tables[name].drop("benchmark"))
        for name, caption in _PLAIN.items()
        if name in tables and tables[name].height
    ]
    return [one for one in found if one is not None]


def _compared(row: Mapping[str, Any]) -> Sequence[str]:
    turned = "–" if row["better"] is None else f"{row['better']} / {row['worse']}"
    return [
        _hundred(row["baseline_accuracy"]),
        _hundred(row["difference"], signed=True),
        _ends(row, "diff_ci", signed=True),
        _ends(row, "sim_ci", signed=True),
        turned,
        chance(row["p_value"]),
        chance(row["q_value"]),
    ]


def _hundred(value: float | None, *, signed: bool = False) -> str:
    return number(None if value is None else 100 * value, 1, signed=signed)


def _ends(row: Mapping[str, Any], name: str, *, signed: bool = False) -> str:
    ends = [row[f"{name}_{end}"] for end in ("low", "high")]
    low, high = (None if end is None else 100 * end for end in ends)
    return interval(low, high, 1, signed=signed)
