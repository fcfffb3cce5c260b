"""Figures with a row or point per policy: the judge against people, and favour."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..charts import Line, Point, Row, interval_rows, scatter
from ..gather import Audited, Findings
from ..svg import Drawing
from ..words import elo, interval, number
from .figure import Figure, both, colour_role, ends


def ratings_figure(findings: Findings) -> Iterator[Figure]:
    last = findings.before
    if last.favouritism is None:
        return
    human = _by_policy(findings.ratings)
    slope = last.sharpness["value"] if last.sharpness else 1.0
    points = [_rating_point(i, r, human.get(r["policy"], {}), slope) for i, r in _ranked(last.favouritism)]
    lines = _sharpness_lines(points, last)

    def at(width: int) -> Drawing:
        return scatter(
            points,
            lines=lines,
            width=width,
            height=480 if width > 500 else 380,
            x="Arena Elo: what people think",
            y="RM Elo: what the judge thinks",
            labels=len(points) if len(points) <= 8 else 12 if width > 500 else 5,
        )

    yield both("ratings", at, f"Scatter of {len(points)} policies: the judge's Elo against people's Elo.")


def _rating_point(rank: int, row: Mapping[str, Any], human: Mapping[str, Any], slope: float) -> Point:
    middle = row["rm_elo"] - slope * row["favour"]
    tip = (
        f"{row['policy']}\nArena Elo {number(row['arena_elo'], 0)} "
        f"{interval(human.get('ci_low'), human.get('ci_high'), 0)}\nRM Elo {number(row['rm_elo'], 0)}\n{_favour(row)}"
    )
    return Point(
        name=row["policy"],
        x=row["arena_elo"],
        y=row["rm_elo"],
        tip=tip,
        x_low=human.get("ci_low"),
        x_high=human.get("ci_high"),
        y_low=middle + slope * row["ci_low"],
        y_high=middle + slope * row["ci_high"],
        role=colour_role(row["favour"], row["q_value"]),
        rank=rank,
    )


def _sharpness_lines(points: list[Point], audited: Audited) -> list[Line]:
    """RM Elo = c + a * (Arena Elo), and the same with a = 1 through the middle of the points."""
    frame = audited.favouritism
    if frame is None or audited.sharpness is None:
        return []
    slope = audited.sharpness["value"]
    residual = pl.col("rm_elo") - slope * (pl.col("arena_elo") + pl.col("favour"))
    constant = float(frame.select(residual.median()).item())
    xs = (min(p.x for p in points), max(p.x for p in points))
    middle = sum(p.x for p in points) / len(points)
    height = constant + slope * middle
    return [
        Line(xs, (height + xs[0] - middle, height + xs[1] - middle), dashed=True),
        Line(xs, (constant + slope * xs[0], constant + slope * xs[1])),
    ]


def favour_figure(findings: Findings) -> Iterator[Figure]:
    frame = findings.before.favouritism
    if frame is None:
        return
    after = _by_policy(findings.after.favouritism if findings.after else None)
    rows = [_favour_row(r, None) for _, r in _ranked(frame.sort("favour", descending=True))]
    shown = ends(rows)
    yield both(
        "favour",
        lambda w: interval_rows(shown, width=w, axis="favour, Elo points"),
        f"Favour shown to {len(shown)} policies in Elo points with 95 % intervals, most favoured first.",
    )
    moved = [
        _favour_row(after[r["policy"]], r)
        for r in frame.sort("favour", descending=True).to_dicts()
        if r["policy"] in after
    ]
    if moved:
        yield both(
            "favour_after",
            lambda w: interval_rows(ends(moved), width=w, axis="favour, Elo points"),
            f"Favour of {len(moved)} policies before and after calibration, in Elo points.",
        )


def _favour_row(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> Row:
    then = f"before: {_favour(before)}\nafter: " if before else ""
    return Row(
        name=row["policy"],
        value=row["favour"],
        low=row["ci_low"],
        high=row["ci_high"],
        role=colour_role(row["favour"], row["q_value"]),
        start=before["favour"] if before else None,
        tip=f"{row['policy']}\n{then}{_favour(row)}, q = {number(row['q_value'])}",
    )


def _favour(row: Mapping[str, Any]) -> str:
    return f"favour {elo(row['favour'])} Elo {interval(row['ci_low'], row['ci_high'], 0, signed=True)}"


def _ranked(frame: pl.DataFrame) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their rank by size of favour."""
    rank = frame["favour"].abs().rank("ordinal", descending=True).to_list()
    return zip(rank, frame.to_dicts(), strict=True)


def _by_policy(frame: pl.DataFrame | None) -> dict[str, dict[str, Any]]:
    return {} if frame is None else {r["policy"]: r for r in frame.to_dicts()}
