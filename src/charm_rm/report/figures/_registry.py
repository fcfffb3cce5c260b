"""What a figure is, and how a function becomes one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, get_args

from ..gather import Findings
from ..svg import Drawing

# Sections of the page that hold figures, in its order.
Section = Literal[
    "ratings", "favour", "mismatch", "change", "study", "offsets", "style", "labels", "evaluation"
]

_WIDE, _NARROW = 820, 360


@dataclass(frozen=True)
class Picture:
    """One drawing, wide and narrow, what it shows (for those who cannot see it) and how to read it.

    ``part`` numbers the pictures of a figure that has one per reference.
    """

    wide: Drawing
    narrow: Drawing | None
    alt: str
    caption: str
    part: int | None = None


Draw = Callable[..., Iterator[Picture]]


@dataclass(frozen=True)
class Definition:
    """A registered figure. ``needs`` names what findings must hold: ``offsets``, ``after.favouritism`` ..."""

    name: str
    title: str
    section: Section
    order: int
    needs: tuple[str, ...]
    draw: Draw

    @property
    def place(self) -> tuple[int, int, str]:
        """Where it stands: by section, then by order in it."""
        return get_args(Section).index(self.section), self.order, self.name


@dataclass(frozen=True)
class Figure:
    """A figure of one report. ``key`` is the stem of its files, ``section`` where the page shows it."""

    key: str
    title: str
    section: Section
    picture: Picture


REGISTERED: dict[str, Definition] = {}


def figure(
    name: str, *, title: str, section: Section, needs: tuple[str, ...] = (), order: int = 0
) -> Callable[[Draw], Draw]:
    """Register a function as a figure: it is called with the findings and, after them, with what it ``needs`` of them.

    Args:
        name: of its files, ``figures/NAME.svg`` and ``.png``.
        title: what the page's list of figures calls it.
        section: of the page, under whose text it stands.
        needs: attributes of the findings, by dots, without which there is no figure.
        order: among the figures of its section.
    """

    def register(draw: Draw) -> Draw:
        known = REGISTERED.get(name)
        if section not in get_args(Section):
            raise ValueError(f"figure {name!r}: the page has no section {section!r} for figures")
        if known is not None and known.draw.__module__ != draw.__module__:
            raise ValueError(
                f"two figures are called {name!r}: in {known.draw.__module__}, {draw.__module__}"
            )
        REGISTERED[name] = Definition(name, title, section, order, needs, draw)
        return draw

    return register


def drawn(definition: Definition, findings: Findings) -> Iterator[Figure]:
    """The definition's figures of these findings; none where they lack what it needs."""
    needed = [_found(findings, path) for path in definition.needs]
    if any(value is None for value in needed):
        return
    for picture in definition.draw(findings, *needed):
        part = "" if picture.part is None else f"_{picture.part}"
        yield Figure(f"{definition.name}{part}", definition.title, definition.section, picture)


def both(at: Callable[[int], Drawing], *, alt: str, caption: str, part: int | None = None) -> Picture:
    """A picture drawn for a desktop and for a phone."""
    return Picture(at(_WIDE), at(_NARROW), alt, caption, part)


def _found(findings: Findings, path: str) -> Any:
    """What lies at ``after.favouritism``, say; None where any of it is missing."""
    value: Any = findings
    for name in path.split("."):
        value = None if value is None else getattr(value, name)
    return value
