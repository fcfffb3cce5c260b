"""What results have for people at a prompt or in a notebook: a short ``repr``, HTML, the text that the command prints, pandas, figures.

What draws and prints them lies at the top of the package, in :mod:`.display`, and is looked up by its name when it is asked for, as
the package's public names are: a result that nobody looks at costs nothing.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .errors import ConfigError, MissingExtra, did_you_mean

if TYPE_CHECKING:
    import polars as pl

TOP, WIDTH = 12, 110


class Drawn(Protocol):
    """A figure: a notebook shows it, and it can be saved."""

    @property
    def svg(self) -> str: ...
    def save(self, path: str | os.PathLike[str], *, force: bool = False) -> Path: ...


class Shown:
    """Mixed into results. A class with other tables than ``frame`` says so in :meth:`tables`."""

    def tables(self) -> dict[str, pl.DataFrame]:
        """The result's tables as Polars frames by name, the main one first."""
        return {"frame": self.frame}  # type: ignore[attr-defined]

    def to_pandas(self, table: str | None = None) -> Any:
        """A table of the result, the main one or by its name in :meth:`tables`, as a pandas frame.

        Whole numbers and truths with gaps become pandas' nullable types, so that 7 stays 7.

        Raises:
            MissingExtra: pandas is not installed.
            ConfigError: there is no such table.
        """
        tables = self.tables()
        name = next(iter(tables)) if table is None else table
        if name not in tables:
            raise ConfigError(
                f"{type(self).__name__} has no table {name!r}.{did_you_mean(name, tables)}",
                fix=f"use one of {', '.join(tables)}",
            )
        return _pandas(tables[name])

    def plot(self, name: str | None = None) -> Drawn:
        """The report's figure of this result; ``name`` chooses, where there are several. A notebook shows it; ``.save(path)`` writes SVG or PNG.

        Raises:
            ConfigError: there is no such figure, or no figure of this result at all.
        """
        found: Drawn = _display().plot(self, name)
        return found

    def __repr__(self) -> str:
        return str(_display().short(self))

    def _repr_html_(self) -> str:
        """What a notebook shows: names in it are text, never markup."""
        return str(_display().html(self))


class Summarised(Shown):
    """A result whose summary is text alone."""

    def summary(self, *, top: int = TOP, width: int = WIDTH) -> str:
        """What the command prints: so many rows of each table (0: all), in lines of at most ``width`` cells."""
        return str(_display().text(self, top=top, width=width))


class Figures(dict[str, Any]):
    """The figures of a result by name, ``found.summary["pairs"]``; called, ``found.summary()``, the text that the command prints."""

    _whose: Shown | None = None

    def of(self, whose: Shown) -> Figures:
        """The same figures, of this result."""
        mine = Figures(self)
        mine._whose = whose
        return mine

    def __call__(self, *, top: int = TOP, width: int = WIDTH) -> str:
        """As :meth:`Summarised.summary`."""
        return str(_display().text(self._whose, top=top, width=width))


def bind_figures(result: Shown, figures: Mapping[str, Any]) -> None:
    """Make the summary of a frozen result its own, so that calling it tells of this result."""
    object.__setattr__(result, "summary", Figures(figures).of(result))


def _display() -> Any:
    """The module that draws and prints, which is above all that it shows."""
    return importlib.import_module(f"{__package__}.display")


def _pandas(frame: pl.DataFrame) -> Any:
    try:
        pandas = importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        if error.name != "pandas":
            raise
        raise MissingExtra("this needs pandas, which is not installed", fix="pip install pandas") from error
    return pandas.DataFrame({series.name: _pandas_values(pandas, series) for series in frame})


def _pandas_values(pandas: Any, series: pl.Series) -> Any:
    """Values for a pandas column, without PyArrow."""
    kind = series.dtype
    if kind.is_float():
        return series.to_numpy()
    if kind.is_integer():
        return series.to_numpy() if not series.null_count() else pandas.array(series.to_list(), dtype="Int64")
    if str(kind) == "Boolean":
        return pandas.array(series.to_list(), dtype="boolean") if series.null_count() else series.to_numpy()
    return pandas.Series(series.to_list(), dtype=None if str(kind) == "String" and len(series) else object)
