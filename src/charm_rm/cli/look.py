"""How a command shows its result: as text for a screen, Markdown, CSV, JSON, or in one line. Chosen by options that all share.

The choice lies in click's context, where the printing functions of :mod:`.common` find it.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import click

Form = Literal["text", "json", "markdown", "csv", "quiet"]

_KEY = "charm_rm.look"
_FORMS: dict[str, tuple[tuple[str, ...], str]] = {
    "json": (("--json",), "Print JSON for machines."),
    "markdown": (("--markdown",), "Print GitHub-flavoured Markdown: for a pull request or $GITHUB_STEP_SUMMARY."),
    "csv": (("--csv",), "Print the main table alone as CSV: all rows, numbers in full."),
    "quiet": (("-q", "--quiet"), "Print the main result in one line, and no notes."),
}  # fmt: skip


@dataclass
class Look:
    """The chosen form; ``width``: of lines, whatever the screen; ``whole``: print long tables to the end; ``option``: what asks for that; ``printed``: the CSV is out."""

    form: Form = "text"
    whole: bool = False
    option: str = ""
    printed: bool = False
    width: int | None = None


def look() -> Look:
    """The look of the command that runs; text where none runs."""
    context = click.get_current_context(silent=True)
    found: Look = Look() if context is None else context.meta.get(_KEY, Look())
    return found


def screen_width() -> int | None:
    """Columns of the screen: $COLUMNS where it is set, else the terminal's; ``None`` where there is none: no limit."""
    if (asked := look().width) is not None:
        return asked
    said = os.environ.get("COLUMNS", "")
    if said.isdecimal() and int(said) > 0:
        return int(said)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None if sys.stdout.isatty() else None
    except (OSError, ValueError, AttributeError):
        return None


@contextlib.contextmanager
def printed_as_text(*, width: int) -> Iterator[None]:
    """In the block results are printed as text of this width, whatever command runs: for what Python asks for."""
    with click.Context(click.Command("summary")) as context:
        context.meta[_KEY] = Look(width=width)
        yield


def look_options(*, whole: str | None = "--all") -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """``--json``, ``--markdown``, ``--csv``, ``--quiet``, of which one may be given, and ``--all``.

    The command gets ``as_json`` alone: the rest is for the printing functions. ``whole``: the option that shows whole tables,
    if it is another one, which the command then has itself; ``None``: its tables are always whole.
    """

    def decorate(command: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(command)
        def with_look(*args: Any, **values: Any) -> Any:
            chosen = [form for form in _FORMS if values.pop(f"as_{form}")]
            if len(chosen) > 1:
                flags = " and ".join(f"--{form}" for form in chosen)
                raise click.UsageError(f"{flags} exclude each other: give one of them")
            everything = values.pop("whole_tables", False)
            form: Any = chosen[0] if chosen else "text"
            context = click.get_current_context()
            if everything and context.get_parameter_source("top") is click.core.ParameterSource.COMMANDLINE:
                raise click.UsageError("--all and --top exclude each other: give one of them")
            context.meta[_KEY] = Look(form, everything, whole or "")
            return command(*args, as_json=form == "json", **values)

        decorated: Callable[..., Any] = with_look
        if whole == "--all":
            show = click.option("--all", "whole_tables", is_flag=True, help="Print long tables to the end.")
            decorated = show(decorated)
        for form, (flags, about) in reversed(_FORMS.items()):
            decorated = click.option(*flags, f"as_{form}", is_flag=True, help=about)(decorated)
        return decorated

    return decorate
