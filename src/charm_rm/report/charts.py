"""The few kinds of chart the report draws, as Altair; they know rows and colours, not findings.

Each mark names its tooltip by a key; the text itself stays outside Vega (see :mod:`.svg`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import altair as alt

from .svg import Drawing, draw
from .theme import LIGHT, SCALE

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
    scale = alt.Scale(domain=_span(rows, zero), nice=False, zero=False)
    x = alt.X("value:Q", title=axis, scale=scale, axis=alt.Axis(tickCount=8 if width > 500 else 4))
    base = alt.Chart(_ROWS)
    layers: list[Any] = [] if zero is None else [_rule_at(zero)]
    layers += [
        base.mark_rule(aria=False, strokeWidth=2).encode(
            x=alt.X("low:Q", scale=scale), x2="high:Q", y=y, color=_role()
        ),
        base.mark_rule(aria=False, strokeWidth=1, strokeDash=[2, 2], color=LIGHT["before"]).encode(
            x=alt.X("start:Q", scale=scale), x2="value:Q", y=y
        ),
        base.mark_point(
            aria=False, size=52, strokeWidth=1.6, color=LIGHT["before"], fill=LIGHT["card"]
        ).encode(x=alt.X("start:Q", scale=scale), y=y),
        base.mark_circle(aria=False, size=58, opacity=1).encode(x=x, y=y, color=_role()),
        _hover_band(base, y),
    ]
    return _finish(alt.layer(*layers), data, tips, width=width, height={"step": _step(len(rows))})


def stacked_rows(
    rows: Sequence[tuple[str, dict[str, int], str]], *, parts: Sequence[str], width: int, axis: str
) -> Drawing:
    """One bar per (name, counts, tip), split into ``parts``, which are also colour roles."""
    data = [
        {"name": name, "part": part, "order": i, "n": counts.get(part, 0), "key": f"k{j}"}
        for j, (name, counts, _) in enumerate(rows)
        for i, part in enumerate(parts)
    ]
    colour = alt.Color(
        "part:N",
        scale=alt.Scale(domain=list(parts), range=[LIGHT[p] for p in parts]),
        legend=alt.Legend(orient="top", title=None, direction="horizontal", symbolType="square"),
    )
    chart = (
        alt.Chart(_ROWS)
        .mark_bar(height={"band": 0.62})
        .encode(
            x=alt.X("sum(n):Q", title=axis, axis=alt.Axis(tickCount=8 if width > 500 else 4)),
            y=_row_axis([r[0] for r in rows], width),
            color=colour,
            order="order:Q",
            description="key:N",
        )
    )
    tips = {f"k{j}": tip for j, (_, _, tip) in enumerate(rows)}
    return _finish(chart, data, tips, width=width, height={"step": max(22, _step(len(rows)))})


def scatter(
    points: Sequence[Point], *, lines: Sequence[Line], width: int, height: int, x: str, y: str, labels: int
) -> Drawing:
    """Points with intervals both ways, over lines; the ``labels`` points of lowest rank are named."""
    data, tips = _keyed(points)
    base = alt.Chart(_ROWS)
    spans = [_extent(points, "x"), _extent(points, "y")]
    ticks = 8 if width > 500 else 4
    scales = [alt.Scale(domain=s, nice=False, zero=False) for s in spans]
    ax = alt.X("x:Q", title=x, scale=scales[0], axis=alt.Axis(tickCount=ticks))
    ay = alt.Y("y:Q", title=y, scale=scales[1], axis=alt.Axis(tickCount=6))
    bar = {"aria": False, "strokeWidth": 1.1, "opacity": 0.5}
    layers = [
        *(_line(one, spans).encode(x=ax, y=ay) for one in lines),
        base.mark_rule(**bar).encode(x=alt.X("x_low:Q", scale=scales[0]), x2="x_high:Q", y=ay, color=_role()),
        base.mark_rule(**bar).encode(x=ax, y=alt.Y("y_low:Q", scale=scales[1]), y2="y_high:Q", color=_role()),
        base.mark_circle(aria=False, size=62, opacity=1).encode(x=ax, y=ay, color=_role()),
        *(
            one.encode(x=ax, y=ay)
            for one in _labels(points, spans, plot=(width - 64, height - 48), count=labels)
        ),
        base.mark_circle(size=260, opacity=0.001, color=LIGHT["card"]).encode(
            x=ax, y=ay, description="key:N"
        ),
    ]
    return _finish(alt.layer(*layers), data, tips, width=width, height=height)


def heat_map(tiles: Sequence[Tile], *, names: Sequence[str], cell: int, limit: float, legend: str) -> Drawing:
    """A square of cells on a diverging scale from -limit to limit, in steps that can be told apart."""
    data, tips = _keyed(tiles)
    axis = {
        "labelLimit": 190,
        "labelFontSize": 9 if cell < 16 else 11,
        "domain": False,
        "title": None,
        "labelOverlap": False,
    }
    colour = alt.Color(
        "value:Q", scale=alt.Scale(type="quantize", domain=[-limit, limit], range=SCALE), legend=None
    )
    cells = (
        alt.Chart(_ROWS)
        .mark_rect(stroke=LIGHT["card"], strokeWidth=0.6 if cell < 16 else 1)
        .encode(
            x=alt.X(
                "column:N",
                scale=alt.Scale(domain=list(names)),
                axis=alt.Axis(orient="top", labelAngle=-90, **axis),
            ),
            y=alt.Y("row:N", scale=alt.Scale(domain=list(names)), axis=alt.Axis(**axis)),
            color=colour,
            description="key:N",
        )
        .properties(width={"step": cell}, height={"step": cell})
    )
    chart = alt.vconcat(_colour_key(limit, legend, colour), cells, spacing=16)
    return _finish(chart.resolve_scale(x="independent", y="independent"), data, tips)


# --- parts --------------------------------------------------------------------------------------


_ROWS = alt.NamedData(name="rows")  # named, for Altair copies data again with every layer


def _keyed(rows: Sequence[Any]) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Rows as chart data, each under a key, and the tooltips by key."""
    values = [{k: v for k, v in vars(r).items() if k != "tip"} | {"key": f"k{i}"} for i, r in enumerate(rows)]
    return values, {f"k{i}": r.tip for i, r in enumerate(rows)}


