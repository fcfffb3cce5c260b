"""What the commands of ``charm study`` share: where a study is, and its models."""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ...errors import ConfigError
from ..common import say
from ..options import PATH
from ..side_by_side import Contender, load_contender

if TYPE_CHECKING:
    from ...settings import TableSettings
    from ...study.database.study_database import StudyDatabase
    from ...study.nouns import Study, StudyModel

VARIABLE = "CHARM_STUDY_DATABASE_URL"
_Command = Callable[..., Any]

database_url_option = click.option(
    "--database-url",
    envvar=VARIABLE,
    metavar="URL",
    help=f"A study in PostgreSQL instead of a file: postgresql://user@host/database. Others see what a command line says, so a password is better given in ${VARIABLE}, or in ~/.pgpass.",
)


@dataclass(frozen=True)
class Place:
    """Where a study is, or is to be: a file, or a database by its URL, which holds a password and is never printed."""

    path: Path | None
    url: str | None

    def __str__(self) -> str:
        """The path, or the URL without its password."""
        if self.path is not None:
            return str(self.path)
        from ...study.database import shown_url

        return shown_url(str(self.url))

    @property
    def typed(self) -> str:
        """What a command line takes for it, in a shell: a path with spaces in quotes. No URL is printed: it may hold a password."""
        return "--database-url ..." if self.path is None else shlex.quote(str(self.path))

    def __repr__(self) -> str:
        return f"Place({str(self)!r})"

    def open(self) -> StudyDatabase:
        """Open the study. Errors as :func:`charm_rm.study.database.open_study`."""
        from ...study.database import open_study

        return open_study(self.path, url=self.url)

    def refuse(self, *, force: bool) -> None:
        """Raise, before any work, where no study can be created: :func:`charm_rm.study.database.refuse_study`."""
        from ..options import given_paths

        if self.path is not None:
            from ...store import refuse_input

            refuse_input(self.path, given_paths())
            _refuse_table_name(self.path)
        from ...study.database import refuse_study

        refuse_study(self.path, url=self.url, force=force)

    def keep(self, study: Study, *, force: bool) -> None:
        """Write a study there. Errors as :func:`charm_rm.study.database.keep_study`."""
        from ...study.database import keep_study

        keep_study(self.path, study, url=self.url, force=force)


def _refuse_table_name(path: Path) -> None:
    """A database called .parquet or .csv would be taken for a table by everyone who meets it, charm included.

    Raises:
        ConfigError: the name is one of tables.
    """
    from ...store import TABLE_FILES

    if path.suffix.lower() in TABLE_FILES:
        raise ConfigError(
            f"a study is a database, and {path.suffix} is the name of a table",
            where=str(path),
            fix=f"write it to {path.with_suffix('.db')}",
        )


def study_argument(command: _Command) -> _Command:
    """The STUDY argument, or ``--database-url`` instead; the command gets a :class:`Place` as ``study``."""

    @functools.wraps(command)
    def with_study(*args: Any, study: Path | None, database_url: str | None, **values: Any) -> Any:
        return command(*args, study=place_of(study, database_url, "STUDY"), **values)

    decorated: _Command = database_url_option(with_study)
    return click.argument("study", type=PATH, required=False, metavar="STUDY")(decorated)


def study_output(command: _Command) -> _Command:
    """``-o study.db``, or ``--database-url`` instead; the command gets a :class:`Place` as ``output``.

    It calls ``output.refuse(force=force)`` before the work, and ``output.keep(study, force=force)`` after it.
    """

    @functools.wraps(command)
    def with_output(*args: Any, output: Path | None, database_url: str | None, **values: Any) -> Any:
        return command(*args, output=place_of(output, database_url, "-o STUDY"), **values)

    decorated: _Command = database_url_option(with_output)
    about = "The study to write: a file such as study.db, or --database-url instead."
    return click.option("-o", "--output", type=PATH, metavar="STUDY", help=about)(decorated)


def place_of(path: Path | None, url: str | None, name: str) -> Place:
    """The place of a path and a URL, of which one is given; a path goes before a URL from the environment.

    Raises:
        UsageError: neither or both are given, or a URL stands where a path should.
    """
    if path is not None and re.match(r"\w+:/", str(path)):  # a path has one slash for two
        raise click.UsageError("a study in a database is given by --database-url URL, or in $" + VARIABLE)
    if path is not None and url is not None and url_is_typed():
        raise click.UsageError(f"{name} and --database-url exclude each other: give one of them")
    if path is None and not url:
        raise click.UsageError(f"give {name}, a file such as study.db, or --database-url")
    return Place(path, None) if path is not None else Place(None, url)


def url_is_typed() -> bool:
    """Whether the URL stands on the command line, not in the environment."""
    source = click.get_current_context().get_parameter_source("database_url")
    return source is click.core.ParameterSource.COMMANDLINE


def say_if_done(database: StudyDatabase) -> None:
    """Say so where no comparison wants a vote any more, as of an imported study: raters would be told that they are done."""
    if all(row.votes >= row.votes_wanted for row in database.policies()):
        say(
            "every comparison has all the votes that it wants: whoever opens a link is told that nothing is left to vote on"
        )


def study_models(
    given: Sequence[Contender],
    table: TableSettings,
    *,
    annotator: str | None = None,
    baseline: str | None = None,
) -> list[StudyModel]:
    """The models of a study, in the order given, each with its table of scores or judgements.

    Raises:
        ConfigError: one is an evaluation or published win rates, or a table is given twice.
    """
    from ...comparison.shared import by_prompt, refuse_doubles
    from ...study.nouns import StudyModel
    from ...tables import Scores

    found = {}
    for one in given:
        if one.source is None or one.evaluation is not None:
            raise ConfigError(
                "a study needs a table of scores or judgements, not an evaluation",
                where=one.name,
                fix="give the scores that were evaluated",
            )
        found[one.name] = by_prompt(
            one.name, load_contender(one, annotator=annotator, baseline=baseline, table=table)
        )
    refuse_doubles(found)
    return [
        StudyModel(name, scores=source) if isinstance(source, Scores) else StudyModel(name, margins=source)
        for name, source in found.items()
    ]
