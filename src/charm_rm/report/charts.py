"""The few kinds of chart the report draws, as Vega-Lite; they know rows and colours, not findings.

Specifications are plain dictionaries: building them through Altair took several times as long as drawing them.
Each mark names its tooltip by a key; the text itself stays outside Vega (see :mod:`.svg`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from .svg import Drawing, draw
from .theme import LIGHT, SCALE

Spec = dict[str, Any]
FONT = "Helvetica, Arial, sans-serif"


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
    data, tips = _keyed(rows)
    y = _row_axis([r.name for r in rows], width)
    scale = {"domain": _span(rows, zero), "nice": False, "zero": False}
    x = _number("value", axis, scale=scale, ticks=8 if width > 500 else 4)
    low, start = _number("low", axis, scale=scale), _number("start", axis, scale=scale)
    hollow = {"size": 52, "strokeWidth": 1.6, "stroke": LIGHT["before"], "fill": LIGHT["card"], "opacity": 1}
    layers = [
        _layer("rule", {"x": low, "x2": {"field": "high"}, "y": y, "color": _ROLE}, strokeWidth=2),
        _layer(
            "rule",
            {"x": start, "x2": {"field": "value"}, "y": y},
            strokeWidth=1,
            strokeDash=[2, 2],
            color=LIGHT["before"],
        ),
        _layer("point", {"x": start, "y": y}, **hollow),
        _layer("circle", {"x": x, "y": y, "color": _ROLE}, size=58, opacity=1),
        _hover_band(y),
    ]
    rule = [] if zero is None else [_rule_at(zero, scale)]
    return _finish({"layer": rule + layers}, data, tips, width=width, height={"step": _step(len(rows))})


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
        "x": _number("n", axis, ticks=8 if width > 500 else 4) | {"aggregate": "sum"},
        "y": _row_axis([r[0] for r in rows], width),
        "color": colour,
        "order": {"field": "order", "type": "quantitative"},
        "description": _KEY,
    }
    tips = {f"k{j}": tip for j, (_, _, tip) in enumerate(rows)}
    bars = {"mark": {"type": "bar", "height": {"band": 0.62}}, "encoding": encoding}
    return _finish(bars, data, tips, width=width, height={"step": max(22, _step(len(rows)))})


def scatter(
    points: Sequence[Point], *, lines: Sequence[Line], width: int, height: int, x: str, y: str, labels: int
) -> Drawing:
    """Points with intervals both ways, over lines; the ``labels`` points of lowest rank are named."""
    data, tips = _keyed(points)
    spans = [_extent(points, "x"), _extent(points, "y")]
    sx, sy = ({"domain": s, "nice": False, "zero": False} for s in spans)
    at = {
        "x": _number("x", x, scale=sx, ticks=8 if width > 500 else 4),
        "y": _number("y", y, scale=sy, ticks=6),
    }
    across = at | {"x": _number("x_low", x, scale=sx), "x2": {"field": "x_high"}, "color": _ROLE}
    upright = at | {"y": _number("y_low", y, scale=sy), "y2": {"field": "y_high"}, "color": _ROLE}
    layers = [
        *(_line(one, spans) | {"encoding": at} for one in lines),
        _layer("rule", across, strokeWidth=1.1, opacity=0.5),
        _layer("rule", upright, strokeWidth=1.1, opacity=0.5),
        _layer("circle", at | {"color": _ROLE}, size=62, opacity=1),
        *_labels(points, spans, at, plot=(width - 64, height - 48), count=labels),
        _hover("circle", at, size=260),
    ]
    return _finish({"layer": layers}, data, tips, width=width, height=height)


def heat_map(tiles: Sequence[Tile], *, names: Sequence[str], cell: int, limit: float, legend: str) -> Drawing:
    """A square of cells on a diverging scale from -limit to limit, in steps that can be told apart."""
    data, tips = _keyed(tiles)
    small = cell < 16
    axis = {
        "labelLimit": 190,
        "labelFontSize": 9 if small else 11,
        "domain": False,
        "title": None,
        "labelOverlap": False,
    }
    place = {"type": "nominal", "scale": {"domain": list(names)}}
    colour = {
        "field": "value",
        "type": "quantitative",
        "scale": {"type": "quantize", "domain": [-limit, limit], "range": SCALE},
        "legend": None,
    }
    cells = {
        "width": {"step": cell},
        "height": {"step": cell},
        "mark": {"type": "rect", "stroke": LIGHT["card"], "strokeWidth": 0.6 if small else 1},
        "encoding": {
            "x": place | {"field": "column", "axis": axis | {"orient": "top", "labelAngle": -90}},
            "y": place | {"field": "row", "axis": axis},
            "color": colour,
            "description": _KEY,
        },
    }
    chart = {
        "data": {"name": "rows"},
        "vconcat": [_colour_key(limit, legend, colour), cells],
        "spacing": 16,
        "resolve": {"scale": {"x": "independent", "y": "independent"}},
    }
    return _finish(chart, data, tips)


# --- parts --------------------------------------------------------------------------------------

_ROLES = ("over", "under", "even", "accent")
_ROLE: Spec = {
    "field": "role",
    "type": "nominal",
    "scale": {"domain": list(_ROLES), "range": [LIGHT[r] for r in _ROLES]},
    "legend": None,
}
_KEY: Spec = {"field": "key", "type": "nominal"}
_SIGNED = "datum.value === 0 ? '0' : replace(format(datum.value, '+.2~f'), '-', '\u2212')"


def _keyed(rows: Sequence[Any]) -> tuple[list[Spec], dict[str, str]]:
    """Rows as chart data, each under a key, and the tooltips by key."""
    values = [{k: v for k, v in vars(r).items() if k != "tip"} | {"key": f"k{i}"} for i, r in enumerate(rows)]
    return values, {f"k{i}": r.tip for i, r in enumerate(rows)}


def _layer(mark: str, encoding: Spec, **properties: Any) -> Spec:
    """A layer that says nothing to screen readers: one hover layer speaks for all."""
    return {"mark": {"type": mark, "aria": False} | properties, "encoding": encoding}


def _hover(mark: str, encoding: Spec, **properties: Any) -> Spec:
    """An invisible layer that carries the tooltips: larger than what is seen, so that it needs no aim."""
    look = {"type": mark, "opacity": 0.001, "color": LIGHT["card"]}
    return {"mark": look | properties, "encoding": encoding | {"description": _KEY}}


def _hover_band(y: Spec) -> Spec:
    return _hover("bar", {"x": {"value": 0}, "x2": {"value": "width"}, "y": y}, height={"band": 1})


def _number(field: str, title: str, *, scale: Spec | None = None, ticks: int | None = None) -> Spec:
    channel: Spec = {"field": field, "type": "quantitative", "title": title}
    channel |= {"scale": scale} if scale else {}
    return channel | ({"axis": {"tickCount": ticks}} if ticks else {})


def _row_axis(names: Sequence[str], width: int) -> Spec:
    axis = {"title": None, "labelLimit": 250 if width > 500 else 132, "domain": False, "labelPadding": 8}
    scale = {"domain": list(dict.fromkeys(names))}
    return {"field": "name", "type": "nominal", "scale": scale, "axis": axis | {"labelOverlap": False}}


def _colour_key(limit: float, title: str, colour: Spec) -> Spec:
    """The strip that says which colour stands for which value."""
    step = 2 * limit / len(SCALE)
    edges = [-limit + i * step for i in range(len(SCALE) + 1)]
    values = [{"low": a, "high": b, "value": (a + b) / 2} for a, b in pairwise(edges)]
    axis = {"title": None, "values": [-limit, -limit / 2, 0, limit / 2, limit], "labelExpr": _SIGNED}
    x = {"field": "low", "type": "quantitative", "scale": {"domain": [-limit, limit], "nice": False}}
    return {
        "data": {"values": values},
        "width": 240,
        "height": 10,
        "title": {"text": title, "anchor": "start", "fontSize": 12, "fontWeight": "normal", "offset": 6},
        **_layer(
            "rect",
            {
                "x": x | {"axis": axis | {"grid": False, "domain": False}},
                "x2": {"field": "high"},
                "color": colour,
            },
        ),
    }


def _rule_at(x: float, scale: Spec) -> Spec:
    at = {"field": "at", "type": "quantitative", "scale": scale}
    return {"data": {"values": [{"at": x}]}} | _layer("rule", {"x": at}, color=LIGHT["axis"])


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
    return {"data": {"values": values}} | _layer("line", {}, **look)


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
    """Name the points of lowest rank wherever a name fits without covering a point, a bar or another name."""
    boxes = [_pixels(p, spans, plot) for p in points]
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y, *_ in boxes]
    taken += [(left, y - 1, right, y + 1) for _, y, left, _, right, _ in boxes]
    taken += [(x - 1, top, x + 1, bottom) for x, _, _, top, _, bottom in boxes]
    layers: list[Spec] = []
    for point, box in sorted(zip(points, boxes, strict=True), key=lambda pair: pair[0].rank)[:count]:
        name = point.name if len(point.name) <= 28 else point.name[:27] + "…"
        for align, baseline, dx, dy, text in _places(box, width=6.2 * len(name), height=13):
            inside = text[0] >= 0 and text[2] <= plot[0] and text[1] >= 0 and text[3] <= plot[1]
            if inside and not any(_overlap(text, other) for other in taken):
                taken.append(text)
                layers.extend(
                    _label(replace(point, name=name), at, align=align, baseline=baseline, dx=dx, dy=dy)
                )
                break
    return layers


Box = tuple[float, ...]


def _pixels(p: Point, spans: Sequence[list[float]], plot: tuple[int, int]) -> Box:
    """x, y and the left, top, right and bottom end of a point's bars, in pixels of the plot."""
    (x0, x1), (y0, y1) = spans

    def across(x: float | None) -> float:
        return ((p.x if x is None else x) - x0) / (x1 - x0) * plot[0]

    def down(y: float | None) -> float:
        return (1 - ((p.y if y is None else y) - y0) / (y1 - y0)) * plot[1]

    return (across(p.x), down(p.y), across(p.x_low), down(p.y_high), across(p.x_high), down(p.y_low))


