"""Where a study lives: one SQLite file, or a PostgreSQL database. The only home of SQLAlchemy, which is loaded when a study is opened."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from ...extras import require
from ..nouns import Study

if TYPE_CHECKING:
    from .study_database import StudyDatabase


def open_study(where: str | Path | None = None, *, url: str | None = None) -> StudyDatabase:
    """Open the study in a file, or in the PostgreSQL database at ``url``.

    Raises:
        ConfigError: neither or both are given, it holds no study, or one of another format.
        UnreadableFile: the file is missing, no database, or damaged.
        RemoteError: the server is not there, or refuses.
        MissingExtra: SQLAlchemy or psycopg is not installed.
    """
    require("sqlalchemy", extra="study", what="a study's database")
    from . import study_database

    return study_database.open_there(where, url=url)


def create_study(
    where: str | Path | None, study: Study, *, url: str | None = None, force: bool = False
) -> StudyDatabase:
    """:func:`keep_study`, and :func:`open_study`. Errors as there."""
    keep_study(where, study, url=url, force=force)
    return open_study(where, url=url)


def keep_study(
    where: str | Path | None, study: Study, *, url: str | None = None, force: bool = False
) -> None:
    """Write a study, planned or finished, to a new file or into an empty PostgreSQL database.

    What raters are asked, and the shares of repeats and checks, are in ``study.provenance`` (:class:`..rules.Rules`). Of the responses
    those that are compared are kept; of votes, the raters' names, without links.

    Raises:
        OutputExists: something is there; ``force`` replaces all but a study with votes in it.
        SchemaError, BadSetting: the study cannot be written.
        WriteFailed, RemoteError: the file system or the server refused.
        MissingExtra: SQLAlchemy or psycopg is not installed.
    """
    require("sqlalchemy", extra="study", what="a study's database")
    from . import study_database

    study_database.keep_there(where, study, url=url, force=force)


def refuse_study(where: str | Path | None, *, url: str | None = None, force: bool = False) -> None:
    """Raise, before any work, where :func:`create_study` would for what is there already. Errors as there."""
    require("sqlalchemy", extra="study", what="a study's database")
    from . import creating

    if where is not None:
        creating.refuse_database(where, force=force)
    else:
        creating.refuse_tables(str(url), force=force)


def shown_url(url: str) -> str:
    """The URL of a database without its password."""
    require("sqlalchemy", extra="study", what="a study's database")
    from .engine import shown

    return shown(url)


__all__ = ["create_study", "keep_study", "open_study", "refuse_study", "shown_url"]
