"""What every prompt adds to every figure of a benchmark: enough to compare models later, on the official figure, without asking them again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl

from ..benchmarks import Item, Metric
from .accuracy import BenchmarkResult
from .credits import Credits, prompt_name

SCHEMA = {
    "benchmark": pl.String,
    "subset": pl.String,
    "metric": pl.String,
    "part": pl.Int64,
    "weight": pl.Float64,
    "item": pl.String,
    "prompt": pl.String,
    "credit": pl.Float64,
}


def contributions(results: Sequence[BenchmarkResult]) -> pl.DataFrame:
    """One row per figure, part of it, and item: benchmark, subset, metric, part, weight, item, prompt, credit.

    A figure is Σ over its parts of ``weight`` times the mean ``credit`` of the part's items. ``prompt`` is the same for items that are
    drawn together. Figures that are no weighted mean (correlations, ratios) have no rows.
    """
    rows = [row for result in results for metric in result.benchmark.metrics for row in _rows(result, metric)]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


def _rows(result: BenchmarkResult, metric: Metric) -> Iterator[tuple[Any, ...]]:
    if metric.combine is not None:
        return
    items = result.benchmark.items
    names = _item_names(items)
    total = metric.total if metric.total is not None else sum(part.weight for part in metric.parts)
    figure = (result.benchmark.name, metric.subset, metric.name)
    for number, part in enumerate(result.book.credits(metric)):
        weight = metric.parts[number].weight / total
        for item, prompt, credit in _units(part, items, names):
            yield (*figure, number, weight, item, prompt, credit)


def _units(part: Credits, items: Sequence[Item], names: Sequence[str]) -> Iterator[tuple[str, str, float]]:
    """Item, prompt and credit of the units that have something to tell."""
    for unit, credit in zip(part.units, part.values.tolist(), strict=True):
        if credit == credit:  # not NaN
            yield " + ".join(names[i] for i in unit), _short(prompt_name(items[unit[0]])), credit


def _short(name: str) -> str:
    """Sixteen hexadecimal digits in place of a prompt's text."""
    return hashlib.blake2b(name.encode(), digest_size=8).hexdigest()


def _item_names(items: Sequence[Item]) -> list[str]:
    """``subset/id``, numbered where one stands twice."""
    seen: dict[str, int] = {}
    names = []
    for item in items:
        name = f"{item.subset}/{item.item_id}"
        seen[name] = seen.get(name, 0) + 1
        names.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return names
