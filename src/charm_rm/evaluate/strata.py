"""Accuracy by what sets the better response apart: is it the shorter or the longer one, the less or the more formatted?

A model that likes length is right where the better response is the longer one, and wrong where it is the shorter. A benchmark's average hides
this where most of its better responses are long.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from ..features.catalogue import find_features
from ..features.measure import measure_raw
from ..features.texts import text_frame
from ..statistics import FloatArray
from .accuracy import BenchmarkResult
from .comparisons import Comparisons, comparisons_of, drawn_shares, ends

# Marks of Markdown, added up.
FORMAT = ("headers", "bold", "bullets", "numbered", "code_blocks", "table_rows")
LENGTH = ("words",)
_SCHEMA = {
    **dict.fromkeys(("benchmark", "by", "stratum"), pl.String),
    **dict.fromkeys(("n", "comparisons"), pl.Int64),
    **dict.fromkeys(("accuracy", "ci_low", "ci_high"), pl.Float64),
}


def strata_table(result: BenchmarkResult, *, draws: int = 1000, seed: int = 0) -> pl.DataFrame:
    """Accuracy of comparisons by stratum: benchmark, by, stratum, n (items), comparisons, accuracy, ci_low, ci_high.

    ``by`` is ``length`` (words), ``format`` (marks of Markdown) or ``both``; the stratum says what the better response is. The row
    ``difference`` is the accuracy where it is the longer (more formatted) one less that where it is the shorter (less formatted) one.
    Every item weighs 1 in a stratum; a tie counts as the benchmark has it; the intervals are over prompts.
    """
    pairs = comparisons_of(result)
    if not len(pairs):
        return pl.DataFrame(schema=_SCHEMA)
    groups = _groups(result, pairs)
    chosen = np.array(list(groups.values()))
    means, drawn = drawn_shares(pairs.won, chosen, pairs, draws=draws, seed=seed)
    rows: list[tuple[object, ...]] = []
    for k, (by, stratum) in enumerate(groups):
        inside = pairs.where(chosen[k])
        if len(inside):
            value = float(means[k])
            counts = inside.n_items, len(inside)
            rows.append((result.benchmark.name, by, stratum, *counts, value, *ends(value, drawn[:, k])))
        if stratum.startswith("longer") or stratum == "more formatted":
            rows += _difference(result.benchmark.name, by, means, drawn, k, chosen, pairs)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def _difference(
    name: str, by: str, means: FloatArray, drawn: FloatArray, k: int, chosen: np.ndarray, pairs: Comparisons
) -> list[tuple[object, ...]]:
    """The row of a stratum less that before it, where both are there."""
    change = float(means[k] - means[k - 1])
    if np.isnan(change):
        return []
    both = pairs.where(chosen[k] | chosen[k - 1])
    return [
        (
            name,
            by,
            "difference",
            both.n_items,
            len(both),
            change,
            *ends(change, drawn[:, k] - drawn[:, k - 1]),
        )
    ]


def _groups(result: BenchmarkResult, pairs: Comparisons) -> Mapping[tuple[str, str], np.ndarray]:
    length, form = (_differences(result, pairs, names) for names in (LENGTH, FORMAT))
    return {
        ("length", "shorter"): length < 0,
        ("length", "longer"): length > 0,
        ("length", "as long"): length == 0,
        ("format", "less formatted"): form < 0,
        ("format", "more formatted"): form > 0,
        ("format", "as formatted"): form == 0,
        ("both", "shorter and less formatted"): (length < 0) & (form < 0),
        ("both", "longer and more formatted"): (length > 0) & (form > 0),
    }


def _differences(result: BenchmarkResult, pairs: Comparisons, names: tuple[str, ...]) -> FloatArray:
    """(comparisons,) of the better response less the worse one, in the sum of some features."""
    texts = result.benchmark.texts()
    frame = text_frame([""] * len(texts), [response for _, response in texts.values()])
    amounts = measure_raw(frame, find_features(names)).sum(axis=1)
    amount = dict(zip(texts, amounts.tolist(), strict=True))
    of_item = [[amount[item.prompt_key, r] for r in item.responses] for item in result.benchmark.items]
    starts = np.cumsum([0, *(len(row) for row in of_item)])[:-1]
    flat = np.concatenate([np.array(row) for row in of_item])
    found: FloatArray = flat[starts[pairs.item] + pairs.better] - flat[starts[pairs.item] + pairs.worse]
    return found
