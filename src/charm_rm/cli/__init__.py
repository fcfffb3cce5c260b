"""The ``charm`` command: one subcommand per stage, each loads, calls, saves.

Command modules import nothing heavier than click at their top, so that ``charm --help`` stays quick;
what a command needs it imports when it runs.
"""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from typing import Any

import click

from ..errors import CharmError, CharmWarning, ReadingNote
from ..visible import visible
from .common import echo
from .help import LazyGroup
from .look import look
from .refusals import drop_standard_output, open_closed_streams, system_refusal

# In pipeline order: this is the order of ``charm --help``, with a summary that fits a line of 80 columns. The module of that
# name holds a click command `command`.
COMMANDS = {
    "demo": "The whole loop on simulated data, offline",
    "init": "Write a commented configuration for `charm run`",
    "run": "Run every stage from one configuration file",
    "convert": "Show how a table is read, write it in charm's columns",
    "ratings": "Fit ratings from votes, or show a leaderboard",
    "data": "Public data sets: list, fetch, find",
    "sample": "Draw instructions from larger sets of prompts",
    "names": "Which policies find a rating, under which name",
    "doctor": "Check a reward model before you trust its scores",
    "generate": "Let policies answer prompts",
    "responses": "Look at responses before anyone scores them",
    "features": "Measure the style of responses: length, lists, tone",
    "score": "Score responses with a reward model",
    "judge": "Judge pairs of responses, in both orders",
    "audit": "Whom does a reward model or judge favour, is it real?",
    "compare": "Reward models or judges side by side, paired by prompt",
    "power": "How many prompts a finding takes, how many votes",
    "influence": "Which policies, prompts or votes carry a finding",
    "explain": "How much of the favour style explains",
    "calibrate": "Solve score offsets, or weights of style",
    "apply": "Write calibrated scores or judgements",
    "relabel": "Label preference pairs by calibrated scores",
    "train": "Fine-tune a reward model on preference pairs",
    "evaluate": "Run benchmarks; hold scores against human ratings",
    "study": "Ask people: blind votes, and what they decide",
    "report": "Show a run or an audit as one HTML page",
}


class _CharmGroup(LazyGroup):
    """Loads subcommands when asked for, and turns expected errors into short messages."""

    summaries = COMMANDS
    package = __name__

    def invoke(self, ctx: click.Context) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("always", CharmWarning)
            warnings.simplefilter("always", ReadingNote)
            warnings.showwarning = show_warning  # type: ignore[assignment]
            try:
                return super().invoke(ctx)
            except CharmError as error:
                show_error(str(error), debug=ctx.params.get("debug", False))
                ctx.exit(error.exit_code)
            except click.ClickException as error:
                # Final in click's annotations only; the exception prints this text and no other.
                error.message = visible(error.message, keep="\n\t")  # type: ignore[misc]
                raise
            except (click.exceptions.Exit, click.Abort, BrokenPipeError):
                raise
            except Exception as error:
                ctx.exit(show_unexpected(error, debug=ctx.params.get("debug", False)))

    def main(self, *args: Any, **options: Any) -> Any:
        open_closed_streams()
        _sum_in_one_order()
        try:
            return super().main(*args, **options)
        except OSError as error:  # of printing help or usage, which is done before `invoke`
            sys.exit(show_unexpected(error, debug=False))


def _sum_in_one_order() -> None:
    """Let NumPy's BLAS work in one thread: products split among threads differ in their last digits, and with them the bytes of intervals.

    What charm multiplies is small, and torch has threads of its own, but on ARM, where it may share them. A number that is set already stays.
    """
    if os.uname().machine == "x86_64":
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@click.group(cls=_CharmGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="charm-rm", prog_name="charm")
@click.option("--debug", is_flag=True, help="Show tracebacks of errors.")
def main(debug: bool) -> None:
    """Is your reward model or LLM judge playing favourites? By how much, is it real, how to fix it?

    The stages, in order: score responses with a reward model, audit the scores against human ratings,
    calibrate (solve score offsets), relabel preference data, train, evaluate, report. `charm run` does
    all of them from one file.

    \b
    Start here:
      charm audit --example               a real judge, from shipped figures
      charm demo                          all stages on simulated data, offline
      charm init && charm run charm.yaml  your own data
    """


def show_unexpected(error: Exception, *, debug: bool) -> int:
    """Print an error that is no CharmError, and return the exit code: a system that refuses is no fault of charm's."""
    refused = system_refusal(error)
    if refused is None:
        show_error(
            f"unexpected {type(error).__name__}: {error}\n  This is a fault in charm or its environment; "
            "run again with `charm --debug ...` for the traceback.",
            debug=debug,
        )
        return 1
    show_error(str(refused), debug=debug)
    if isinstance(error, OSError) and error.filename is None:
        drop_standard_output()
    return refused.exit_code


def show_error(message: str, *, debug: bool) -> None:
    """Print an error on standard error; with ``debug`` the traceback of the one that is handled, too."""
    if debug:
        traceback.print_exc()
    echo(message, err=True, label="error:", colour="red")


def show_warning(
    message: Warning | str, category: type[Warning], filename: str, lineno: int, *_rest: Any
) -> None:
    """Print a warning on standard error, as ``warnings.showwarning`` is called."""
    if issubclass(category, CharmWarning):
        echo(str(message), err=True, label="warning:", colour="yellow")
    elif issubclass(category, ReadingNote):
        if look().form != "quiet":
            echo(str(message), err=True, label="note:")
    else:
        sys.stderr.write(warnings.formatwarning(message, category, filename, lineno))
