"""The report's tables: findings as rows of text, ready for the page."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..errors import counted
from ..mismatch import METRICS, both_ways
from .about import ratings_name, source_files
from .gather import Findings, has_baseline
from .words import chance, clean, count, estimate_words, interval, number

_MAX_ROWS = 2000


@dataclass(frozen=True)
class _Column:
    """How a row's cell reads, and whether it is a number (set to the right, sorted by value)."""

    cell: Callable[[Mapping[str, Any]], str]
    is_number: bool = True


@dataclass(frozen=True)
class Listing:
    """One table. ``columns`` are (title, is it a number); ``note`` says what is left out."""

    key: str
    caption: str
    columns: Sequence[tuple[str, bool]]
    rows: Sequence[Sequence[str]]
    note: str = ""


def favour_listing(findings: Findings) -> Listing | None:
    """Every policy: its two Elos, the favour, and the favour after."""
    frame = findings.before.favouritism
    if frame is None:
        return None
    later = findings.after.favouritism if findings.after else None
    columns: dict[str, _Column] = {
        "Policy": _text("policy"),
        ratings_name(findings): _number("arena_elo", 0),
        "RM Elo": _number("rm_elo", 0),
        "Favour, Elo": _number("favour", 0, signed=True),
        "95 % CI": _interval("ci_low", "ci_high", 0),
        "p": _chance("p_value"),
        "q": _chance("q_value"),
    }
    if "verdict" in frame.columns:
        columns["Verdict"] = _text("verdict")
    if later is not None:
        names = {"favour": "favour_after", "ci_low": "after_low", "ci_high": "after_high"}
        frame = frame.join(later.select("policy", *names).rename(names), on="policy", how="left")
        columns |= {
            "After": _number("favour_after", 0, signed=True),
            "95 % CI after": _interval("after_low", "after_high", 0),
        }
    return _listing("favour", "Favour shown to every policy", frame.sort("favour", descending=True), columns)


def candidates_listing(findings: Findings) -> Listing | None:
    """Policies without a human rating, where the line of the rated ones puts them."""
    if (frame := findings.before.candidates) is None:
        return None
    columns: dict[str, _Column] = {
        "Policy": _text("policy"),
        "Prompts": _number("n", 0),
        "Implied rating": _number("implied_elo", 0),
        "95 % CI": _interval("ci_low", "ci_high", 0, signed=False),
        "95 % interval of the rating": _interval("predicted_low", "predicted_high", 0, signed=False),
    }
    if "style_favour" in frame.columns:
        columns |= {
            "Favour expected from style": _number("style_favour", 0, signed=True),
            "95 % CI of it": _interval("style_ci_low", "style_ci_high", 0),
            "Implied, style off": _number("corrected_elo", 0),
        }
    return _listing("candidates", "Policies without a human rating, in Elo points", frame, columns)


def variants_listing(findings: Findings) -> Listing | None:
    """Favour shown to one policy by several ways of counting its wins, such as with and without control for length."""
    if not (rows := findings.before.variants):
        return None
    columns = {
        "Win rates": _text("name"),
        "Favour, Elo": _number("favour", 0, signed=True),
        "95 % CI": _interval("ci_low", "ci_high", 0),
        "q": _chance("q_value"),
        "Sharpness": _Column(lambda r: estimate_words(r["sharpness"], 2) if r.get("sharpness") else "–"),
    }
    caption = f"Favour shown to {clean(rows[0]['policy'])}, by how win rates are counted"
    cells = [[column.cell(r) for column in columns.values()] for r in rows]
    return Listing("variants", caption, [(title, c.is_number) for title, c in columns.items()], cells)


def policies_listing(findings: Findings) -> Listing | None:
    """Who answered, and how each was asked, where the run let policies answer."""
    told = findings.generated.get("policies") or []
    if not told:
        return None
    names = ("policy", "model", "system", "temperature", "top p", "max tokens", "samples", "answers")
    rows = []
    for one in told:
        settings, counts = one.get("settings") or {}, one.get("counts") or {}
        rows.append(
            [
                clean(one["policy"]),
                clean(one.get("source") or "outputs that exist"),
                clean(settings.get("system") or "–"),
                *(_said(settings.get(key)) for key in ("temperature", "top_p", "max_tokens", "samples")),
                _said(counts.get("answers")),
            ]
        )
    return Listing(
        "policies", "Policies, and how they were asked", [(name, i > 2) for i, name in enumerate(names)], rows
    )


