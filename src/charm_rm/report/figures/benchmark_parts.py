"""The figures of one benchmark: accuracies beside placebos, accuracy by style, reliability, margins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import polars as pl

from ..charts import Line, Point, Row, interval_rows, scatter
from ..histogram import Bar, histogram
from ..words import interval, number
from ._registry import Picture, both
from .benchmarks import accuracy_row

_MOST = 60


def accuracy_picture(frame: pl.DataFrame, placebos: pl.DataFrame | None) -> Picture:
    """Accuracy of every figure, the baseline's hollow, and the placebos' of the last one."""
    named = frame.drop("benchmark")
    if frame["metric"].n_unique() == 1:
        named = named.with_columns(metric=pl.col("subset"))  # one metric needs no name
    rows = [accuracy_row(r) for r in named.to_dicts()[-_MOST:]]
    told = ""
    if placebos is not None:
        last = placebos.group_by("placebo", maintain_order=True).last().to_dicts()
        rows += [_placebo(r) for r in last]
        told = f" Grey: what placebos score on {last[0]['subset']}."
    hollow = (
        " Hollow: the baseline on the same items." if frame["difference"].null_count() < frame.height else ""
    )
    return both(
        lambda w: interval_rows(rows, width=w, axis="accuracy", zero=0.5),
        alt=f"Accuracy on {len(rows)} figures with 95 % intervals.",
        caption=f"Accuracy with 95 % intervals over prompts.{hollow}{told}",
    )


def _placebo(row: Mapping[str, Any]) -> Row:
    name = f"placebo: {row['placebo']}"
    tip = f"{name}\naccuracy {number(row['accuracy'])} {interval(row['ci_low'], row['ci_high'])}"
    return Row(name, row["accuracy"], tip, row["ci_low"], row["ci_high"], "even")


def strata_picture(strata: pl.DataFrame) -> Picture | None:
    """Accuracy by what the better response looks like; the baseline's hollow."""
    frame = strata.filter(pl.col("stratum") != "difference")
    other = {
        (r["by"], r["stratum"]): r["accuracy"] for r in frame.filter(pl.col("model") == "baseline").to_dicts()
    }
    rows = [
        Row(
            name := f"{r['stratum']}",
            r["accuracy"],
            f"{name}\naccuracy {number(r['accuracy'])} {interval(r['ci_low'], r['ci_high'])}, n = {r['n']}",
            r["ci_low"],
            r["ci_high"],
            "accent",
            other.get((r["by"], r["stratum"])),
        )
        for r in frame.filter(pl.col("model") == "model").to_dicts()
    ]
    if not rows:
        return None
    return both(
        lambda w: interval_rows(rows, width=w, axis="accuracy where the better response is ...", zero=0.5),
        alt=f"Accuracy in {len(rows)} strata of length and format.",
        caption="Accuracy where the better response is the shorter or longer, the less or more formatted one."
        + (" Hollow: the baseline." if other else ""),
    )


def reliability_picture(reliability: pl.DataFrame | None) -> Picture | None:
    """How often right, by how sure; on the dashed line a model is calibrated."""
    if reliability is None:
        return None
    points = [
        Point(
            r["model"],
            r["confidence"],
            r["accuracy"],
            f"{r['model']}\nsure {number(r['confidence'])}, right {number(r['accuracy'])} "
            f"{interval(r['ci_low'], r['ci_high'])}, n = {r['n']}",
            y_low=r["ci_low"],
            y_high=r["ci_high"],
            role="accent" if r["model"] == "model" else "even",
        )
        for r in reliability.to_dicts()
    ]
    grey = " Grey: the baseline." if reliability["model"].n_unique() > 1 else ""
    return both(
        lambda w: scatter(
            points,
            lines=[Line((0.0, 1.0), (0.0, 1.0), dashed=True)],
            width=min(w, 620),
            height=320,
            x="how sure: probability of the preferred response",
            y="how often right",
            labels=0,
            within=((0.48, 1.02), (-0.02, 1.02)),
        ),
        alt=f"Reliability in {len(points)} bins of confidence.",
        caption=f"Bins of about as many items each, with 95 % intervals. On the line: calibrated; below it: over-confident.{grey}",
    )


def margin_picture(margins: pl.DataFrame | None) -> Picture | None:
    """How wide the margins are, right ones to the right of 0."""
    if margins is None:
        return None
    bars = [
        Bar(r["low"], r["high"], r["items"], "accent" if r["low"] >= -1e-12 else "over",
            f"margin {number(r['low'], 2)} to {number(r['high'], 2)}\n{number(r['items'], 1)} items")
        for r in margins.filter(pl.col("model") == "model").to_dicts()
    ]  # fmt: skip
    return both(
        lambda w: histogram(bars, width=w, x="margin in favour of the better response", y="items"),
        alt="Histogram of margins in favour of the better response.",
        caption="Margins of the model: right of 0 it prefers the better response. The outermost bars hold all beyond.",
    )