def _places(box: Box, *, width: float, height: float) -> list[tuple[str, str, float, float, Box]]:
    """Where a name may stand, best first: right, left, above, below, clear of the point's own bars."""
    x, y, left, top, right, bottom = box
    right, left, top, bottom = (
        max(right, x + 3) + 5,
        min(left, x - 3) - 5,
        min(top, y - 3) - 4,
        max(bottom, y + 3) + 4,
    )
    half_w, half_h = width / 2, height / 2
    return [
        ("left", "middle", right - x, 0.0, (right, y - half_h, right + width, y + half_h)),
        ("right", "middle", left - x, 0.0, (left - width, y - half_h, left, y + half_h)),
        ("center", "bottom", 0.0, top - y, (x - half_w, top - height, x + half_w, top)),
        ("center", "top", 0.0, bottom - y, (x - half_w, bottom, x + half_w, bottom + height)),
    ]


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


def _label(point: Point, at: Spec, **place: Any) -> list[Spec]:
    """A name, over a halo that keeps it legible where a line passes behind."""
    data = {"values": [{"x": point.x, "y": point.y, "name": point.name}]}
    encoding = at | {"text": {"field": "name", "type": "nominal"}}
    look = {"fontSize": 11, "limit": 0, **place}
    halo = {"stroke": LIGHT["card"], "strokeWidth": 4, "color": LIGHT["card"]}
    return [{"data": data} | _layer("text", encoding, **look, **c) for c in (halo, {"color": LIGHT["ink"]})]


def _finish(
    chart: Spec, data: list[Spec], tips: dict[str, str], *, width: int = 0, height: Any = None
) -> Drawing:
    """Add data and house style; with a ``width`` the drawing, axes and all, is that wide."""
    if width:
        fit = {"type": "fit" if isinstance(height, int) else "fit-x", "contains": "padding"}
        chart = {"width": width, "height": height, "autosize": fit} | chart
    house = {"data": {"name": "rows"}, "datasets": {"rows": data}, "padding": 4, "background": LIGHT["card"]}
    return draw({"$schema": _SCHEMA} | house | chart | {"config": _CONFIG}, tips)


_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_TEXT: Spec = {"labelColor": LIGHT["ink"], "titleColor": LIGHT["muted"], "labelFontSize": 11.5}
_CONFIG: Spec = {
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        **_TEXT,
        "gridColor": LIGHT["grid"],
        "domainColor": LIGHT["rule"],
        "ticks": False,
        "titleFontWeight": "normal",
        "titleFontSize": 12,
        "labelPadding": 6,
        "titlePadding": 10,
    },
    "legend": _TEXT,
    "title": {"color": LIGHT["muted"]},
}
