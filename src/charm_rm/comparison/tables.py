"""The tables of a comparison of several models: values, differences with q over all of them, favours."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, counted
from ..estimates import SIGNIFICANT
from ..mismatch import METRICS
from ..statistics import benjamini_hochberg
from .benchmarks import Benchmarked, Figure, contrast_row
from .held import SHARPNESS, Field, difference_rows, favour_gaps, favour_rows, model_rows
from .result import DIFFERENCES, FAVOUR, FAVOUR_GAPS, SAME, UNTESTED, VALUES, WITHIN


def figure_name(figure: Figure) -> str:
    """``llmbar``, ``rm-bench chat hard``: benchmark, subset and metric, without ``all`` and ``accuracy``, which go without saying."""
    benchmark, subset, metric = figure
    more = [word for word, usual in ((subset, "all"), (metric, "accuracy")) if word != usual]
    return " ".join([benchmark, *more])


def alignment_values(held: Field | None, name: str) -> Iterator[dict[str, Any]]:
    if held is not None and name in held.models:
        for row in model_rows(held, name):
            yield {"model": name, "kind": "alignment", **row}


def benchmark_values(told: Benchmarked | None, name: str) -> Iterator[dict[str, Any]]:
    if told is not None and name in told.models:
        for figure in told.shown:
            value, low, high = told.alone(name, figure)
            ends = {"value": value, "ci_low": low, "ci_high": high, "floor": None}
            yield {"model": name, "kind": "benchmark", "figure": figure_name(figure), **ends}


def alignment_gaps(held: Field | None, name: str, baseline: str) -> Iterator[dict[str, Any]]:
    if held is not None and {name, baseline} <= set(held.models):
        for row in difference_rows(held, name, baseline):
            yield {"kind": "alignment", **row}


def benchmark_gaps(told: Benchmarked | None, name: str, baseline: str) -> Iterator[dict[str, Any]]:
    if told is not None and {name, baseline} <= set(told.models):
        for figure in told.shown:
            found = told.between(name, baseline, figure)
            yield {"kind": "benchmark", "figure": figure_name(figure), **contrast_row(found)}


def judged_differences(rows: Sequence[Mapping[str, Any]]) -> pl.DataFrame:
    """The differences with q over all of them, and what each says."""
    q = _q_values([row["p_value"] for row in rows])
    read = [
        {**row, "q_value": value, "reading": _reading(row, value)} for row, value in zip(rows, q, strict=True)
    ]
    return pl.DataFrame(read, schema=DIFFERENCES)


def _q_values(p: Sequence[float | None]) -> list[float | None]:
    q = benjamini_hochberg(np.array([np.nan if v is None else v for v in p], dtype=np.float64))
    return [None if np.isnan(v) else float(v) for v in q]


def _reading(row: Mapping[str, Any], q: float | None) -> str:
    """better, worse (of sharpness: sharper, less sharp) where interval and q both leave out no difference; :data:`NO_DIFFERENCE` else."""
    low, high = row["ci_low"], row["ci_high"]
    if row.get("same"):
        return SAME
    if low is None or high is None or q is None:
        return UNTESTED
    if low <= 0 <= high or q > SIGNIFICANT:
        return WITHIN
    if row["figure"] == SHARPNESS:
        return "sharper" if low > 0 else "less sharp"
    lower = row["kind"] == "alignment" and METRICS[row["figure"]].better == "lower"
    return "better" if (low > 0) != lower else "worse"


def warn_of_few_draws(differences: pl.DataFrame, draws: int) -> None:
    """Exchanging models gives p >= 1 / (1 + draws), which many differences may lift above what counts as a finding."""
    if draws and differences.height / (1 + draws) > SIGNIFICANT:
        warnings.warn(
            f"{counted(differences.height, 'difference')} with {counted(draws, 'draw')}: one alone could not be told from chance; "
            f"give --draws {int(np.ceil(differences.height / SIGNIFICANT / 500) * 500)} or more",
            CharmWarning,
            stacklevel=3,
        )


def _stacked(
    parts: Sequence[tuple[Mapping[str, str], pl.DataFrame]],
    schema: Mapping[str, pl.DataType | type[pl.DataType]],
) -> pl.DataFrame:
    frames = [
        frame.with_columns(pl.lit(v).alias(k) for k, v in whose.items())
        for whose, frame in parts
        if frame.height
    ]
    empty = pl.DataFrame(schema=pl.Schema(schema))
    return pl.concat([empty, *(frame.select(schema.keys()).cast(pl.Schema(schema)) for frame in frames)])


def _favour_gap_table(parts: Sequence[tuple[Mapping[str, str], pl.DataFrame]]) -> pl.DataFrame:
    blank = [
        (w, f.with_columns(q_value=pl.lit(None, pl.Float64), verdict=pl.lit("")) if f.height else f)
        for w, f in parts
    ]
    frame = _stacked(blank, FAVOUR_GAPS)
    q = _q_values(frame["p_value"].to_list())
    verdicts = [
        _favour_verdict(row, value) for row, value in zip(frame.iter_rows(named=True), q, strict=True)
    ]
    return frame.with_columns(
        q_value=pl.Series(q, dtype=pl.Float64), verdict=pl.Series(verdicts, dtype=pl.String)
    )


def _favour_verdict(row: Mapping[str, Any], q: float | None) -> str:
    """Whether the model favours the policy more or less than the baseline does, in the words of a comparison of two."""
    low, high = row["ci_low"], row["ci_high"]
    if low is None or high is None or not np.isfinite(high - low):
        return "underpowered"
    if q is not None and q <= SIGNIFICANT and (low > 0 or high < 0):
        return "favours it more" if row["difference"] > 0 else "favours it less"
    return "underpowered" if high - low > 100.0 else "no evidence"


def favour_table(held: Field | None) -> pl.DataFrame:
    """The favour of every policy by every model."""
    if held is None:
        return pl.DataFrame(schema=FAVOUR)
    return _stacked([({"model": name}, favour_rows(held, name)) for name in held.models], FAVOUR)


def favour_gap_table(held: Field | None, pairs: Sequence[tuple[str, str]]) -> pl.DataFrame:
    """Differences of favour of the pairs of models that have any, with q over all of them."""
    if held is None:
        return pl.DataFrame(schema=FAVOUR_GAPS)
    known = [(a, b) for a, b in pairs if a in held.models and b in held.models]
    return _favour_gap_table([({"model": a, "baseline": b}, favour_gaps(held, a, b)) for a, b in known])


def value_table(models: Sequence[str], held: Field | None, told: Benchmarked | None) -> pl.DataFrame:
    """Every figure of every model."""
    rows = [row for name in models for row in (*alignment_values(held, name), *benchmark_values(told, name))]
    return pl.DataFrame(rows, schema=VALUES)


def gap_rows(held: Field | None, told: Benchmarked | None, name: str, baseline: str) -> list[dict[str, Any]]:
    """Every difference of two models, without q."""
    return [*alignment_gaps(held, name, baseline), *benchmark_gaps(told, name, baseline)]
