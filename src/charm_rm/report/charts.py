"""The few kinds of chart the report draws, as Vega-Lite; they know rows and colours, not findings.

Specifications are plain dictionaries: building them through Altair took several times as long as drawing them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from .labels import Box, Mark, Place, place_names
from .svg import Drawing
from .theme import LIGHT, SCALE
from .vega import (
    KEY,
    ROLE,
    SIGNED,
    Spec,
    finish,
    hover,
    hover_band,
    keyed,
    layer,
    quantity,
    row_axis,
    rule_at,
)


@dataclass(frozen=True)
class Row:
    """One named value with its interval; ``start`` is the value before, where there is one."""

    name: str
    value: float
    tip: str
    low: float | None = None
    high: float | None = None
    role: str = "even"
    start: float | None = None


@dataclass(frozen=True)
class Point:
    """A point with intervals both ways; ``label`` asks for its name beside it."""

    name: str
    x: float
    y: float
    tip: str
    x_low: float | None = None
    x_high: float | None = None
    y_low: float | None = None
    y_high: float | None = None
    role: str = "even"
    rank: int = 0


@dataclass(frozen=True)
class Tile:
    """One cell of a heat map."""

    row: str
    column: str
    value: float
    tip: str


@dataclass(frozen=True)
class Line:
    """A straight line through two points."""

    x: tuple[float, float]
    y: tuple[float, float]
    dashed: bool = False


def interval_rows(rows: Sequence[Row], *, width: int, axis: str, zero: float | None = 0.0) -> Drawing:
    """One line per row: a dot, its interval, and where it started (hollow) if it moved."""
    data, tips = keyed(rows)
    y = row_axis([r.name for r in rows], width)
    scale = {"domain": _span(rows, zero), "nice": False, "zero": False}
    x = quantity("value", axis, scale=scale, ticks=8 if width > 500 else 4)
    low, start = quantity("low", axis, scale=scale), quantity("start", axis, scale=scale)
    hollow = {"size": 52, "strokeWidth": 1.6, "stroke": LIGHT["before"], "fill": LIGHT["card"], "opacity": 1}
    layers = [
        layer("rule", {"x": low, "x2": {"field": "high"}, "y": y, "color": ROLE}, strokeWidth=2),
        layer(
            "rule",
            {"x": start, "x2": {"field": "value"}, "y": y},
            strokeWidth=1,
            strokeDash=[2, 2],
            color=LIGHT["before"],
        ),
        layer("point", {"x": start, "y": y}, **hollow),
        layer("circle", {"x": x, "y": y, "color": ROLE}, size=58, opacity=1),
        hover_band(y),
    ]
    rule = [] if zero is None else [rule_at(zero, scale)]
    return finish({"layer": rule + layers}, data, tips, width=width, height={"step": _step(len(rows))})


def step_rows(rows: Sequence[Row], *, width: int, axis: str) -> Drawing:
    """One bar per row from ``start`` to ``value``, a waterfall; a whisker where the row has an interval."""
    data, tips = keyed(rows)
    y = row_axis([r.name for r in rows], width)
    scale = {"domain": _span(rows, 0.0), "nice": False, "zero": False}
    x = quantity("start", axis, scale=scale, ticks=8 if width > 500 else 4)
    low = quantity("low", axis, scale=scale)
    layers = [
        layer("bar", {"x": x, "x2": {"field": "value"}, "y": y, "color": ROLE}, height={"band": 0.62}),
        layer("rule", {"x": low, "x2": {"field": "high"}, "y": y}, strokeWidth=1.4, color=LIGHT["axis"]),
        hover_band(y),
    ]
    chart = {"layer": [rule_at(0.0, scale), *layers]}
    return finish(chart, data, tips, width=width, height={"step": max(22, _step(len(rows)))})


def stacked_rows(
    rows: Sequence[tuple[str, dict[str, int], str]], *, parts: Sequence[str], width: int, axis: str
) -> Drawing:
    """One bar per (name, counts, tip), split into ``parts``, which are also colour roles."""
    data = [
        {"name": name, "part": part, "order": i, "n": counts.get(part, 0), "key": f"k{j}"}
        for j, (name, counts, _) in enumerate(rows)
        for i, part in enumerate(parts)
    ]
    colour = {
        "field": "part",
        "type": "nominal",
        "scale": {"domain": list(parts), "range": [LIGHT[p] for p in parts]},
        "legend": {"orient": "top", "title": None, "direction": "horizontal", "symbolType": "square"},
    }
    encoding = {
        "x": quantity("n", axis, ticks=8 if width > 500 else 4) | {"aggregate": "sum"},
        "y": row_axis([r[0] for r in rows], width),
        "color": colour,
        "order": {"field": "order", "type": "quantitative"},
        "description": KEY,
    }
    tips = {f"k{j}": tip for j, (_, _, tip) in enumerate(rows)}
    bars = {"mark": {"type": "bar", "height": {"band": 0.62}}, "encoding": encoding}
    return finish(bars, data, tips, width=width, height={"step": max(22, _step(len(rows)))})


def scatter(
    points: Sequence[Point],
    *,
    lines: Sequence[Line],
    width: int,
    height: int,
    x: str,
    y: str,
    labels: int,
    within: Sequence[Sequence[float]] | None = None,
) -> Drawing:
    """Points with intervals both ways, over lines; the ``labels`` points of lowest rank are named.

    ``within``: the ends of the axes, x and y; else they are those of the points.
    """
    data, tips = keyed(points)
    spans = [list(ends) for ends in within or (_extent(points, "x"), _extent(points, "y"))]
    sx, sy = ({"domain": s, "nice": False, "zero": False} for s in spans)
    at = {
        "x": quantity("x", x, scale=sx, ticks=8 if width > 500 else 4),
        "y": quantity("y", y, scale=sy, ticks=6),
    }
    across = at | {"x": quantity("x_low", x, scale=sx), "x2": {"field": "x_high"}, "color": ROLE}
    upright = at | {"y": quantity("y_low", y, scale=sy), "y2": {"field": "y_high"}, "color": ROLE}
    layers = [
        *(_line(one, spans) | {"encoding": at} for one in lines),
        layer("rule", across, strokeWidth=1.1, opacity=0.5),
        layer("rule", upright, strokeWidth=1.1, opacity=0.5),
        layer("circle", at | {"color": ROLE}, size=62, opacity=1),
        *_labels(points, spans, at, plot=(width - 64, height - 48), count=labels),
        hover("circle", at, size=260),
    ]
    return finish({"layer": layers}, data, tips, width=width, height=height)


def heat_map(
    tiles: Sequence[Tile],
    *,
    names: Sequence[str],
    cell: int,
    limit: float,
    legend: str,
    columns: Sequence[str] | None = None,
) -> Drawing:
    """Cells on a diverging scale from -limit to limit, in steps that can be told apart: a square of ``names``, or rows of them by ``columns``."""
    data, tips = keyed(tiles)
    small = cell < 16
    axis = {
        "labelLimit": 190,
        "labelFontSize": 9 if small else 11,
        "domain": False,
        "title": None,
        "labelOverlap": False,
    }
    down, across = (
        {"type": "nominal", "scale": {"domain": list(some)}} for some in (names, columns or names)
    )
    wide = cell if columns is None else max(cell, 34)
    colour = {
        "field": "value",
        "type": "quantitative",
        "scale": {"type": "quantize", "domain": [-limit, limit], "range": SCALE},
        "legend": None,
    }
    cells = {
        "width": {"step": wide},
        "height": {"step": cell},
        "mark": {"type": "rect", "stroke": LIGHT["card"], "strokeWidth": 0.6 if small else 1},
        "encoding": {
            "x": across | {"field": "column", "axis": axis | {"orient": "top", "labelAngle": -90}},
            "y": down | {"field": "row", "axis": axis},
            "color": colour,
            "description": KEY,
        },
    }
    chart = {
        "data": {"name": "rows"},
        "vconcat": [_colour_key(limit, legend, colour), cells],
        "spacing": 16,
        "resolve": {"scale": {"x": "independent", "y": "independent"}},
    }
    return finish(chart, data, tips)


# --- parts that know rows and points -------------------------------------------------------------


def _colour_key(limit: float, title: str, colour: Spec) -> Spec:
    """The strip that says which colour stands for which value."""
    step = 2 * limit / len(SCALE)
    edges = [-limit + i * step for i in range(len(SCALE) + 1)]
    values = [{"low": a, "high": b, "value": (a + b) / 2} for a, b in pairwise(edges)]
    axis = {"title": None, "values": [-limit, -limit / 2, 0, limit / 2, limit], "labelExpr": SIGNED}
    x = {"field": "low", "type": "quantitative", "scale": {"domain": [-limit, limit], "nice": False}}
    return {
        "data": {"values": values},
        "width": 240,
        "height": 10,
        "title": {"text": title, "anchor": "start", "fontSize": 12, "fontWeight": "normal", "offset": 6},
        **layer(
            "rect",
            {
                "x": x | {"axis": axis | {"grid": False, "domain": False}},
                "x2": {"field": "high"},
                "color": colour,
            },
        ),
    }


def _line(line: Line, spans: Sequence[list[float]]) -> Spec:
    """The line clipped to the plot, so that it stretches no axis."""
    (x0, x1), (y0, y1) = line.x, line.y
    slope = (y1 - y0) / (x1 - x0) if x1 != x0 else 0.0
    ends = sorted(spans[0])
    if slope:
        across = sorted(x0 + (y - y0) / slope for y in spans[1])
        ends = [max(ends[0], across[0]), min(ends[1], across[1])]
    if ends[0] >= ends[1]:
        ends = []
    values = [{"x": x, "y": y0 + slope * (x - x0)} for x in ends]
    look = {"color": LIGHT["axis"], "strokeWidth": 1.2, "strokeDash": [4, 4]}
    if not line.dashed:
        look = {"color": LIGHT["accent"], "strokeWidth": 2}
    return {"data": {"values": values}} | layer("line", {}, **look)


def _step(n: int) -> int:
    return 26 if n <= 12 else 21 if n <= 24 else 18


def _span(rows: Sequence[Row], zero: float | None) -> list[float]:
    seen = [v for r in rows for v in (r.value, r.low, r.high, r.start) if v is not None]
    seen += [] if zero is None else [zero]
    low, high = min(seen), max(seen)
    pad = 0.03 * (high - low) or 1.0
    return [low - (pad if low != zero else 0), high + (pad if high != zero else 0)]


def _extent(points: Sequence[Point], axis: str) -> list[float]:
    seen = [v for p in points for k in ("", "_low", "_high") if (v := getattr(p, axis + k)) is not None]
    low, high = min(seen), max(seen)
    pad = 0.06 * (high - low) or 1.0
    return [low - pad, high + pad]


def _labels(
    points: Sequence[Point], spans: Sequence[list[float]], at: Spec, *, plot: tuple[int, int], count: int
) -> list[Spec]:
    """Name the ``count`` points of lowest rank, wherever a name finds room."""
    names = {i: p.name if len(p.name) <= 28 else p.name[:27] + "…" for i, p in enumerate(points)}
    first = sorted(names, key=lambda i: points[i].rank)[:count]
    places = place_names([(i, names[i]) for i in first], [_mark(p, spans, plot) for p in points], plot=plot)
    return [part for i, place in places.items() for part in _label(points[i], names[i], at, place)]


def _mark(p: Point, spans: Sequence[list[float]], plot: tuple[int, int]) -> Mark:
    """A point and its bars in pixels of the plot."""
    (x0, x1), (y0, y1) = spans

    def across(x: float | None) -> float:
        return ((p.x if x is None else x) - x0) / (x1 - x0) * plot[0]

    def down(y: float | None) -> float:
        return (1 - ((p.y if y is None else y) - y0) / (y1 - y0)) * plot[1]

    return Mark(across(p.x), down(p.y), Box(across(p.x_low), down(p.y_high), across(p.x_high), down(p.y_low)))


def _label(point: Point, name: str, at: Spec, place: Place) -> list[Spec]:
    """A name, over a halo that keeps it legible where a line passes behind."""
    data = {"values": [{"x": point.x, "y": point.y, "name": name}]}
    encoding = at | {"text": {"field": "name", "type": "nominal"}}
    where = {"align": place.align, "baseline": place.baseline, "dx": place.dx, "dy": place.dy}
    halo = {"stroke": LIGHT["card"], "strokeWidth": 4, "color": LIGHT["card"]}
    colours = (halo, {"color": LIGHT["ink"]})
    return [{"data": data} | layer("text", encoding, fontSize=11, limit=0, **where, **c) for c in colours]
