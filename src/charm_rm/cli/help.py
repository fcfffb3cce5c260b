"""How help and usage errors look: a summary of each command that fits a line, options by subject, "Did you mean"."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import click

from ..errors import did_you_mean
from ..settings import EngineSettings, ModelSettings, RatingsChoice, TableSettings, settings_of

# In the order of ``--help``. Subjects of options, by the names of their parameters; what is in none comes first, as "Options".
_OUTPUT = (
    "output",
    "force",
    "title",
    "top",
    "whole_tables",
    "as_json",
    "as_markdown",
    "as_csv",
    "as_quiet",
    "gates",
)
_SERVERS = ("base_url", "timeout", "on_error", "price_in", "price_out")
_SUBJECTS: dict[str, tuple[str, ...]] = {
    "Human ratings": tuple(one.name for one in settings_of(RatingsChoice)),
    "Reading tables": (
        "annotator",
        "baseline",
        "other_model",
        *(one.name for one in settings_of(TableSettings)),
    ),
    "Which prompts": ("prompts", "split", "split_fraction", "split_seed", "n_prompts"),
    "Models and servers": (*(one.name for one in settings_of(ModelSettings)), *_SERVERS),
    "Engine": tuple(one.name for one in settings_of(EngineSettings)),
    "Output": _OUTPUT,
}
_FEW = 12  # options need no subjects


class CharmCommand(click.Command):
    """A command whose ``--help`` has its options by subject where there are many."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does; where a pattern was expanded by the shell, the error says to quote it."""
        given = list(args)
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as error:
            if "unexpected extra argument" in error.message and (pattern := _pattern_of(given)):
                hint = f"Several files are one table where a pattern in quotes names them: '{pattern}'"
                raise click.UsageError(f"{error.message}\n{hint}", ctx) from None
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, a section a subject."""
        options = [p for p in self.get_params(ctx) if isinstance(p, click.Option)]
        for title, some in _by_subject(options):
            records = [record for option in some if (record := option.get_help_record(ctx)) is not None]
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


def _pattern_of(args: Sequence[str]) -> str | None:
    """``parts/*.parquet``, where most of what was given are files of one kind in one folder, as a shell writes out a pattern."""
    files = [Path(arg) for arg in args if not arg.startswith("-") and Path(arg).is_file()]
    kinds = Counter((str(file.parent), file.suffix) for file in files)
    if not kinds or kinds.most_common(1)[0][1] < 2:
        return None
    (folder, suffix), _count = kinds.most_common(1)[0]
    return f"*{suffix}" if folder == "." else f"{folder}/*{suffix}"


def _by_subject(params: Sequence[click.Option]) -> Iterator[tuple[str, list[click.Option]]]:
    if len(params) <= _FEW:
        yield "Options", list(params)
        return
    names = {p.name for p in params}
    # `source` is the ratings where there are some, else what is read; `baseline` of a judgement goes with its judge.
    subjects = {
        name: title
        for title, known in _SUBJECTS.items()
        for name in known
        if (name != "baseline" or "annotator" in names) and (title != "Human ratings" or "aliases" in names)
    }
    for title in ("Options", *_SUBJECTS):
        chosen = [p for p in params if subjects.get(str(p.name), "Options") == title]
        if chosen:
            yield title, chosen


class CharmGroup(click.Group):
    """A group that suggests the command that was meant."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """As click does, with the name of the nearest command where there is none of this name."""
        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            near = did_you_mean(name, self.list_commands(ctx))
            ctx.fail(f"No such command {name!r}.{near}")
        return super().resolve_command(ctx, args)


class LazyGroup(CharmGroup):
    """A group whose subcommands are modules of one package, each with a click command ``command``, loaded when it is asked for.

    Subclasses give ``summaries`` (name -> summary, in the order of ``--help``), ``package``, and ``modules`` where one has another name.
    """

    summaries: ClassVar[Mapping[str, str]] = {}
    package: ClassVar[str] = ""
    modules: ClassVar[Mapping[str, str]] = {}

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The names, in order."""
        return list(self.summaries)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of this name; None where there is none."""
        if cmd_name not in self.summaries:
            return None
        module = importlib.import_module(f"{self.package}.{self.modules.get(cmd_name, cmd_name)}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands with their summaries: no module is loaded for it."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.summaries.items()))
