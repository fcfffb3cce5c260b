"""Making a study's database: whole, or not at all, and never over votes that people have cast."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from sqlalchemy import Connection, func, inspect, select, text

from ...errors import CharmWarning, ConfigError, OutputExists, counted
from ...store import clear_litter, refuse_existing, temporary_path, writing_to
from ..nouns import Study
from . import schema
from .engine import Store, postgresql_store, sqlite_refusal, sqlite_store
from .rows import write_study

# What SQLite keeps beside a database. Replayed onto another one, they would destroy it.
_BESIDE = ("-wal", "-shm", "-journal")
_KEEP = "export its votes and move it away yourself: --force removes no votes"


# --- SQLite ---------------------------------------------------------------------------------------


def refuse_database(path: str | Path, *, force: bool) -> Path:
    """``path``, where a study may be written to: nothing is there, or, with ``force``, nothing with votes in it.

    Raises:
        OutputExists: something is there; or, whatever ``force`` is, a study with votes, or one that is in use.
    """
    path = refuse_existing(path, force=force)
    if path.is_dir():
        raise OutputExists("is a folder", where=str(path), fix="name a file, such as study.db")
    left = [f"{path.name}{end}" for end in _BESIDE if path.with_name(f"{path.name}{end}").exists()]
    if left and not path.exists():
        raise OutputExists(
            f"{left[0]} is left of a study that is gone, and may hold its last votes",
            where=str(path),
            fix="move it to where the study is, or remove it",
        )
    if path.exists() and (votes := _rows_in(path, "votes")):
        raise OutputExists(f"a study with {counted(votes, 'vote')} is there", where=str(path), fix=_KEEP)
    return path


def _rows_in(path: Path, table: Literal["votes", "raters"]) -> int:
    """Rows of a table of what may be a study; 0 where it is none, empty or damaged beyond reading."""
    try:
        with contextlib.closing(_plain(path)) as connection:
            found: int = connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            return found
    except sqlite3.Error as error:
        if "locked" in str(error) or "busy" in str(error):
            raise sqlite_refusal(str(error), str(path)) from None
        return 0


def _plain(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        f"file:{quote(str(path.absolute()))}?mode=rw", uri=True, timeout=1.0, isolation_level=None
    )


def create_file(path: str | Path, study: Study, *, force: bool) -> Path:
    """Write a study to a new SQLite file that its owner alone can read: it holds votes, and hashes of tokens.

    Raises:
        OutputExists: as :func:`refuse_database`.
        SchemaError, BadSetting: the study cannot be written.
        WriteFailed: the file system refused.
    """
    path = refuse_database(path, force=force)
    invited = _rows_in(path, "raters") if path.exists() else 0
    with writing_to(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        clear_litter(path)
        room = temporary_path(path)
        room.mkdir(mode=0o700)
    whole = room / path.name
    try:
        with writing_to(path):
            os.close(os.open(whole, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            _fill(whole, study)
            with whole.open("rb+") as written:
                os.fsync(written.fileno())
            # Out of its room first: a process that ends right after the file has its name has left nothing else.
            whole = whole.replace(temporary_path(path))
            room.rmdir()
            with _retired(path):
                whole.replace(path)
            _sync_folder(path.parent)
    finally:
        whole.unlink(missing_ok=True)
        shutil.rmtree(room, ignore_errors=True)
    _say_ended_links(invited)
    return path


def _say_ended_links(invited: int) -> None:
    """Whoever was invited to the study that is replaced has a link that opens nothing now."""
    if invited:
        warnings.warn(
            f"the study that was there had {counted(invited, 'rater')}, and this one has none of them: links that were given out open nothing any more; "
            "invite them again (charm study invite)",
            CharmWarning,
            stacklevel=4,
        )


def _fill(path: Path, study: Study) -> None:
    """Make the tables and fill them; the file is left in the mode in which readers and a writer share it (WAL)."""
    store = sqlite_store(path, wal=False)
    with store.writing() as connection:
        schema.metadata.create_all(connection)
        write_study(connection, study, now=time.time())
    store.close()
    with contextlib.closing(_plain(path)) as plain:
        plain.execute("PRAGMA journal_mode=WAL")


@contextlib.contextmanager
def _retired(path: Path) -> Iterator[None]:
    """Within, the old file, if any, is closed for all others and has no files beside it, so that another can take its place.

    Raises:
        OutputExists: it is in use.
    """
    if not path.exists():
        yield
        return
    with contextlib.closing(_plain(path)) as old:
        try:
            old.execute("PRAGMA journal_mode=DELETE")
            old.execute("BEGIN EXCLUSIVE")
        except sqlite3.OperationalError as error:
            if "locked" in str(error) or "busy" in str(error):
                raise OutputExists(
                    "the study is in use", where=str(path), fix="stop its server first"
                ) from None
        except sqlite3.DatabaseError:
            pass  # no database: nothing of it is in use
        yield


def _sync_folder(folder: Path) -> None:
    """Have the new name on disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


