"""What the subcommands share: options that mean the same everywhere, and printing."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    import polars as pl
    from rich.console import Console
    from rich.text import Text

    from ..tables import Estimate, Margins, Scores

PATH = click.Path(path_type=Path)

force_option = click.option("--force", is_flag=True, help="Overwrite the output where it exists.")
json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print JSON for machines instead of tables."
)
seed_option = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of everything random."
)
draws_option = click.option(
    "--draws",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    help="Bootstrap draws behind the intervals: 0 (closed-form intervals where there are any) or at least 100.",
)
trust_option = click.option(
    "--trust-remote-code", is_flag=True, help="Run Python code that comes with the model."
)
rm_option = click.option(
    "--rm", required=True, metavar="DIR_OR_ID", help="Reward model: a local folder or a Hugging Face hub id."
)
reward_option = click.option(
    "--reward",
    metavar="WHICH",
    help="Which of several outputs is the reward: output:N, mean, weights:W,W,... or its label (default: as the "
    "registry of well-known models says).",
)


def model_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """How to load and run a reward model: ``--max-length``, ``--dtype``, ``--device``, ``--trust-remote-code``.

    The command passes them on to :func:`~charm_rm.models.load_reward_model` under their own names.
    """
    for option in (
        trust_option,
        click.option(
            "--device",
            default="auto",
            show_default=True,
            help="auto (all GPUs, else the CPU), cpu, cuda, cuda:1, or several: cuda:0,cuda:1",
        ),
        click.option(
            "--dtype",
            type=click.Choice(["float32", "bfloat16", "float16", "auto"]),
            default="float32",
            show_default=True,
            help="Precision; `auto` is as saved.",
        ),
        click.option(
            "--max-length",
            type=click.IntRange(min=1),
            help="Most tokens per conversation (default: the model's).",
        ),
    ):
        command = option(command)
    return command


def store_options(what: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The ``--cache PATH`` and ``--no-cache`` options of commands whose values are kept; see :func:`value_store`."""

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in (
            click.option(
                "--no-cache", is_flag=True, help="Make everything anew, and keep nothing but the output."
            ),
            click.option(
                "--cache", type=PATH, help=f"Store of {what} (default: in $CHARM_CACHE or ~/.cache/charm-rm)."
            ),
        ):
            command = option(command)
        return command

    return decorate


@contextlib.contextmanager
def value_store(output: Path, cache: Path | None, *, no_cache: bool) -> Iterator[Path]:
    """The store to use, with the output locked; by ``no_cache`` one beside it, which goes once the block has succeeded.

    Raises:
        ConfigError: another run is at work on this output.
    """
    from ..locks import locked
    from ..memo import default_memo, remove_memo

    with locked(output.with_name(f".{output.name}.lock"), remove=True):
        if not no_cache:
            yield cache or default_memo()
            return
        beside = output.with_name(f".{output.name}.partial.sqlite")
        if beside.exists():
            say(f"going on from {beside}")
        yield beside
        remove_memo(beside)


def check_store_usage(cache: Path | None, *, no_cache: bool) -> None:
    """Refuse ``--cache`` together with ``--no-cache``."""
    if cache is not None and no_cache:
        raise click.UsageError("--cache and --no-cache exclude each other")


def ratings_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Human ratings, and how policies find theirs: ``--ratings SPEC``, ``--category``, ``--date``, ``--alias``,
    ``--unrated``."""
    for option in (
        click.option(
            "--unrated",
            type=click.Choice(["error", "skip"]),
            default="error",
            show_default=True,
            help="Policies without a rating: stop, or leave them out.",
        ),
        click.option(
            "--alias", type=PATH, help="CSV (policy, arena_name) that names your policies as the ratings do."
        ),
        click.option("--date", help="Date of the ratings, where the source has several (YYYY-MM-DD)."),
        click.option("--category", help="Category of the ratings, where the source has several."),
        click.option(
            "--ratings",
            "ratings_spec",
            metavar="SPEC",
            help="Human ratings: arena, arena:CATEGORY (shipped), a CSV, Parquet or JSON file, or hf:DATASET.",
        ),
    ):
        command = option(command)
    return command


def judgement_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Whose judgements, against whom: ``--annotator``, ``--baseline``. Passed on to
    :func:`~charm_rm.sources.load_source`."""
    for option in (
        click.option(
            "--baseline",
            metavar="POLICY",
            help="Judgements: the model that all others met, where the file does not name it (Arena-Hard v0.1).",
        ),
        click.option(
            "--annotator",
            metavar="NAME",
            help="Judgements: whose, where the file or folder holds several judges.",
        ),
    ):
        command = option(command)
    return command


