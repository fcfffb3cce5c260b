"""What the subcommands share: printing. Options are in :mod:`.options`."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..estimates import signed
from ..visible import json_visible, visible

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console
    from rich.text import Text

    from ..settings import TableSettings
    from ..tables import Estimate, Margins, Scores


def load_comparable(
    path: Path, *, annotator: str | None, baseline: str | None, table: TableSettings
) -> Scores | Margins:
    """Scores or judgements: what can be calibrated.

    Raises:
        ConfigError: the file holds published win rates.
    """
    from ..errors import ConfigError
    from ..sources import load_source
    from ..tables import WinRates

    source = load_source(path, annotator=annotator, baseline=baseline, table=table.part("scores", first=True))
    if isinstance(source, WinRates):
        raise ConfigError(
            "published win rates have nothing that an offset could be added to",
            where=str(path),
            fix="give the scores or judgements they were made from",
        )
    return source


def console() -> Console:
    """A rich console on standard output: colour where the terminal has it, full width when piped."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)


def print_json(value: Any) -> None:
    """Print JSON to standard output, nothing else: safe to pipe."""
    click.echo(json_visible(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)))


def echo(text: str = "", *, err: bool = False, label: str = "", colour: str | None = None) -> None:
    """Print text, which may hold names and paths from anywhere: no part of it steers the terminal.

    ``label`` comes first, bold, in ``colour``. Every command prints through this, :func:`print_frame` or :func:`console`.
    """
    start = f"{click.style(visible(label, keep=chr(10)), fg=colour, bold=True)} " if label else ""
    click.echo(start + visible(text, keep="\n\t"), err=err)


def say(message: str) -> None:
    """Tell the person something, on standard error, so that standard output stays data."""
    echo(message, err=True)


def heading(text: str) -> None:
    """Print a bold line on standard output (plain where it is no terminal)."""
    click.echo(click.style(visible(text), bold=True))


def interval(estimate: Estimate, *, digits: int = 2, unit: str = "") -> str:
    """``1.99 [1.75, 2.30]``; the value alone where there is no interval."""
    value = f"{estimate.value:.{digits}f}{unit}"
    if estimate.ci_low is None:
        return value
    return f"{value} [{estimate.ci_low:.{digits}f}, {estimate.ci_high:.{digits}f}]"


# Text columns of numbers: set to the right.
_INTERVAL, _Q = "95 % CI", "q"


def interval_column(digits: int) -> pl.Expr:
    """``ci_low`` and ``ci_high`` as one text column; one end missing is an open interval."""
    import polars as pl

    def text(row: dict[str, float | None]) -> str:
        low, high = row["ci_low"], row["ci_high"]
        if low is None and high is None:
            return "-"
        left = "(open" if low is None else f"[{signed(low, digits)}"
        return f"{left}, {'open)' if high is None else f'{signed(high, digits)}]'}"

    return pl.struct("ci_low", "ci_high").map_elements(text, return_dtype=pl.String).alias(_INTERVAL)


def q_column() -> pl.Expr:
    """``q_value`` as text with two significant digits; ``-`` where there is no test."""
    import polars as pl

    shown = pl.col("q_value").map_elements(lambda q: f"{q:.2g}", return_dtype=pl.String)
    return shown.fill_null("-").alias(_Q)


def print_frame(
    frame: pl.DataFrame, *, title: str, digits: int = 3, limit: int | None = None, tail: int = 0
) -> None:
    """Print a frame as a rich table.

    Beyond ``limit`` rows the middle is left out, saying so; the last ``tail`` rows are always shown.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(title=Text(visible(title)), title_justify="left", header_style="bold")
    for name, dtype in frame.schema.items():
        numeric = dtype.is_numeric() or name in (_INTERVAL, _Q)
        table.add_column(
            Text(visible(name)), justify="right" if numeric else "left", no_wrap=numeric, overflow="fold"
        )
    shown = limit if limit and frame.height > limit + tail else frame.height
    head, cut = frame.head(shown), shown < frame.height
    for row in head.iter_rows():
        table.add_row(*[_cell(v, digits, name) for name, v in zip(frame.columns, row, strict=True)])
    if cut:
        table.add_row(f"... {frame.height - head.height - tail} more", *[""] * (frame.width - 1), style="dim")
        for row in frame.tail(tail).iter_rows():
            table.add_row(*[_cell(v, digits, name) for name, v in zip(frame.columns, row, strict=True)])
    console().print(table)


# Columns that carry the verdict of a row, coloured where the terminal has colour.
_COLOURS = {
    "verdict": {"wins too often": "red", "wins too rarely": "blue"},
    "better": {"yes": "green", "no": "red"},
}


def _cell(value: Any, digits: int, column: str) -> Text:
    """A value as text: data are never read as markup."""
    from rich.text import Text

    if value is None:
        return Text("-", style="dim")
    if isinstance(value, float) and 0 < abs(value) < 0.5 * 10**-digits:
        return Text(f"{value:.0e}")
    text = f"{value:.{digits}f}" if isinstance(value, float) else visible(str(value))
    return Text(text, style=_COLOURS.get(column, {}).get(text, ""))
