"""The judge's Elo against people's, policy by policy, over the line of its sharpness."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..about import ratings_name
from ..charts import Line, Point, scatter
from ..gather import Findings
from ..significance import BEYOND_CHANCE
from ..svg import Drawing
from ..words import estimate_words, interval, number
from ._registry import Picture, both, figure
from ._rows import by_policy, colour_role, favour_words, ranked


@figure("ratings", title="Judge and people", section="ratings", needs=("before.favouritism",))
def ratings_figure(findings: Findings, favouritism: pl.DataFrame) -> Iterator[Picture]:
    human, sharpness = by_policy(findings.ratings), findings.before.sharpness
    slope = sharpness["value"] if sharpness else 1.0
    named = ratings_name(findings)
    points = [_point(i, r, human.get(r["policy"], {}), slope, named) for i, r in ranked(favouritism)]
    lines = _sharpness_lines(points, favouritism, slope) if sharpness else []
    fitted = f" {estimate_words(sharpness, 2)}" if sharpness else ""

    def at(width: int) -> Drawing:
        return scatter(
            points,
            lines=lines,
            width=width,
            height=480 if width > 500 else 380,
            x=f"{named}: what people think",
            y="RM Elo: what the judge thinks",
            labels=len(points) if len(points) <= 8 else 12 if width > 500 else 5,
        )

    yield both(
        at,
        alt=f"Scatter of {len(points)} policies: the judge's Elo against people's Elo.",
        caption=f"Solid line: the fitted sharpness{fitted}. Dashed: a judge exactly as sharp as people. Bars "
        "are 95 % intervals: sideways of the human rating, where known; upright of the favour. Coloured dots stay "
        f"significant after adjusting for all policies tested ({BEYOND_CHANCE}).",
    )


def _point(rank: int, row: Mapping[str, Any], human: Mapping[str, Any], slope: float, named: str) -> Point:
    middle = row["rm_elo"] - slope * row["favour"]
    people = f"{number(row['arena_elo'], 0)} {interval(human.get('ci_low'), human.get('ci_high'), 0)}"
    return Point(
        name=row["policy"],
        x=row["arena_elo"],
        y=row["rm_elo"],
        tip=f"{row['policy']}\n{named} {people}\nRM Elo {number(row['rm_elo'], 0)}\n{favour_words(row)}",
        x_low=human.get("ci_low"),
        x_high=human.get("ci_high"),
        y_low=None if row["ci_low"] is None else middle + slope * row["ci_low"],
        y_high=None if row["ci_high"] is None else middle + slope * row["ci_high"],
        role=colour_role(row["favour"], row["q_value"]),
        rank=rank,
    )


def _sharpness_lines(points: list[Point], frame: pl.DataFrame, slope: float) -> list[Line]:
    """RM Elo = c + a * (human Elo), and the same with a = 1 through the middle of the points."""
    residual = pl.col("rm_elo") - slope * (pl.col("arena_elo") + pl.col("favour"))
    constant = float(frame.select(residual.median()).item())
    xs = (min(p.x for p in points), max(p.x for p in points))
    middle = sum(p.x for p in points) / len(points)
    height = constant + slope * middle
    return [
        Line(xs, (height + xs[0] - middle, height + xs[1] - middle), dashed=True),
        Line(xs, (constant + slope * xs[0], constant + slope * xs[1])),
    ]
