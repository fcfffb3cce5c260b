"""Figures of results: drawings that a notebook shows, and that can be saved."""

from __future__ import annotations

import os
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError
from ..paths import expanded
from ..shown import Shown
from ..store import replacing, write_text

if TYPE_CHECKING:
    from ..report.figures._registry import Picture


@dataclass(frozen=True, eq=False)
class Plot:
    """A figure: one picture, or several (mismatch has one per reference). Notebooks show it."""

    pictures: tuple[Picture, ...]

    @property
    def svg(self) -> str:
        """The first picture as SVG: names in it are escaped, and nothing is fetched."""
        return self.pictures[0].wide.svg

    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path:
        """Write the first picture as ``.svg`` or ``.png``.

        Raises:
            ConfigError: another suffix.
            OutputExists: the file exists and ``force`` is off.
        """
        file = expanded(path)
        if file.suffix == ".svg":
            return write_text(self.svg, file, force=force)
        if file.suffix != ".png":
            raise ConfigError(
                f"a figure is no {file.suffix or 'file without a suffix'}",
                where=str(file),
                fix="name it .svg or .png",
            )
        with replacing(file, force=force) as temporary:
            temporary.write_bytes(self.pictures[0].wide.png())
        return file

    def __repr__(self) -> str:
        return "\n".join(f"Plot: {picture.alt}" for picture in self.pictures)

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, str]:
        """What Jupyter asks for."""
        shown = "".join(
            f"<figure>{p.wide.svg}<figcaption>{escape(p.caption)}</figcaption></figure>"
            for p in self.pictures
        )
        return {"text/html": shown, "image/svg+xml": self.svg, "text/plain": repr(self)}


def plot(result: Shown, name: str | None) -> Plot:
    """A figure of a result; raises as :func:`charm_rm.report.results.pictures_of`."""
    from ..report.results import pictures_of

    return Plot(tuple(pictures_of(result, name)))
