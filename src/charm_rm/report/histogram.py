"""A histogram, as Vega-Lite: bars between two edges each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .svg import Drawing
from .vega import KEY, ROLE, finish, keyed, layer, quantity


@dataclass(frozen=True)
class Bar:
    """One bar from ``low`` to ``high``, as high as ``value``."""

    low: float
    high: float
    value: float
    role: str
    tip: str


def histogram(bars: Sequence[Bar], *, width: int, x: str, y: str, height: int = 220) -> Drawing:
    """Bars side by side, from 0 upwards."""
    data, tips = keyed(bars)
    domain = {"domain": [bars[0].low, bars[-1].high], "nice": False, "zero": False}
    encoding = {
        "x": quantity("low", x, scale=domain, ticks=8 if width > 500 else 4),
        "x2": {"field": "high"},
        "y": quantity("value", y, ticks=4),
        "y2": {"datum": 0},
        "color": ROLE,
        "description": KEY,
    }
    chart = {"layer": [layer("bar", encoding, binSpacing=1) | {"mark": {"type": "bar"}}]}
    return finish(chart, data, tips, width=width, height=height)