# --- PostgreSQL -----------------------------------------------------------------------------------


def refuse_tables(url: str, *, force: bool) -> None:
    """Raise where :func:`create_tables` would for what is there already."""
    with contextlib.closing(postgresql_store(url)) as store, store.reading() as connection:
        _refuse_tables(connection, store, force=force)


def create_tables(url: str, study: Study, *, force: bool) -> None:
    """Write a study into a PostgreSQL database, in one transaction. A database (or a schema that the URL chooses) holds one study.

    Raises:
        OutputExists: a study is there, or tables of its names; ``force`` replaces a study in which nobody has voted.
        RemoteError: the server refused, or is not there.
    """
    with contextlib.closing(postgresql_store(url)) as store, store.said(), store.engine.begin() as connection:
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('charm study'))"))
        invited = 0
        if _refuse_tables(connection, store, force=force):
            connection.execute(text("LOCK TABLE study, votes"))
            _refuse_tables(connection, store, force=force)  # nobody has voted since
            invited = connection.execute(select(func.count()).select_from(schema.raters)).scalar_one()
            schema.metadata.drop_all(connection)
        schema.metadata.create_all(connection)
        write_study(connection, study, now=time.time())
    _say_ended_links(invited)


def _refuse_tables(connection: Connection, store: Store, *, force: bool) -> bool:
    """Whether a study is there that may be replaced; raises where one may not be."""
    ours = set(schema.metadata.tables)
    there = ours & set(inspect(connection).get_table_names())
    if not there:
        return False
    if there != ours:
        raise OutputExists(
            f"the database has a table {sorted(there)[0]!r} of something else",
            where=store.where,
            fix="create a database for the study: createdb NAME",
        )
    votes = connection.execute(select(func.count()).select_from(schema.votes)).scalar_one()
    if votes:
        raise OutputExists(f"a study with {counted(votes, 'vote')} is there", where=store.where, fix=_KEEP)
    if not force:
        raise OutputExists(
            "a study is there already", where=store.where, fix="create another database, or add --force"
        )
    return True


# --- opening --------------------------------------------------------------------------------------


def check_format(store: Store) -> None:
    """Raise where the database holds no study, or one of another format.

    Raises:
        ConfigError: another format, or no study.
    """
    with store.reading() as connection:
        if "study" not in inspect(connection).get_table_names():
            raise ConfigError(
                "there is no study in it", where=store.where, fix="make one with charm study plan, or import"
            )
        found = connection.execute(text("SELECT format FROM study")).scalar_one()
    if found != schema.FORMAT:
        newer = isinstance(found, int) and found > schema.FORMAT
        raise ConfigError(
            f"the study has format {found!r}, and this charm reads format {schema.FORMAT}",
            where=store.where,
            fix="update charm"
            if newer
            else "open it with the charm that wrote it, export its votes, and import them here",
        )
