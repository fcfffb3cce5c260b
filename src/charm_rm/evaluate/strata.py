"""Accuracy by what sets the better response apart: is it the shorter or the longer one, the less or the more formatted?

A model that likes length is right where the better response is the longer one, and wrong where it is the shorter. A benchmark's average hides
this where most of its better responses are long.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import polars as pl

from ..benchmarks import Benchmark
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


def text_amounts(benchmark: Benchmark) -> FloatArray:
    """(texts, 2) words, and marks of Markdown, of each of the benchmark's texts: the same for every model."""
    responses = [response for _, response in benchmark.texts().values()]
    found = measure_raw(text_frame([""] * len(responses), responses), find_features((*LENGTH, *FORMAT)))
    return np.column_stack([found[:, : len(LENGTH)].sum(axis=1), found[:, len(LENGTH) :].sum(axis=1)])


def strata_table(
    result: BenchmarkResult, *, amounts: FloatArray | None = None, draws: int = 1000, seed: int = 0
) -> pl.DataFrame:
    """Accuracy of comparisons by stratum: benchmark, by, stratum, n (items), comparisons, accuracy, ci_low, ci_high.

    ``by`` is ``length`` (words), ``format`` (marks of Markdown) or ``both``; the stratum says what the better response is. The row
    ``difference`` is the accuracy where it is the longer (more formatted) one less that where it is the shorter (less formatted) one.
    ``amounts`` are :func:`text_amounts`, where they are known already. Every item weighs 1 in a stratum; a tie counts as the benchmark has it; the intervals are over prompts.
    """
    pairs = comparisons_of(result)
    if not len(pairs):
        return pl.DataFrame(schema=_SCHEMA)
    groups = _groups(text_amounts(result.benchmark) if amounts is None else amounts, result.benchmark, pairs)
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


def _groups(
    amounts: FloatArray, benchmark: Benchmark, pairs: Comparisons
) -> Mapping[tuple[str, str], np.ndarray]:
    """Which comparisons are in each stratum, by how much more words and marks the better response has than the worse one."""
    starts = np.cumsum([0, *(len(item.responses) for item in benchmark.items)])[pairs.item]
    better, worse = (amounts[benchmark.places[starts + side]] for side in (pairs.better, pairs.worse))
    length, form = (better - worse).T
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