def _role() -> alt.Color:
    roles = ["over", "under", "even", "accent"]
    return alt.Color("role:N", scale=alt.Scale(domain=roles, range=[LIGHT[r] for r in roles]), legend=None)


def _row_axis(names: Sequence[str], width: int) -> alt.Y:
    axis = alt.Axis(
        title=None, labelLimit=250 if width > 500 else 132, domain=False, labelPadding=8, labelOverlap=False
    )
    return alt.Y("name:N", scale=alt.Scale(domain=list(dict.fromkeys(names))), axis=axis)


_SIGNED = "datum.value === 0 ? '0' : replace(format(datum.value, '+.2~f'), '-', '\u2212')"


def _colour_key(limit: float, title: str, colour: alt.Color) -> Any:
    """The strip that says which colour stands for which value."""
    step = 2 * limit / len(SCALE)
    edges = [-limit + i * step for i in range(len(SCALE) + 1)]
    values = [{"low": a, "high": b, "value": (a + b) / 2} for a, b in pairwise(edges)]
    axis = alt.Axis(
        title=None,
        values=[-limit, -limit / 2, 0, limit / 2, limit],
        labelExpr=_SIGNED,
        grid=False,
        domain=False,
    )
    return (
        alt.Chart(alt.InlineData(values=values))
        .mark_rect(aria=False)
        .encode(
            x=alt.X("low:Q", scale=alt.Scale(domain=[-limit, limit], nice=False), axis=axis),
            x2="high:Q",
            color=colour,
        )
        .properties(
            width=240,
            height=10,
            title=alt.TitleParams(title, anchor="start", fontSize=12, fontWeight="normal", offset=6),
        )
    )


