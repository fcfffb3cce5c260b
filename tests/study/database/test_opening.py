"""Studies that cannot be opened or made, each refused in words with what to do; passwords stay where they were."""

from __future__ import annotations

import os
import pwd
import random
import sqlite3
import stat
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")

from dataclasses import replace

import study_tables
from charm_rm.errors import (
    CharmError,
    CharmWarning,
    ConfigError,
    OutputExists,
    RemoteError,
    SchemaError,
    UnreadableFile,
    WriteFailed,
)
from charm_rm.study.database import (
    create_study,
    creating,
    engine,
    keep_study,
    open_study,
    refuse_study,
    shown_url,
)
from charm_rm.study.database.study_database import StudyDatabase
from charm_rm.tables import Responses
from postgres import LOCKED, PASSWORD, Cluster
from study_worlds import small_study

STUDY = small_study(3)


def vote_once(database: StudyDatabase) -> None:
    rater = database.invite("Ann", now=0.0).rater.id
    seen = database.next_assignment(rater, now=1.0)
    assert seen is not None
    database.vote(rater, seen.public_id, "left", request_id="request-1", now=2.0)


# --- files ----------------------------------------------------------------------------------------


def test_only_its_owner_reads_a_study_and_nothing_is_left_beside_it(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        with create_study(tmp_path / "study.db", STUDY) as database:
            vote_once(database)
            modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
    finally:
        os.umask(old)
    assert modes == dict.fromkeys(("study.db", "study.db-wal", "study.db-shm"), 0o600)
    assert [p.name for p in tmp_path.iterdir()] == ["study.db"]


def test_a_study_has_its_name_last_when_all_else_is_cleared_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who is killed from then on leaves the study alone."""
    seen: list[list[str]] = []
    monkeypatch.setattr(creating, "_sync_folder", lambda f: seen.append([p.name for p in f.iterdir()]))
    for force in (False, True):
        keep_study(tmp_path / "study.db", STUDY, force=force)
    assert seen == [["study.db"]] * 2
    assert [p.name for p in tmp_path.iterdir()] == ["study.db"]


def test_two_files_of_one_study_differ_in_what_is_drawn_alone(tmp_path: Path) -> None:
    for name, study in (("one", STUDY), ("other", STUDY), ("third", replace(STUDY, name="Another"))):
        keep_study(tmp_path / name, study)
    one, other, third = ((tmp_path / name).read_bytes() for name in ("one", "other", "third"))
    assert study_tables.tables(one) != study_tables.tables(other)
    assert study_tables.same(one) == study_tables.same(other) != study_tables.same(third)
    with pytest.raises(sqlite3.DatabaseError):
        study_tables.tables(one[: len(one) // 2])


def test_a_study_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    assert STUDY.responses is not None
    short = replace(STUDY, responses=Responses(STUDY.responses.frame.filter(policy="alder")))
    with pytest.raises(SchemaError, match="no response is there for"):
        create_study(tmp_path / "study.db", short)
    assert list(tmp_path.iterdir()) == []


def test_a_study_stays_unless_forced_and_one_with_votes_whatever_is_said(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    create_study(path, STUDY).close()
    with pytest.raises(OutputExists, match="already exists"):
        create_study(path, STUDY)
    with create_study(path, replace(STUDY, name="Another"), force=True) as database:
        assert database.facts().name == "Another"
        vote_once(database)
    before = path.read_bytes()
    for refuse in (lambda: create_study(path, STUDY, force=True), lambda: refuse_study(path, force=True)):
        with pytest.raises(OutputExists, match="a study with 1 vote"):
            refuse()
    assert path.read_bytes() == before


def test_links_that_end_with_a_study_that_is_replaced_are_told(tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    with create_study(path, STUDY) as database:
        database.invite("Ann", now=0.0)
    with pytest.warns(
        CharmWarning,
        match="had 1 rater, and this one has none of them: links that were given out open nothing",
    ):
        create_study(path, STUDY, force=True).close()


def test_a_study_that_is_served_is_not_replaced(tmp_path: Path) -> None:
    with create_study(tmp_path / "study.db", STUDY) as database:
        database.facts()
        with pytest.raises(OutputExists, match="in use"):
            create_study(tmp_path / "study.db", STUDY, force=True)
        vote_once(database)
    with open_study(tmp_path / "study.db") as database:
        assert len(database.read().votes) == 1


def test_the_log_of_another_study_is_never_played_onto_a_new_one(tmp_path: Path) -> None:
    (tmp_path / "study.db-wal").write_bytes(b"the last votes of a study that was moved away")
    for force in (False, True):
        with pytest.raises(OutputExists, match="left of a study that is gone"):
            create_study(tmp_path / "study.db", STUDY, force=force)


@pytest.mark.slow
def test_a_study_whose_writer_is_killed_is_whole_or_not_there(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    rng = random.Random(3)
    path = tmp_path / "study.db"
    there = 0
    for i in range(8):
        words = [sys.executable, str(Path(__file__).with_name("maker.py")), str(path)]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        if i % 2:  # one is there, and the next is being written
            assert process.stdout.readline() == "written\n"
        time.sleep(rng.uniform(0.0, 0.4))
        process.kill()
        process.communicate()
        if path.exists():
            there += 1
            with open_study(path) as database:
                assert len(database.read().comparisons) == 123
            assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert there
    create_study(path, STUDY, force=True).close()
    assert [p.name for p in tmp_path.iterdir()] == ["study.db"]  # what the killed ones left is cleared
    tell(f"writing a study killed 8 times: {there} times one was there, whole")


def test_force_replaces_a_file_of_something_else(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("notes")
    create_study(tmp_path / "study.db", STUDY, force=True).close()
    with open_study(tmp_path / "study.db") as database:
        assert database.facts().name == STUDY.name


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "does not exist"),
        (b"", "no study in it"),
        (b"policy,score\n" * 400, "not a database"),
        ("other", "no study in it"),
        ("format", "format 99"),
        ("cut", "damaged|malformed"),
    ],
)
def test_what_is_no_study_is_refused(content: Any, words: str, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "other":
        with closing(sqlite3.connect(path)) as plain:
            plain.execute("CREATE TABLE notes (text)")
    elif content is not None:
        create_study(path, STUDY).close()
    if content == "format":
        with closing(sqlite3.connect(path)) as plain:
            plain.execute("UPDATE study SET format = 99")
            plain.commit()
    if content == "cut":
        path.write_bytes(path.read_bytes()[:20_000])
    with pytest.raises(CharmError, match=words) as caught, open_study(path) as database:
        database.read()
    assert caught.value.fix
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("where", range(0, 40_000, 5_000))
def test_damage_anywhere_is_said_or_harmless(where: int, tmp_path: Path) -> None:
    path = tmp_path / "study.db"
    create_study(path, STUDY).close()
    content = bytearray(path.read_bytes())
    content[where : where + 3_000] = os.urandom(3_000)
    path.write_bytes(content)
    said: CharmError | None = None
    try:
        with open_study(path) as database:
            database.read()
            vote_once(database)
    except CharmError as error:  # no other error gets out
        said = error
    assert said is None or said.fix


def test_a_writer_that_waits_too_long_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY", 0.2)
    with create_study(tmp_path / "study.db", STUDY) as database:
        with closing(sqlite3.connect(tmp_path / "study.db", isolation_level=None)) as plain:
            plain.execute("BEGIN IMMEDIATE")
            with pytest.raises(WriteFailed, match="another process has been writing"):
                database.pause(True)
            assert not database.facts().paused
        database.pause(True)
        assert database.facts().paused


@contextmanager
def only_reading(folder: Path) -> Iterator[None]:
    """Within, the folder and its files cannot be written to: for root, who may write anywhere, by being nobody for that time."""
    nobody = pwd.getpwnam("nobody").pw_uid
    root = os.geteuid() == 0
    for path in (*folder.iterdir(), folder):
        path.chmod(0o555)
    if root:
        os.setresuid(nobody, nobody, 0)
    try:
        yield
    finally:
        if root:
            os.setresuid(0, 0, 0)
        folder.chmod(0o755)


def test_a_study_that_may_only_be_read_can_be_read_and_says_so() -> None:
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # nobody can get there
        path = Path(name) / "study.db"
        with create_study(path, STUDY) as database:
            vote_once(database)
            database.read()  # what is imported at its first use may lie where nobody may read
        with only_reading(path.parent), open_study(path) as database:
            assert len(database.read().votes) == 1
            with pytest.raises(WriteFailed, match="read, not written"):
                database.pause(True)
        path.with_name("study.db-wal").write_bytes(b"the last votes")
        with (
            only_reading(path.parent),
            pytest.raises(UnreadableFile, match=r"its last votes are in study\.db-wal"),
        ):
            open_study(path)


def test_one_place_is_asked_for() -> None:
    for wrong in ({}, {"where": "study.db", "url": "postgresql://h/d"}):
        with pytest.raises(ConfigError, match="one of two"):
            open_study(**wrong)


# --- PostgreSQL -----------------------------------------------------------------------------------


def test_a_database_holds_one_study_and_a_schema_another(cluster: Cluster) -> None:
    name = cluster.new_database()
    create_study(None, STUDY, url=cluster.url(name)).close()
    with pytest.raises(OutputExists, match="already"):
        refuse_study(None, url=cluster.url(name))
    cluster.run("CREATE SCHEMA second", database=name)
    other = cluster.url(name, options="-csearch_path%3Dsecond")
    with create_study(None, replace(STUDY, name="Second"), url=other) as database:
        vote_once(database)
    with create_study(None, replace(STUDY, name="Again"), url=cluster.url(name), force=True) as database:
        assert database.facts().name == "Again"
    with pytest.raises(OutputExists, match="1 vote "):
        create_study(None, STUDY, url=other, force=True)
    with open_study(url=other) as database:
        assert database.facts().name == "Second"


def test_tables_of_something_else_are_left_alone(cluster: Cluster) -> None:
    name = cluster.new_database()
    cluster.run("CREATE TABLE votes (of_something int)", database=name)
    for force in (False, True):
        with pytest.raises(OutputExists, match="something else"):
            create_study(None, STUDY, url=cluster.url(name), force=force)


def test_a_study_that_cannot_be_written_leaves_an_empty_database(cluster: Cluster) -> None:
    url = cluster.url(cluster.new_database())
    assert STUDY.responses is not None
    short = replace(STUDY, responses=Responses(STUDY.responses.frame.filter(policy="alder")))
    with pytest.raises(SchemaError):
        create_study(None, short, url=url)
    with pytest.raises(ConfigError, match="no study in it"):
        open_study(url=url)


SECRET = "open-sesame"


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://ann:{SECRET}@127.0.0.1:1/study",
        f"postgresql://ann@127.0.0.1:1/study?password={SECRET}",
        f"postgresql://ann:{SECRET}@no-such-host.invalid/study",
        f"mysql://ann:{SECRET}@h/study",
        f"postgresql//ann:{SECRET}@h/study",
        f"postgresql://ann:{SECRET}@h:port/study",
        f"postgresql://ann:{SECRET}@127.0.0.1:1/study?no_such_option={SECRET}",
    ],
)
def test_no_error_shows_the_password(url: str) -> None:
    pytest.importorskip("psycopg", reason="needs the [postgresql] extra")
    with pytest.raises((RemoteError, ConfigError)) as caught:
        open_study(url=url)
    seen: BaseException | None = caught.value
    while seen is not None:
        assert SECRET not in str(seen)
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    assert SECRET not in shown_url(url)


def test_a_wrong_password_is_refused_in_words_without_it(cluster: Cluster) -> None:
    name = cluster.new_database()
    cluster.run(f"CREATE ROLE {LOCKED} LOGIN PASSWORD '{PASSWORD}'", database=name)
    cluster.run(f"ALTER SCHEMA public OWNER TO {LOCKED}", database=name)

    def url(password: str) -> str:
        return f"postgresql://{LOCKED}:{quote(password, safe='')}@/{name}?host={cluster.folder}"

    with create_study(None, STUDY, url=url(PASSWORD)) as database:
        vote_once(database)
        assert PASSWORD not in database.where
    for wrong in (SECRET, ""):
        with pytest.raises(RemoteError, match="password") as caught:
            open_study(url=url(wrong))
        told = "".join(traceback.format_exception(caught.value, chain=True))
        assert SECRET not in str(caught.value) + shown_url(url(wrong)) + told
        assert "user and password" in str(caught.value.fix)


def test_a_server_that_goes_away_is_said_and_comes_back(cluster: Cluster) -> None:
    name = cluster.new_database()
    with create_study(None, STUDY, url=cluster.url(name)) as database:
        database.facts()
        end = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        cluster.run(end, database="postgres")
        vote_once(database)  # connections that have died are replaced
        assert len(database.read().votes) == 1


def test_unreadable_is_an_unreadable_file(tmp_path: Path) -> None:
    (tmp_path / "study.db").write_text("x" * 5000)
    with pytest.raises(UnreadableFile):
        open_study(tmp_path / "study.db")
