"""Texts to numbers: the features of responses, a chunk of texts at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import SchemaError
from ..protocols import Prompt
from .catalogue import DEFAULT_FEATURES, find_features
from .registry import Feature
from .texts import prepare, text_frame

FloatArray = NDArray[np.float64]

# A chunk takes some ten times its text while it is measured.
_CHUNK_BYTES, _CHUNK_ROWS, _MOST_THREADS = 4_000_000, 5_000, 8


def measure(
    prompts: Sequence[Prompt], responses: Sequence[str], *, features: Sequence[str] = DEFAULT_FEATURES
) -> FloatArray:
    """The features of each response: an array of shape (n, len(features)), finite, in the order of the names.

    Args:
        prompts: text or chat messages, one for every response.
        responses: texts; they may be empty.
        features: names out of :data:`~charm_rm.features.FEATURES`.

    Raises:
        ConfigError: an unknown name, or one named twice.
        SchemaError: a response is no text, or numbers of prompts and responses differ.
    """
    chosen = find_features(features)
    return transformed(measure_raw(text_frame(prompts, responses), chosen), chosen)


def measure_raw(texts: pl.DataFrame, chosen: Sequence[Feature]) -> FloatArray:
    """The raw numbers, before any logarithm, of texts in the columns ``prompt`` and ``response``: shape (n, d)."""
    raw = np.zeros((texts.height, len(chosen)))
    if chosen:
        _fill(raw, texts, chosen)
    _refuse_nonsense(raw, chosen)
    return raw


def _fill(raw: FloatArray, texts: pl.DataFrame, chosen: Sequence[Feature]) -> None:
    """Measure chunk by chunk, several at a time: most of the work is one long expression after another."""
    wanted = frozenset[str]().union(*(f.needs for f in chosen))
    expressions = [f.expression for f in chosen]

    def fill(rows: slice) -> None:
        raw[rows] = prepare(texts[rows], wanted).select(expressions).to_numpy()

    pieces = list(chunks(texts))
    n_threads = min(len(pieces), pl.thread_pool_size(), _MOST_THREADS)
    if n_threads <= 1:
        for rows in pieces:
            fill(rows)
        return
    with ThreadPoolExecutor(n_threads) as pool:
        for done in [pool.submit(fill, rows) for rows in pieces]:
            done.result()


def transformed(raw: FloatArray, chosen: Sequence[Feature]) -> FloatArray:
    """φ = log(1 + raw) of the features that are logarithms, raw of the others."""
    values = raw.copy()
    logs = [f.log for f in chosen]
    values[:, logs] = np.log1p(values[:, logs])
    return values


def chunks(texts: pl.DataFrame) -> Iterator[slice]:
    """Slices of rows that hold a bounded amount of text; a longer text is a slice of its own."""
    columns = [s for s in texts.select("prompt", "response") if s.dtype == pl.String]
    ends = np.cumsum(sum(s.str.len_bytes().to_numpy().astype(np.int64) for s in columns))
    start = 0
    while start < texts.height:
        before = ends[start - 1] if start else 0
        stop = int(np.searchsorted(ends, before + _CHUNK_BYTES, side="right"))
        stop = min(max(stop, start + 1), start + _CHUNK_ROWS, texts.height)
        yield slice(start, stop)
        start = stop


def _refuse_nonsense(raw: FloatArray, chosen: Sequence[Feature]) -> None:
    """A definition that gives no number, or one below 0, is at fault, whatever the text."""
    for feature, column in zip(chosen, raw.T, strict=True):
        bad = ~(np.isfinite(column) & (column >= 0))
        if bad.any():
            row = int(np.flatnonzero(bad)[0])
            raise SchemaError(
                f"feature {feature.name!r} gives {column[row]!r}",
                where=f"responses, row {row}",
                fix="correct its expression: it has to give a finite number of at least 0 for every text",
            )
