"""What the subcommands share: options that mean the same everywhere, and printing."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console

PATH = click.Path(path_type=Path)

force_option = click.option("--force", is_flag=True, help="Overwrite the output where it exists.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for machines instead of tables."
)
seed_option = click.option("--seed", default=0, show_default=True, help="Seed of everything random.")
draws_option = click.option(
    "--draws", default=1000, show_default=True, help="Bootstrap draws behind the intervals (0: none)."
)
rm_option = click.option(
    "--rm", required=True, metavar="DIR_OR_ID", help="Reward model: a local folder or a Hugging Face hub id."
)


def output_option(
    default: str | None = None, *, required: bool = False, what: str = "Where to write."
) -> Any:
    """The ``-o/--output PATH`` option."""
    return click.option(
        "-o",
        "--output",
        type=PATH,
        default=default,
        required=required,
        show_default=default is not None,
        help=what,
    )


def console() -> Console:
    """A rich console on standard output: colour where the terminal has it, full width when piped."""
    from rich.console import Console

    return Console(highlight=False, width=None if sys.stdout.isatty() else 120)


def print_json(value: Any) -> None:
    """Print JSON to standard output, nothing else: safe to pipe."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str))


def say(message: str) -> None:
    """Tell the person something, on standard error, so that standard output stays data."""
    click.echo(message, err=True)


def print_frame(frame: pl.DataFrame, *, title: str, digits: int = 3, limit: int | None = None) -> None:
    """Print a frame as a rich table; beyond ``limit`` rows it says how many are left out."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for name, dtype in frame.schema.items():
        table.add_column(name, justify="right" if dtype.is_numeric() else "left", no_wrap=dtype.is_numeric())
    for row in frame.head(limit or frame.height).iter_rows():
        table.add_row(*[escape(_cell(v, digits)) for v in row])
    out = console()
    out.print(table)
    if limit and frame.height > limit:
        out.print(f"  ... {frame.height - limit} more rows")


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return "-"
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)
