"""Connections to a study's database: SQLite or PostgreSQL, readers and writers, and what goes wrong in words."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select
from sqlalchemy.exc import ArgumentError, DBAPIError, SQLAlchemyError, TimeoutError

from ...errors import CharmError, ConfigError, RemoteError, UnreadableFile, WriteFailed, first_line
from ...extras import require
from .schema import study

# Seconds that a writer waits for another process.
BUSY = 30.0
# An outcome that was told is on disk, whatever happens to the machine then.
DURABLE = ("journal_mode=WAL", "synchronous=FULL")
_UNSHARED = ("journal_mode=OFF", "synchronous=OFF")
_WRITES = "charm_writes"


class Store:
    """One database with a study in it. Threads may share it; every process opens its own.

    ``where`` is what messages call it: a path, or a URL without its password.
    """

    def __init__(self, engine: Engine, where: str, *, secret: str | None = None) -> None:
        self.engine, self.where = engine, where
        self._secret = secret
        # SQLite has one writer at a time and lets the others poll; threads of one process stand in line instead.
        self._turn = threading.Lock() if engine.dialect.name == "sqlite" else contextlib.nullcontext()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection that sees one state of the database, and blocks no writer.

        Raises:
            CharmError: as :meth:`said`.
        """
        with self.said():
            connection = self.engine.connect()
        with connection, self.said():
            if self.engine.dialect.name == "postgresql":
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            with connection.begin():
                yield connection

    @contextlib.contextmanager
    def writing(self) -> Iterator[Connection]:
        """A connection that writes alone: what it reads does not change until it is done. At the block's end all is on disk, or nothing is.

        SQLite: BEGIN IMMEDIATE. PostgreSQL: the lock of the study's one row.

        Raises:
            CharmError: as :meth:`said`.
        """
        with self._turn:
            with self.said():
                connection = self.engine.connect().execution_options(**{_WRITES: True})
            with connection, self.said(), connection.begin():
                if self.engine.dialect.name == "postgresql":
                    connection.execute(select(study.c.id).with_for_update()).all()
                yield connection

    @contextlib.contextmanager
    def said(self) -> Iterator[None]:
        """Within, errors of the database are ours, without statements, values or passwords."""
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:
            raise self.translated(error) from None

    def translated(self, error: BaseException) -> CharmError:
        """An error of SQLAlchemy or of a driver in words: WriteFailed, UnreadableFile or RemoteError."""
        cause = error.orig if isinstance(error, DBAPIError) and error.orig is not None else error
        words = first_line(cause)
        if self._secret:
            words = words.replace(self._secret, "***")
        if self.engine.dialect.name == "sqlite":
            return sqlite_refusal(words, self.where)
        if isinstance(error, TimeoutError):
            words = "no connection became free in time"
        return RemoteError(
            f"the database does not answer as it should: {words}",
            where=self.where,
            fix="check that it runs, the address, user and password, and the user's rights; then try again",
        )

    def close(self) -> None:
        """Close all connections; SQLite's log is then part of the file again."""
        self.engine.dispose()


def sqlite_refusal(words: str, where: str) -> CharmError:
    """What SQLite said, as the error that it is."""
    if "locked" in words or "busy" in words:
        return WriteFailed(
            f"another process has been writing for {BUSY:g} s",
            where=where,
            fix="wait for it to end, then try again",
        )
    if "readonly" in words or "read-only" in words:
        return WriteFailed(
            "the study can be read, not written",
            where=where,
            fix="check the permissions of the file and of its folder, or copy both to where you may write",
        )
    if "not a database" in words or "malformed" in words or "no such table" in words:
        return UnreadableFile(
            f"no study, or a damaged one: {words}",
            where=where,
            fix="give the file that `charm study plan` wrote, or a copy kept of it",
        )
    if "unable to open" in words:
        return UnreadableFile(
            "cannot be opened",
            where=where,
            fix="check that it exists, its permissions, and those of its folder",
        )
    return WriteFailed(f"the database refused: {words}", where=where, fix="check disk space and permissions")


def sqlite_store(path: Path, *, wal: bool = True) -> Store:
    """A file that is there already; none is made. One that may not be written to can be read. ``wal=False`` is for files that are being written, and take their place when whole."""

    writable = os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK)
    if not writable:
        _refuse_unread_log(path)
    mode = "mode=rw" if writable else "mode=ro&immutable=1"

    def connect() -> sqlite3.Connection:
        address = f"file:{quote(str(path.absolute()))}?{mode}"
        return sqlite3.connect(address, uri=True, timeout=BUSY, isolation_level=None, check_same_thread=False)

    engine = create_engine(
        "sqlite+pysqlite://",
        creator=connect,
        pool_size=8,
        max_overflow=56,
        poolclass=_pool(),
        hide_parameters=True,
    )
    modes = () if not writable else DURABLE if wal else _UNSHARED

    def prepare(connection: Any, record: object) -> None:  # noqa: ARG001  (SQLAlchemy's signature)
        for pragma in (*modes, "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")

    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(_WRITES, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", prepare)
    event.listen(engine, "begin", begin)
    return Store(engine, str(path))


def _refuse_unread_log(path: Path) -> None:
    """Raise where votes are in the log beside a file that may only be read: SQLite cannot read it without writing."""
    log = path.with_name(f"{path.name}-wal")
    if log.exists() and log.stat().st_size:
        raise UnreadableFile(
            f"it may only be read here, and its last votes are in {log.name}, which SQLite reads only where it may write",
            where=str(path),
            fix="copy both files to a folder where you may write, and open the study there",
        )


def _pool() -> Any:
    from sqlalchemy.pool import QueuePool

    return QueuePool


def postgresql_store(url: str) -> Store:
    """A database by its URL: ``postgresql://user:password@host/database``.

    Raises:
        ConfigError: the URL is none, or names another kind of database.
        MissingExtra: psycopg is not installed.
    """
    address = _address(url)
    require("psycopg", extra="postgresql", what="a study in PostgreSQL")
    password = address.password or _first(address.query.get("password"))
    engine = create_engine(
        address,
        pool_size=8,
        max_overflow=24,
        pool_pre_ping=True,
        hide_parameters=True,
        connect_args={"connect_timeout": 10},
    )
    return Store(engine, shown(url), secret=str(password) if password else None)


def _address(url: str) -> URL:
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        raise ConfigError(
            "the address of the database is not a URL", fix="write postgresql://user:password@host/database"
        ) from None
    if address.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise ConfigError(
            f"no study can be in a database of the kind {address.drivername!r}",
            fix="write postgresql://user:password@host/database; SQLite is given by its path, not by a URL",
        )
    return address.set(drivername="postgresql+psycopg")


# Of what may stand behind the question mark; the rest can be a password, of a key for one.
_HARMLESS = ("host", "port", "dbname", "options", "sslmode")


def shown(url: str) -> str:
    """A URL without its password, wherever that stands in it."""
    try:
        address = make_url(url)
    except (ArgumentError, ValueError):
        return "the database"
    address = address.difference_update_query([name for name in address.query if name not in _HARMLESS])
    return address.render_as_string(hide_password=True)


def _first(value: str | tuple[str, ...] | None) -> str | None:
    return value[0] if isinstance(value, tuple) and value else value if isinstance(value, str) else None