def load_comparable(path: Path, *, annotator: str | None, baseline: str | None) -> Scores | Margins:
    """Scores or judgements: what can be calibrated.

    Raises:
        ConfigError: the file holds published win rates.
    """
    from ..errors import ConfigError
    from ..sources import load_source
    from ..tables import WinRates

    source = load_source(path, annotator=annotator, baseline=baseline)
    if isinstance(source, WinRates):
        raise ConfigError(
            "published win rates have nothing that an offset could be added to",
            where=str(path),
            mend="give the scores or judgements they were made from",
        )
    return source


def top_option(default: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """The ``--top N`` option of commands that print long tables."""
    return click.option(
        "--top",
        type=click.IntRange(min=0),
        default=default,
        show_default=True,
        help="Rows to print of each long table (0: all).",
    )


def output_option(
    default: str | None = None, *, required: bool = False, what: str = "Where to write."
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
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

    return Console(highlight=False, width=None if sys.stdout.isatty() else 140)


def print_json(value: Any) -> None:
    """Print JSON to standard output, nothing else: safe to pipe."""
    click.echo(json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False, default=str))


def say(message: str) -> None:
    """Tell the person something, on standard error, so that standard output stays data."""
    click.echo(message, err=True)


def heading(text: str) -> None:
    """Print a bold line on standard output (plain where it is no terminal)."""
    click.echo(click.style(text, bold=True))


def interval(estimate: Estimate, *, digits: int = 2, unit: str = "") -> str:
    """``1.99 [1.75, 2.30]``; the value alone where there is no interval."""
    value = f"{estimate.value:.{digits}f}{unit}"
    if estimate.ci_low is None:
        return value
    return f"{value} [{estimate.ci_low:.{digits}f}, {estimate.ci_high:.{digits}f}]"


def interval_column(digits: int) -> pl.Expr:
    """``ci_low`` and ``ci_high`` as one text column; one end missing is an open interval."""
    import polars as pl

    def text(row: dict[str, float | None]) -> str:
        low, high = row["ci_low"], row["ci_high"]
        if low is None and high is None:
            return "-"
        left = "(open" if low is None else f"[{low:+.{digits}f}"
        return f"{left}, {'open)' if high is None else f'{high:+.{digits}f}]'}"

    return pl.struct("ci_low", "ci_high").map_elements(text, return_dtype=pl.String).alias("95 % CI")


def q_column() -> pl.Expr:
    """``q_value`` as text with two significant digits; ``-`` where there is no test."""
    import polars as pl

    shown = pl.col("q_value").map_elements(lambda q: f"{q:.2g}", return_dtype=pl.String)
    return shown.fill_null("-").alias("q")


def print_frame(
    frame: pl.DataFrame, *, title: str, digits: int = 3, limit: int | None = None, tail: int = 0
) -> None:
    """Print a frame as a rich table.

    Beyond ``limit`` rows the middle is left out, saying so; the last ``tail`` rows are always shown.
    """
    from rich.table import Table

    table = Table(title=title, title_justify="left", header_style="bold")
    for name, dtype in frame.schema.items():
        numeric = dtype.is_numeric() or name in ("95 % CI", "q")
        table.add_column(name, justify="right" if numeric else "left", no_wrap=numeric, overflow="fold")
    shown = limit if limit and frame.height > limit + tail else frame.height
    head, cut = frame.head(shown), shown < frame.height
    for row in head.iter_rows():
        table.add_row(*[_cell(v, digits) for v in row])
    if cut:
        table.add_row(f"... {frame.height - head.height - tail} more", *[""] * (frame.width - 1), style="dim")
        for row in frame.tail(tail).iter_rows():
            table.add_row(*[_cell(v, digits) for v in row])
    console().print(table)


# Words that carry the verdict of a row, coloured where the terminal has colour.
_COLOURS = {"over-valued": "red", "under-valued": "blue", "yes": "green", "no": "red"}


def _cell(value: Any, digits: int) -> Text:
    """A value as text: data are never read as markup."""
    from rich.text import Text

    if value is None:
        return Text("-", style="dim")
    if isinstance(value, float) and 0 < abs(value) < 0.5 * 10**-digits:
        return Text(f"{value:.0e}")
    text = f"{value:.{digits}f}" if isinstance(value, float) else str(value)
    return Text(text, style=_COLOURS.get(text, ""))
