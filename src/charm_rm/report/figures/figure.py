"""A figure: its drawings at two widths, and what every figure needs to be drawn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..charts import Row
from ..svg import Drawing

WIDE, NARROW = 820, 360
MAX_ROWS = 80


@dataclass(frozen=True)
class Figure:
    """A figure for the page: its drawings by width, what it shows, and how to read it."""

    key: str
    wide: Drawing
    narrow: Drawing | None
    alt: str


def both(key: str, at: Callable[[int], Drawing], text: str) -> Figure:
    return Figure(key, at(WIDE), at(NARROW), text)


def colour_role(value: float, q_value: float | None) -> str:
    """Colour of a finding: only what survives the false discovery rate is coloured."""
    if q_value is None or q_value >= 0.05:
        return "even"
    return "over" if value > 0 else "under"


def ends(rows: list[Row]) -> list[Row]:
    """All rows, or both ends where they are too many to draw."""
    return rows if len(rows) <= MAX_ROWS else rows[: MAX_ROWS // 2] + rows[-MAX_ROWS // 2 :]
