"""Many raters at once, in threads and in processes, and processes that die: no vote is lost or doubled."""

from __future__ import annotations

import random
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")

from sqlalchemy import func, select

from charm_rm.study.database import create_study, open_study, schema
from charm_rm.study.database.study_database import StudyDatabase
from charm_rm.study.rules import Rules
from study_worlds import small_study

VOTERS = Path(__file__).with_name("voters.py")


def check_rules(database: StudyDatabase, *, wanted: int, comparisons: int) -> pl.DataFrame:
    """Every comparison has its votes, none by one rater twice."""
    votes = database.read().votes.frame.filter(~pl.col("repeat"))
    counts = Counter(votes["comparison_id"])
    assert set(counts.values()) == {wanted}
    assert len(counts) == comparisons
    assert not votes.select(pl.struct("comparison_id", "rater").is_duplicated().any()).item()
    return votes


@pytest.mark.usefixtures("no_sync")
def test_threads_at_once_share_the_comparisons_out(either_place: dict[str, Any]) -> None:
    def vote_all(rater: int) -> int:
        saved = 0
        while (seen := database.next_assignment(rater, now=1.0)) is not None:
            sent = [
                database.vote(
                    rater, seen.public_id, "left", request_id=f"request-{rater}-{seen.number}", now=1.0
                )
                for _ in range(2)  # a double click
            ]
            assert [one.outcome for one in sent] == ["saved", "repeated"]
            saved += 1
        return saved

    with create_study(study=small_study(3, wanted=3), **either_place) as database:
        raters = [i.rater.id for i in database.invite_all([f"rater-{i}" for i in range(8)], now=0.0)]
        with ThreadPoolExecutor(8) as pool:
            saved = sum(pool.map(vote_all, raters))
        votes = check_rules(database, wanted=3, comparisons=9)
        assert saved == len(votes) == 27


@pytest.mark.usefixtures("no_sync")
def test_one_rater_in_two_windows_has_one_assignment_and_one_vote(either_place: dict[str, Any]) -> None:
    with create_study(study=small_study(3, wanted=1), **either_place) as database:
        rater = database.invite("Ann", now=0.0).rater.id

        def look(_: int) -> str:
            seen = database.next_assignment(rater, now=1.0)
            assert seen is not None
            return seen.public_id

        def send(number: int) -> str:
            return database.vote(rater, current, "left", request_id=f"window-{number}", now=1.0).outcome

        with ThreadPoolExecutor(8) as pool:
            for _ in range(3):
                seen = set(pool.map(look, range(8)))
                assert len(seen) == 1
                current = seen.pop()
                outcomes = Counter(pool.map(send, random.sample(range(10**6, 10**7), 8)))
                assert outcomes == {"saved": 1, "superseded": 7}
        assert len(database.read().votes) == 3
        with database._store.reading() as connection:  # and no other one was opened beside
            assert connection.execute(select(func.count()).select_from(schema.assignments)).scalar_one() == 3


@pytest.mark.usefixtures("no_sync")
def test_readers_do_not_wait_for_a_writer(either_place: dict[str, Any]) -> None:
    with create_study(study=small_study(2), **either_place) as database, open_study(**either_place) as other:
        rater = database.invite("Ann", now=0.0).rater.id
        seen = database.next_assignment(rater, now=1.0)
        assert seen is not None
        began = time.monotonic()
        with database._store.writing():
            assert len(other.read().comparisons) == 6
            assert other.next_assignment(rater, now=2.0) == seen
            assert other.progress(rater).done == 0
        assert time.monotonic() - began < 10.0  # far below the time that a writer would wait


def start(place: dict[str, Any], rater: int) -> subprocess.Popen[str]:
    words = [sys.executable, str(VOTERS), str(place.get("url") or place["where"]), str(rater)]
    return subprocess.Popen(words, stdout=subprocess.PIPE, text=True)


def acknowledged(process: subprocess.Popen[str]) -> list[str]:
    """The requests that a process has told, at its end; a last line that was cut short was not told."""
    assert process.stdout is not None
    out = process.stdout.read()
    process.wait(timeout=60)
    process.stdout.close()
    lines = [line for line in out.splitlines(keepends=True) if line.endswith("\n")]
    return [line.split()[0] for line in lines if line != "ready\n"]


def requests(place: dict[str, Any]) -> set[str]:
    """The names of the requests whose votes stand, from the tables themselves."""
    with open_study(**place) as database, database._store.reading() as connection:
        standing = schema.assignments.c.vote_id == schema.votes.c.id
        query = select(schema.votes.c.request_id).join_from(schema.votes, schema.assignments, standing)
        return set(connection.execute(query).scalars())


@pytest.mark.slow
def test_processes_at_once_share_the_comparisons_out(place: dict[str, Any]) -> None:
    with create_study(study=small_study(10, wanted=2), **place) as database:
        raters = [i.rater.id for i in database.invite_all(["Ann", "Bob", "Cid"], now=0.0)]
    running = [start(place, rater) for rater in raters]
    told = [request for process in running for request in acknowledged(process)]
    assert [process.returncode for process in running] == [0] * 3
    assert sorted(told) == sorted(requests(place))
    with open_study(**place) as database:
        assert len(check_rules(database, wanted=2, comparisons=30)) == len(told) == 60


def kill_voters(place: dict[str, Any], kills: int, tell: Callable[[str], None]) -> None:
    """A process votes, and is killed outright at a random moment, again and again: every acknowledged vote is there."""
    rules = Rules(repeats=0.0, checks=0.0, stale_minutes=0.0)
    with create_study(study=small_study(60, wanted=2, rules=rules), **place) as database:
        rater = database.invite("Ann", now=0.0).rater.id
    rng = random.Random(5)
    told: set[str] = set()
    dead = 0
    for _ in range(kills):
        process = start(place, rater)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        told |= {process.stdout.readline().split()[0] for _ in range(rng.randrange(1, 15))}
        time.sleep(rng.uniform(0.0, 0.01))
        process.kill()
        told |= set(acknowledged(process))
        dead += process.returncode == -9
        there = requests(place)
        assert told <= there
        assert len(there - told) <= kills  # saved, and killed before that was told
    assert dead > kills / 2
    assert told
    tell(f"voting killed {dead} times: all of {len(told)} acknowledged votes are there")
    with open_study(**place) as database:
        votes = database.read().votes.frame
        assert not votes.select(pl.struct("comparison_id", "rater").is_duplicated().any()).item()


def test_votes_that_were_acknowledged_outlive_a_killed_process(
    tmp_path: Path, tell: Callable[[str], None]
) -> None:
    kill_voters({"where": tmp_path / "study.db"}, 1, tell)
    with closing(sqlite3.connect(tmp_path / "study.db")) as plain:
        assert plain.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.slow
def test_votes_outlive_many_killed_processes(place: dict[str, Any], tell: Callable[[str], None]) -> None:
    kill_voters(place, 6, tell)
