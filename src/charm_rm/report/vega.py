"""The parts that every chart is put together from: layers, axes, hover targets, house style, as Vega-Lite.

Each mark names its tooltip by a key; the text itself stays outside Vega (see :mod:`.svg`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .svg import Drawing, draw
from .theme import LIGHT

Spec = dict[str, Any]
_FONT = "Helvetica, Arial, sans-serif"

_ROLES = ("over", "under", "even", "accent")
ROLE: Spec = {
    "field": "role",
    "type": "nominal",
    "scale": {"domain": list(_ROLES), "range": [LIGHT[r] for r in _ROLES]},
    "legend": None,
}
KEY: Spec = {"field": "key", "type": "nominal"}
SIGNED = "datum.value === 0 ? '0' : replace(format(datum.value, '+.2~f'), '-', '\u2212')"


def keyed(rows: Sequence[Any]) -> tuple[list[Spec], dict[str, str]]:
    """Rows as chart data, each under a key, and the tooltips by key."""
    values = [{k: v for k, v in vars(r).items() if k != "tip"} | {"key": f"k{i}"} for i, r in enumerate(rows)]
    return values, {f"k{i}": r.tip for i, r in enumerate(rows)}


def layer(mark: str, encoding: Spec, **properties: Any) -> Spec:
    """A layer that says nothing to screen readers: one hover layer speaks for all."""
    return {"mark": {"type": mark, "aria": False} | properties, "encoding": encoding}


def hover(mark: str, encoding: Spec, **properties: Any) -> Spec:
    """An invisible layer that carries the tooltips: larger than what is seen, so that it needs no aim."""
    look = {"type": mark, "opacity": 0.001, "color": LIGHT["card"]}
    return {"mark": look | properties, "encoding": encoding | {"description": KEY}}


def hover_band(y: Spec) -> Spec:
    return hover("bar", {"x": {"value": 0}, "x2": {"value": "width"}, "y": y}, height={"band": 1})


def quantity(field: str, title: str, *, scale: Spec | None = None, ticks: int | None = None) -> Spec:
    channel: Spec = {"field": field, "type": "quantitative", "title": title}
    channel |= {"scale": scale} if scale else {}
    return channel | ({"axis": {"tickCount": ticks}} if ticks else {})


def row_axis(names: Sequence[str], width: int) -> Spec:
    axis = {"title": None, "labelLimit": 250 if width > 500 else 132, "domain": False, "labelPadding": 8}
    scale = {"domain": list(dict.fromkeys(names))}
    return {"field": "name", "type": "nominal", "scale": scale, "axis": axis | {"labelOverlap": False}}


def rule_at(x: float, scale: Spec) -> Spec:
    at = {"field": "at", "type": "quantitative", "scale": scale}
    return {"data": {"values": [{"at": x}]}} | layer("rule", {"x": at}, color=LIGHT["axis"])


def finish(
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
    "font": _FONT,
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