def _hover_band(base: alt.Chart, y: alt.Y) -> Any:
    """An invisible bar over the whole row: the tooltip needs no aim."""
    return base.mark_bar(opacity=0.001, color=LIGHT["card"], height={"band": 1}).encode(
        x=alt.value(0), x2=alt.value("width"), y=y, description="key:N"
    )


def _rule_at(x: float) -> Any:
    data = alt.InlineData(values=[{"at": x}])
    return alt.Chart(data).mark_rule(aria=False, color=LIGHT["axis"]).encode(x="at:Q")


def _line(line: Line, spans: Sequence[list[float]]) -> Any:
    """The line clipped to the plot, so that it stretches no axis."""
    (x0, x1), (y0, y1) = line.x, line.y
    slope = (y1 - y0) / (x1 - x0) if x1 != x0 else 0.0
    ends = sorted(spans[0])
    if slope:
        across = sorted(x0 + (y - y0) / slope for y in spans[1])
        ends = [max(ends[0], across[0]), min(ends[1], across[1])]
    if ends[0] >= ends[1]:
        ends = [spans[0][0]] * 2
    values = [{"x": x, "y": y0 + slope * (x - x0)} for x in ends]
    return alt.Chart(alt.InlineData(values=values)).mark_line(
        aria=False,
        color=LIGHT["axis" if line.dashed else "accent"],
        strokeWidth=1.2 if line.dashed else 2,
        **({"strokeDash": [4, 4]} if line.dashed else {}),
    )


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
    points: Sequence[Point], spans: Sequence[list[float]], *, plot: tuple[int, int], count: int
) -> list[Any]:
    """Name the points of lowest rank wherever a name fits without covering a point, a bar or another name."""
    boxes = [_pixels(p, spans, plot) for p in points]
    taken: list[Box] = [(x - 5, y - 5, x + 5, y + 5) for x, y, *_ in boxes]
    taken += [(left, y - 1, right, y + 1) for _, y, left, _, right, _ in boxes]
    taken += [(x - 1, top, x + 1, bottom) for x, _, _, top, _, bottom in boxes]
    layers: list[Any] = []
    for point, box in sorted(zip(points, boxes, strict=True), key=lambda pair: pair[0].rank)[:count]:
        name = point.name if len(point.name) <= 28 else point.name[:27] + "…"
        for align, baseline, dx, dy, text in _places(box, width=6.2 * len(name), height=13):
            inside = text[0] >= 0 and text[2] <= plot[0] and text[1] >= 0 and text[3] <= plot[1]
            if inside and not any(_overlap(text, other) for other in taken):
                taken.append(text)
                layers.append(_label(replace(point, name=name), align, baseline, dx, dy))
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


def _label(point: Point, align: str, baseline: str, dx: float, dy: float) -> Any:
    data = alt.InlineData(values=[{"x": point.x, "y": point.y, "name": point.name}])
    mark = alt.Chart(data).mark_text(
        aria=False, align=align, baseline=baseline, dx=dx, dy=dy, fontSize=11, color=LIGHT["ink"], limit=0
    )
    return mark.encode(text="name:N")


def _finish(
    chart: Any, data: list[dict[str, Any]], tips: dict[str, str], *, width: int = 0, height: Any = None
) -> Drawing:
    """Apply the house style; with a ``width`` the drawing, axes and all, is that wide."""
    if width:
        fit = alt.AutoSizeParams(type="fit" if isinstance(height, int) else "fit-x", contains="padding")
        chart = chart.properties(width=width, height=height, autosize=fit)
    text = {"labelColor": LIGHT["ink"], "titleColor": LIGHT["muted"], "labelFontSize": 11.5}
    axis = {
        "gridColor": LIGHT["grid"],
        "domainColor": LIGHT["rule"],
        "ticks": False,
        "titleFontWeight": "normal",
    }
    chart = chart.properties(padding=4, background=LIGHT["card"]).configure(
        font=FONT,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(**text, **axis, titleFontSize=12, labelPadding=6, titlePadding=10),
        legend=alt.LegendConfig(**text),
        title=alt.TitleConfig(color=LIGHT["muted"]),
    )
    return draw(chart.to_dict(validate=False) | {"datasets": {"rows": data}}, tips)
