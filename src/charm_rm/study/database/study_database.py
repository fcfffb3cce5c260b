"""A study that is open: what the commands and the page for raters ask of it. Threads may share one; processes open their own."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from sqlalchemy import Connection, select, update

from ...errors import CharmError, ConfigError, UnreadableFile
from ..exchange import Asked, Assignment, Facts, Invitation, PolicyRow, Progress, Rater, RaterRow, Voted
from ..nouns import Study
from . import assigning, people, reading, schema, voting
from .creating import check_format, create_file, create_tables
from .engine import Store, postgresql_store, sqlite_store

T = TypeVar("T")


class StudyDatabase:
    """An open study. ``now`` is always the time in seconds since 1970; a method that writes has its outcome on disk when it returns.

    Raises, all methods:
        WriteFailed, UnreadableFile, RemoteError: the database cannot do it (busy, read-only, damaged, gone).
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    @property
    def where(self) -> str:
        """The file, or the URL without its password."""
        return self._store.where

    def close(self) -> None:
        """Close all connections."""
        self._store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read(self, ask: Callable[[Connection], T]) -> T:
        with self._store.reading() as connection:
            return ask(connection)

    def _write(self, do: Callable[[Connection], T]) -> T:
        with self._store.writing() as connection:
            return do(connection)

    # --- the study --------------------------------------------------------------------------------

    def read(self) -> Study:
        """All of the study as it stands in this moment, raters by name."""
        try:
            return self._read(reading.read_study)
        except CharmError as error:
            error.where = error.where or self.where
            raise

    def facts(self) -> Facts:
        """What the study is, in short."""
        return self._read(reading.read_facts)

    def asked(self) -> Asked:
        """What raters are asked: that of :meth:`facts` which no comparison has to be counted for."""
        return self._read(reading.read_asked)

    def refuse_without_texts(self) -> None:
        """Raise where raters could be shown nothing: before a page is opened, or anyone invited to it.

        Raises:
            ConfigError: a comparison has no texts.
        """
        try:
            self._read(assigning.refuse_without_texts)
        except ConfigError as error:
            error.where = self.where
            raise

    def secret(self) -> str:
        """What signs sessions."""
        found: str = self._read(lambda c: c.execute(select(schema.study.c.secret)).scalar_one())
        return found

    def pause(self, paused: bool) -> None:
        """Give no new assignments, or do so again; open ones can be voted on."""
        self._write(lambda c: c.execute(update(schema.study).values(paused=paused)))

    # --- people -----------------------------------------------------------------------------------

    def new_admin_token(self) -> str:
        """A token for the keeper's page, in clear this once; the old one ends."""
        return self._write(people.renew_admin_token)

    def check_admin(self, token: str) -> bool:
        """Whether this is the keeper's token."""
        return self._read(lambda c: people.is_admin(c, token))

    def invite(
        self,
        name: str,
        *,
        now: float,
        days: float | None = 30.0,
        quota: int | None = None,
        renew: bool = False,
    ) -> Invitation:
        """A link's token for a rater. ``quota``: at most so many comparisons, repeats and checks included; ``renew``: end the old link.

        Raises:
            ConfigError: the name is none, or has a link already; days or quota are out of bounds.
        """
        return self.invite_all([name], now=now, days=days, quota=quota, renew=renew)[0]

    def invite_all(
        self,
        names: Iterable[str],
        *,
        now: float,
        days: float | None = 30.0,
        quota: int | None = None,
        renew: bool = False,
    ) -> list[Invitation]:
        """:meth:`invite` for several, all or none."""

        def do(connection: Connection) -> list[Invitation]:
            return [
                people.invite_rater(connection, name, now=now, days=days, quota=quota, renew=renew)
                for name in names
            ]

        return self._write(do)

    def revoke(self, name: str, *, now: float | None = None) -> None:
        """End a rater's link; votes stay.

        Raises:
            ConfigError: there is no such rater.
        """
        self._write(lambda c: people.revoke_rater(c, name, now=_time(now)))

    def rater_by_token(self, token: str, *, now: float) -> Rater | None:
        """Whose link this is; None where it is nobody's, expired or revoked."""
        return self._read(lambda c: people.rater_of(c, token, now=now))

    def raters(self, *, now: float | None = None) -> list[RaterRow]:
        """Every rater with what they have done."""
        return self._read(lambda c: people.rater_rows(c, now=_time(now)))

    def policies(self) -> list[PolicyRow]:
        """Every policy with the votes on its comparisons."""
        return self._read(people.policy_rows)

    def progress(self, rater_id: int, *, now: float | None = None) -> Progress:
        """How far a rater is."""
        return self._read(lambda c: people.progress_of(c, rater_id, now=_time(now)))

    # --- voting -----------------------------------------------------------------------------------

    def next_assignment(self, rater_id: int, *, now: float) -> Assignment | None:
        """The rater's open assignment, else a new one; None where nothing is left (or the study is paused).

        Raises:
            ConfigError: the study has no texts to show.
        """
        found = self._read(lambda c: assigning.open_assignment(c, rater_id))
        if found is not None:
            return found

        def do(connection: Connection) -> Assignment | None:
            if assigning.open_assignment(connection, rater_id) is None:
                assigning.open_another(connection, rater_id, now=now)
            return assigning.open_assignment(connection, rater_id)

        return self._write(do)

    def vote(
        self,
        rater_id: int,
        public_id: str,
        choice: str,
        *,
        request_id: str,
        now: float,
        comment: str | None = None,
        seconds: float | None = None,
    ) -> Voted:
        """Vote ``left``, ``right``, ``tie`` or ``both_bad`` on the open assignment; with ``saved`` and ``repeated`` the vote is on disk.

        ``request_id`` names the request, so that it can be sent again without a second vote.

        Raises:
            SchemaError: the choice, the comment or the request's name is not one that can be.
        """
        outcome = self._write(
            lambda c: voting.cast_vote(
                c,
                rater_id,
                public_id,
                choice,
                comment=comment,
                seconds=seconds,
                request_id=request_id,
                now=now,
            )
        )
        return Voted(outcome)

    def undo(self, rater_id: int, *, request_id: str, now: float) -> bool:
        """Open the rater's last vote again; False where there is none."""
        return self._write(lambda c: voting.undo_last(c, rater_id, request_id=request_id, now=now))


def _time(now: float | None) -> float:
    return time.time() if now is None else now


def open_there(where: str | Path | None, *, url: str | None) -> StudyDatabase:
    """:func:`charm_rm.study.database.open_study`."""
    _one_of(where, url)
    store = _file(Path(where)) if where is not None else postgresql_store(str(url))
    try:
        check_format(store)
    except BaseException:
        store.close()
        raise
    return StudyDatabase(store)


def keep_there(where: str | Path | None, study: Study, *, url: str | None, force: bool) -> None:
    """:func:`charm_rm.study.database.keep_study`."""
    _one_of(where, url)
    if where is not None:
        create_file(where, study, force=force)
    else:
        create_tables(str(url), study, force=force)


def _file(path: Path) -> Store:
    if not path.is_file():
        what = "is no file" if path.exists() else "does not exist"
        raise UnreadableFile(
            f"the study {what}", where=str(path), fix="give the file that charm study plan wrote"
        )
    return sqlite_store(path)


def _one_of(where: str | Path | None, url: str | None) -> None:
    if (where is None) == (url is None):
        raise ConfigError(
            "give one of two: a study's file, or the URL of a database",
            fix="study.db, or --database-url (url= in Python)",
        )
