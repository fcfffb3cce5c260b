"""What style explains of favour: one policy in steps, and all of them by group of features."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..charts import Row, Tile, heat_map, step_rows
from ..gather import Findings
from ..words import elo, interval, number
from ._registry import Picture, both, figure

_AXIS = "Elo points of favour"
_MOST = 40  # policies of the map: those of the largest favour


@figure(
    "explanation", title="The largest favour, in steps", section="favour", needs=("explanation",), order=1
)
def explanation_figure(_: Findings, frame: pl.DataFrame) -> Iterator[Picture]:
    favour = frame.filter(pl.col("kind") == "favour").sort(pl.col("elo").abs(), descending=True)
    policy = favour["policy"][0]
    rows = _steps(frame.filter(pl.col("policy") == policy))
    told = "; ".join(r.tip.replace("\n", " ") for r in rows)
    yield both(
        lambda w: step_rows(rows, width=w, axis=_AXIS),
        alt=f"What explains the favour shown to {policy}: {told}.",
        caption=f"The favour shown to {policy}, step by step: what each group of features explains, and what stays unexplained. They sum to the favour. "
        "Lines: 95 % intervals of each part.",
    )


@figure(
    "explanation_map",
    title="What style explains, policy by policy",
    section="favour",
    needs=("explanation",),
    order=2,
)
def explanation_map(findings: Findings, frame: pl.DataFrame) -> Iterator[Picture]:
    favour = frame.filter(pl.col("kind") == "favour").sort(pl.col("elo").abs(), descending=True).head(_MOST)
    names = favour.sort("elo", descending=True)["policy"].to_list()
    shown = frame.filter(
        pl.col("policy").is_in(names) & pl.col("kind").is_in(["favour", "group", "unexplained"])
    )
    groups = shown.filter(pl.col("kind") == "group")["part"].unique(maintain_order=True).to_list()
    columns = ["favour", *(_group(g) for g in groups), "unexplained"]
    tiles = [
        Tile(r["policy"], _group(r["part"]) if r["kind"] == "group" else r["part"], r["elo"], _tip(r))
        for r in shown.to_dicts()
    ]
    limit = 50.0 * max(1, math.ceil(float(shown["elo"].abs().quantile(0.98) or 0.0) / 50))
    drawing = heat_map(tiles, names=names, columns=columns, cell=18, limit=limit, legend=_AXIS)
    yield Picture(
        drawing,
        None,
        f"Favour of {len(names)} policies in Elo points, what groups of features explain of it, and what stays unexplained.",
        f"Favour, what each group of features explains of it, and what stays unexplained. Orange: adds favour; blue: takes it. {_r_squared(findings.explained)}",
    )


def _steps(rows: pl.DataFrame) -> list[Row]:
    """Groups by size, each from where the one before ended, what is unexplained, and the whole from 0."""
    groups = rows.filter(pl.col("kind") == "group").sort(pl.col("elo").abs(), descending=True).to_dicts()
    rest = rows.filter(pl.col("kind") == "unexplained").to_dicts()
    at, steps = 0.0, []
    for row in (*groups, *rest):
        name = _group(row["part"]) if row["kind"] == "group" else row["part"]
        ends = [None if row[end] is None else at + row[end] for end in ("ci_low", "ci_high")]
        end = at + row["elo"]
        role = "even" if row["kind"] == "unexplained" else "over" if row["elo"] > 0 else "under"
        steps.append(Row(name, end, _tip(row), ends[0], ends[1], role, at))
        at = end
    whole = rows.filter(pl.col("kind") == "favour").to_dicts()[0]
    return [
        *steps,
        Row("favour", whole["elo"], _tip(whole), whole["ci_low"], whole["ci_high"], "accent", 0.0),
    ]


def _group(name: str) -> str:
    """A group that is called as one of our own columns is told from it."""
    return f"{name} (group)" if name in ("favour", "unexplained") else name


def _tip(row: Mapping[str, Any]) -> str:
    ends = interval(row["ci_low"], row["ci_high"], 0, signed=True)
    return f"{row['policy']}\n{row['part']} {elo(row['elo'])} Elo {ends}".rstrip()


def _r_squared(explained: Mapping[str, Any]) -> str:
    """How much is explained, on policies left out before in-sample."""
    rows = explained.get("r_squared") or []
    kinds = {True: "on policies left out of the weights", False: "in-sample"}
    told = [
        f"{number(r['value'], 2)} {interval(r['ci_low'], r['ci_high'], 2)} {kinds[r['held_out']]}"
        for r in rows
    ]
    return f"R²: {', '.join(told)}." if told else ""
