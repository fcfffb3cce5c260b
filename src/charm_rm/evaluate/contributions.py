"""What every prompt adds to every figure of a benchmark: enough to compare models later, on the official figure, without asking them again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl

from ..benchmarks import Item
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
    return pl.concat([pl.DataFrame(schema=SCHEMA), *(f for result in results for f in _frames(result))])


def _frames(result: BenchmarkResult) -> Iterator[pl.DataFrame]:
    """A frame a part of each figure."""
    items = result.benchmark.items
    names = pl.Series(_item_names(items), dtype=pl.String)
    prompts = pl.Series([_short(prompt_name(item)) for item in items], dtype=pl.String)
    for metric in result.benchmark.metrics:
        if metric.combine is not None:
            continue
        total = metric.total if metric.total is not None else sum(part.weight for part in metric.parts)
        for number, part in enumerate(result.book.credits(metric)):
            about = (
                result.benchmark.name,
                metric.subset,
                metric.name,
                number,
                metric.parts[number].weight / total,
            )
            heads = [pl.lit(v, SCHEMA[k]).alias(k) for k, v in zip(SCHEMA, about, strict=False)]
            yield _units(part, names, prompts).select(*heads, pl.all())


def _units(part: Credits, names: pl.Series, prompts: pl.Series) -> pl.DataFrame:
    """Item, prompt and credit of the units that have something to tell."""
    told = ~np.isnan(part.values)
    units = part.told
    first = np.array([unit[0] for unit in units], dtype=np.int64)
    item = names[first]
    if any(len(unit) > 1 for unit in units):
        item = pl.Series([" + ".join(names[i] for i in unit) for unit in units], dtype=pl.String)
    return pl.DataFrame({"item": item, "prompt": prompts[first], "credit": part.values[told]})


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
