"""What the subcommands share: printing. Options are in :mod:`.options`, the form of what is printed in :mod:`.look`."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..estimates import signed
from ..visible import as_markdown, json_visible, visible
from .look import look, screen_width

if TYPE_CHECKING:
    import polars as pl

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


# --- lines ----------------------------------------------------------------------------------------


def print_json(value: Any) -> None:
    """Print JSON to standard output, nothing else: safe to pipe."""
    click.echo(json_visible(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str)))


def echo(
    text: str = "", *, err: bool = False, label: str = "", colour: str | None = None, wrap: bool = True
) -> None:
    """Print text, which may hold names and paths from anywhere: no part of it steers the terminal.

    ``label`` comes first, bold, in ``colour``. Every command prints through this, :func:`heading` and :func:`print_frame`. On standard
    output it is part of the result: broken between words at the screen's width unless ``wrap`` is false, a list item of Markdown, and
    left out where only a table or one line is asked for.
    """
    form = "text" if err else look().form
    if form == "markdown":
        _echo_markdown(text, label)
    elif form in ("text", "json"):
        start = f"{click.style(visible(label, keep=chr(10)), fg=colour, bold=True)} " if label else ""
        shown = visible(text, keep="\n\t")
        if wrap and not err:
            shown = _wrapped(shown, first=len(visible(label)) + 1 if label else 0)
        click.echo(start + shown, err=err)


def _wrapped(text: str, *, first: int = 0) -> str:
    """Each line broken between words at the screen's width; ``first`` cells of the first line are taken."""
    from .layout import wrapped

    width = screen_width()
    lines = text.split("\n")
    if width is None:
        return text
    head = wrapped("_" * first + lines[0], width, hang=2)
    return "\n".join([*head, *(part for line in lines[1:] for part in wrapped(line, width, hang=2))])[first:]


def _echo_markdown(text: str, label: str) -> None:
    bold = f"**{as_markdown(label.strip())}** " if label.strip() else ""
    for line in text.strip("\n").split("\n"):
        if line.strip() or bold:
            indent = "  " if line.startswith("    ") else ""
            click.echo(f"{indent}- {bold}{_in_a_list(as_markdown(line.strip()))}")
            bold = ""


def _in_a_list(text: str) -> str:
    """Text after a list's mark, in which a second mark, a number or ``#`` would begin a list or heading of its own."""
    return re.sub(r"^(?:([#+=-])|(\d{1,9})(?=[.)]))", r"\2\\\1", text)


def say(message: str) -> None:
    """Tell the person something, on standard error, so that standard output stays data; nothing with ``--quiet``."""
    if look().form != "quiet":
        echo(message, err=True)


def heading(text: str) -> None:
    """Print a bold line on standard output (plain where it is no terminal), a heading of Markdown."""
    form = look().form
    if form == "markdown":
        click.echo(f"\n### {as_markdown(text)}\n")
    elif form in ("text", "json"):
        click.echo(click.style(_wrapped(visible(text)), bold=True))


def conclude(text: str) -> None:
    """The result in one line: all that ``--quiet`` prints, and nothing otherwise."""
    if look().form == "quiet":
        click.echo(visible(text))


def interval(estimate: Estimate, *, digits: int = 2, unit: str = "") -> str:
    """``1.99 [1.75, 2.30]``; the value alone where there is no interval."""
    value = f"{estimate.value:.{digits}f}{unit}"
    if estimate.ci_low is None:
        return value
    return f"{value} [{estimate.ci_low:.{digits}f}, {estimate.ci_high:.{digits}f}]"


# --- tables ---------------------------------------------------------------------------------------

# Text columns of numbers: set to the right.
_INTERVAL, _Q = "95 % CI", "q"


def interval_column(
    digits: int, *, ends: tuple[str, str] = ("ci_low", "ci_high"), name: str = _INTERVAL, plus: bool = True
) -> pl.Expr:
    """Both ``ends`` as one text column; one end missing is an open interval. ``plus``: numbers above 0 have their sign."""
    import polars as pl

    def text(row: dict[str, float | None]) -> str:
        low, high = (row[end] for end in ends)
        if low is None and high is None:
            return "-"
        left = "(open" if low is None else f"[{shown(low)}"
        return f"{left}, {'open)' if high is None else f'{shown(high)}]'}"

    def shown(value: float) -> str:
        return signed(value, digits) if plus else f"{value:.{digits}f}"

    return pl.struct(*ends).map_elements(text, return_dtype=pl.String).alias(name)


def q_column() -> pl.Expr:
    """``q_value`` as text with two significant digits; ``-`` where there is no test."""
    import polars as pl

    shown = pl.col("q_value").map_elements(lambda q: f"{q:.2g}", return_dtype=pl.String)
    return shown.fill_null("-").alias(_Q)


def csv_table(frame: pl.DataFrame) -> None:
    """The main table of a command that shows its result in sentences: printed with ``--csv`` alone."""
    if look().form == "csv":
        print_frame(frame, title="")


def print_frame(
    frame: pl.DataFrame,
    *,
    title: str,
    digits: int = 3,
    limit: int | None = None,
    tail: int = 0,
    extra: Sequence[str] = (),
    full: pl.DataFrame | None = None,
    main: bool = True,
) -> None:
    """Print a frame as a table, as wide as the screen at most: see :mod:`.layout`.

    Beyond ``limit`` rows the middle is left out, saying so, unless ``--all`` is given; the last ``tail`` rows are always shown.
    Columns named in ``extra`` are left out first where the screen is narrow. ``--csv`` prints the first frame of a command that is
    ``main``: all rows of ``full``, which has the numbers as they are, or of the frame.
    """
    how = look()
    if how.form == "csv":
        if main and not how.printed:
            how.printed = True
            _print_csv(frame if full is None else full)
        return
    if how.form == "quiet":
        return
    from .tables import framed, markdown_table

    limit = None if how.whole or how.form == "json" else limit
    more = f" ({how.option} shows all)" if how.option else ""
    table = framed(frame, digits=digits, limit=limit, tail=tail, extra=extra)
    if how.form == "markdown":
        click.echo(f"\n**{as_markdown(title)}**\n")
        click.echo("\n".join(markdown_table(table, more=more)) + "\n")
        return
    from .layout import table_lines

    click.echo(click.style(_wrapped(visible(title)), italic=True))
    click.echo("\n".join(table_lines(table, screen_width(), more=more, style=_coloured)))


def _print_csv(frame: pl.DataFrame) -> None:
    """The frame as CSV, hidden characters of names written out as everywhere; what is nested, as JSON."""
    import polars as pl

    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    flat = frame.with_columns(
        pl.col(name).map_elements(lambda v: json.dumps(v, default=str), return_dtype=pl.String)
        for name in nested
    )
    click.echo(visible(flat.write_csv(), keep="\n"), nl=False)


# Columns that carry the verdict of a row, coloured where the terminal has colour.
_COLOURS = {
    "verdict": {"wins too often": "red", "wins too rarely": "blue"},
    "better": {"yes": "green", "no": "red"},
    "status": {"ok": "green", "warn": "yellow", "fail": "red"},
}


def _coloured(column: str, text: str) -> str:
    colour = _COLOURS.get(column, {}).get(text)
    return click.style(text, fg=colour) if colour else text
