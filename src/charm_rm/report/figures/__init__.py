"""The report's figures: findings in, drawings out, at a desktop's and at a phone's width.

A figure is one function in one file of this folder, under :func:`~._registry.figure`, which says all there is to say of it:
its name, its title, what it needs of a run and where on the page it stands. Every file here whose name starts
with no underscore is read when figures are drawn; nothing else lists them.
"""

from __future__ import annotations

import importlib
import pkgutil

from ..gather import Findings
from ._registry import REGISTERED, Figure, drawn

__all__ = ["Figure", "draw_figure", "draw_figures", "drawn_by_us"]


def draw_figures(findings: Findings) -> dict[str, Figure]:
    """Every figure that the findings allow, by key, in the order of the page."""
    _read_all()
    definitions = sorted(REGISTERED.values(), key=lambda d: d.place)
    return {f.key: f for definition in definitions for f in drawn(definition, findings)}


def draw_figure(name: str, findings: Findings) -> list[Figure]:
    """One registered figure of the findings; none where they lack what it needs."""
    _read_all()
    return list(drawn(REGISTERED[name], findings))


def drawn_by_us(stem: str) -> bool:
    """True where a file of this name, without its ending, is one that :func:`draw_figures` may have made."""
    _read_all()
    name, _, part = stem.rpartition("_")
    return stem in REGISTERED or (name in REGISTERED and part.isdecimal())


def _read_all() -> None:
    """Import the figures' files; each registers what it defines."""
    for module in sorted(m.name for m in pkgutil.iter_modules(__path__)):
        if not module.startswith("_"):
            importlib.import_module(f"{__name__}.{module}")