def _said(value: Any) -> str:
    return "–" if value is None else clean(f"{value:g}" if isinstance(value, int | float) else str(value))


def sources_listing(findings: Findings) -> Listing | None:
    """The files that were read, and what they held."""
    rows = source_files(findings)
    return (
        Listing("sources", "Source files", [("File", False), ("SHA-256 of its content", False)], rows)
        if rows
        else None
    )


def explanation_listing(findings: Findings) -> Listing | None:
    """What style explains of every policy's favour, by group of features."""
    if (frame := findings.explanation) is None:
        return None
    parts = frame.filter(pl.col("kind").is_in(["group", "style", "unexplained"]))
    groups = parts.filter(pl.col("kind") == "group")["part"].unique(maintain_order=True).to_list()
    # Groups may have any name, those of our columns included.
    wide = parts.with_columns(place=pl.col("kind") + ":" + pl.col("part")).pivot(
        "place", index="policy", values="elo"
    )
    whole = frame.filter(pl.col("kind") == "favour").select("policy", favour="elo")
    rest = frame.filter(pl.col("kind") == "unexplained").select("policy", "ci_low", "ci_high")
    columns: dict[str, _Column] = {
        "Policy": _text("policy"),
        "Favour, Elo": _number("favour", 0, signed=True),
    }
    columns |= {clean(g): _number(f"group:{g}", 0, signed=True) for g in groups}
    columns |= {
        "Style in all": _number("style:style", 0, signed=True),
        "Unexplained": _number("unexplained:unexplained", 0, signed=True),
        "95 % CI of it": _interval("ci_low", "ci_high", 0),
    }
    joined = whole.join(wide, on="policy", how="left").join(rest, on="policy", how="left")
    rows = joined.sort("favour", descending=True)
    return _listing("explanation", "What style explains of favour, in Elo points", rows, columns)


def mismatch_listing(findings: Findings) -> Listing:
    """Every audited pair, largest mismatch first, with the mismatch after."""
    frame = findings.before.mismatch
    columns: dict[str, _Column] = {
        "Policy": _text("policy"),
        "Reference": _text("reference"),
        "n": _number("n", 0),
        "P̂ judge": _number("win_rate"),
        "P people": _number("expected"),
        "P̂ − P": _number("mismatch", signed=True),
        "95 % CI": _interval("ci_low", "ci_high"),
        "MD": _number("mismatch_degree"),
        "q": _chance("q_value"),
        "Verdict": _text("verdict"),
    }
    if "mismatch_shrunk" in frame.columns:
        columns["Shrunk"] = _number("mismatch_shrunk", signed=True)
        columns["95 % CI of all pairs at once"] = _interval("simultaneous_ci_low", "simultaneous_ci_high")
    if findings.after is not None:
        later = both_ways(findings.after.mismatch).select("policy", "reference", after="mismatch")
        frame = frame.join(later, on=["policy", "reference"], how="left")
        columns["P̂ − P after"] = _number("after", signed=True)
    frame = frame.sort(pl.col("mismatch").abs(), descending=True)
    return _listing("mismatch", f"Mismatch of {count(frame.height, 'pair')}", frame, columns)


def offsets_listing(findings: Findings) -> Listing | None:
    """Offsets with targets; references are the ones held at 0."""
    if (frame := findings.offsets) is None:
        return None
    columns: dict[str, _Column] = {
        "Policy": _text("policy"),
        "Offset Δ": _number("delta", 4, signed=True),
        "95 % CI": _interval("ci_low", "ci_high", 4),
        "Std. error": _number("std_err", 4),
        "Target": _number("target", 4),
        "Attained, in-sample": _number("attained", 4),
        **(
            {"Attained, cross-fitted": _number("attained_cross_fitted", 4)}
            if "attained_cross_fitted" in frame.columns
            else {}
        ),
        "Role": _Column(lambda r: "reference" if r["is_reference"] else "calibrated", is_number=False),
    }
    caption = f"Offsets in {findings.offset_unit}"
    return _listing("offsets", caption, frame.sort("is_reference", "delta"), columns)


