"""Where names may stand beside their points without covering anything: geometry in pixels, no drawing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

LETTER, HEIGHT = 6.2, 13.0


class Box(NamedTuple):
    """A rectangle of the plot; y grows downwards."""

    left: float
    top: float
    right: float
    bottom: float

    def overlaps(self, other: Box) -> bool:
        return (
            self.left < other.right
            and other.left < self.right
            and self.top < other.bottom
            and other.top < self.bottom
        )


@dataclass(frozen=True)
class Mark:
    """A point and the ends of its bars."""

    x: float
    y: float
    bars: Box


@dataclass(frozen=True)
class Place:
    """How a name is set relative to its point, and the box that it fills."""

    align: str
    baseline: str
    dx: float
    dy: float
    box: Box


def place_names(
    names: Sequence[tuple[int, str]], marks: Sequence[Mark], *, plot: tuple[int, int]
) -> dict[int, Place]:
    """Give each (index of its mark, name), in this order, the best place that is free; some find none.

    A place is free where the name stays inside the plot and covers no point, no bar and no other name.
    """
    taken = [box for mark in marks for box in _covered(mark)]
    whole = Box(0, 0, *plot)
    found: dict[int, Place] = {}
    for index, name in names:
        for place in _places(marks[index], width=LETTER * len(name)):
            if _inside(place.box, whole) and not any(place.box.overlaps(other) for other in taken):
                taken.append(place.box)
                found[index] = place
                break
    return found


def _covered(mark: Mark) -> Iterator[Box]:
    x, y, bars = mark.x, mark.y, mark.bars
    yield Box(x - 5, y - 5, x + 5, y + 5)
    yield Box(bars.left, y - 1, bars.right, y + 1)
    yield Box(x - 1, bars.top, x + 1, bars.bottom)


def _places(mark: Mark, *, width: float) -> Iterator[Place]:
    """Where a name may stand, best first: right, left, above, below, clear of the point's own bars."""
    x, y, bars = mark.x, mark.y, mark.bars
    right, left = max(bars.right, x + 3) + 5, min(bars.left, x - 3) - 5
    top, bottom = min(bars.top, y - 3) - 4, max(bars.bottom, y + 3) + 4
    half_w, half_h = width / 2, HEIGHT / 2
    yield Place("left", "middle", right - x, 0.0, Box(right, y - half_h, right + width, y + half_h))
    yield Place("right", "middle", left - x, 0.0, Box(left - width, y - half_h, left, y + half_h))
    yield Place("center", "bottom", 0.0, top - y, Box(x - half_w, top - HEIGHT, x + half_w, top))
    yield Place("center", "top", 0.0, bottom - y, Box(x - half_w, bottom, x + half_w, bottom + HEIGHT))


def _inside(box: Box, whole: Box) -> bool:
    return (
        box.left >= whole.left
        and box.right <= whole.right
        and box.top >= whole.top
        and box.bottom <= whole.bottom
    )