def residuals_listing(findings: Findings) -> Listing | None:
    """Per pair used: what one number per policy could and could not remove."""
    frame = findings.residuals
    if frame is None or not {"policy", "reference", "target", "before", "after"} <= set(frame.columns):
        return None
    columns: dict[str, _Column] = {
        "Policy": _text("policy"),
        "Reference": _text("reference"),
        "n": _number("n", 0),
        "Target P": _number("target", 4),
        "P̂ before": _number("before", 4),
        "P̂ after, in-sample": _number("after", 4),
        "Residual, in-sample": _Column(lambda r: number(r["after"] - r["target"], 4, signed=True)),
    }
    if "after_cross_fitted" in frame.columns and frame["after_cross_fitted"].is_not_null().any():
        columns["P̂ after, cross-fitted"] = _number("after_cross_fitted", 4)
    frame = frame.sort((pl.col("after") - pl.col("target")).abs(), descending=True)
    return _listing("residuals", "Residual mismatch of the pairs used", frame, columns)


def benchmark_listing(findings: Findings) -> Listing | None:
    """Benchmark accuracies, and the paired comparison where there is a baseline."""
    frame = findings.benchmarks
    if frame is None or not {"benchmark", "accuracy"} <= set(frame.columns):
        return None
    columns: dict[str, _Column] = {
        "Benchmark": _Column(_benchmark_name, is_number=False),
        "Subset": _text("subset"),
        "Metric": _text("metric"),
        "n": _number("n", 0),
        "Accuracy": _number("accuracy"),
        "95 % CI": _interval("ci_low", "ci_high", signed=False),
    }
    if has_baseline(frame):
        columns |= {
            "Baseline": _number("baseline_accuracy"),
            "Difference": _number("difference", signed=True),
            "95 % CI of difference": _interval("diff_ci_low", "diff_ci_high"),
            "Better / worse": _Column(
                lambda r: f"{number(r.get('better'), 0)} / {number(r.get('worse'), 0)}"
            ),
            "McNemar p": _chance("p_value"),
            "q": _chance("q_value"),
        }
    return _listing("benchmarks", "Benchmark accuracies", frame, columns)


def alignment_listing(findings: Findings) -> Listing | None:
    """How the scores agree with human ratings over policies; beside a baseline :mod:`.effect` shows it."""
    frame = findings.alignment
    if frame is None or not {"metric", "value"} <= set(frame.columns):
        return plain_listing("alignment", "Alignment with human ratings", frame)
    columns: dict[str, _Column] = {
        "Metric": _Column(_metric_label, is_number=False),
        "n": _number("n", 0),
        "Value": _number("value"),
        "95 % CI": _interval("ci_low", "ci_high", signed=False),
    }
    if "floor" in frame.columns:
        columns["Noise floor"] = _number("floor")
    return _listing("alignment", "Alignment with human ratings", frame, columns)


def _metric_label(row: Mapping[str, Any]) -> str:
    metric = METRICS.get(row["metric"])
    return str(row["metric"]) if metric is None else f"{metric.label} ({metric.better} is better)"


def plain_listing(key: str, caption: str, frame: pl.DataFrame | None) -> Listing | None:
    """A small table as it is, whatever its columns."""
    if frame is None:
        return None
    columns = {series.name.replace("_", " "): _plain(series) for series in frame}
    return _listing(key, caption, frame, columns)


def _listing(key: str, caption: str, frame: pl.DataFrame, columns: Mapping[str, _Column]) -> Listing:
    records = frame.head(_MAX_ROWS).to_dicts()
    rows = [[column.cell(r) for column in columns.values()] for r in records]
    left = frame.height - len(records)
    note = f"The first {counted(len(records), 'row')}; {left:,} more are in the Parquet file." if left else ""
    return Listing(key, caption, [(title, c.is_number) for title, c in columns.items()], rows, note)


def _text(column: str) -> _Column:
    return _Column(lambda r: clean(r.get(column) if r.get(column) is not None else "–"), is_number=False)


def _number(column: str, digits: int = 3, *, signed: bool = False) -> _Column:
    return _Column(lambda r: number(r.get(column), digits, signed=signed))


def _chance(column: str) -> _Column:
    return _Column(lambda r: chance(r.get(column)))


def _interval(low: str, high: str, digits: int = 3, *, signed: bool = True) -> _Column:
    return _Column(lambda r: interval(r.get(low), r.get(high), digits, signed=signed))


def _plain(series: pl.Series) -> _Column:
    """Any column: counts as whole numbers, whatever their type, other numbers with digits, all else as text."""
    if not series.dtype.is_numeric():
        return _text(series.name)
    counts = not series.dtype.is_float() or bool((series == series.round(0)).all())
    return _number(series.name, 0 if counts else 3)


def _benchmark_name(row: Mapping[str, Any]) -> str:
    return clean(row["benchmark"]) + (" (partial)" if row.get("partial") else "")
