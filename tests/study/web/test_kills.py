"""The server is killed while people vote, and started again: every vote that was acknowledged is there, once."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

import postgres
from charm_rm.study.database import create_study, open_study
from study.web.crowd import Crowd, saved, server, standing, tokens
from study.web.served import study
from study.web.test_load import as_arguments

pytestmark = pytest.mark.slow
KILLS = 20


class Killer(threading.Thread):
    """Kills a server at random moments, some votes after its start, and starts it again, until it has done so often enough."""

    def __init__(self, end: Callable[[], None], start: Callable[[], None], crowd: Crowd, kills: int) -> None:
        super().__init__(daemon=True)
        self.end, self.begin, self.crowd, self.kills, self.done = end, start, crowd, kills, 0
        self.error: BaseException | None = None
        self.draw = random.Random(11)

    def run(self) -> None:
        try:
            for _ in range(self.kills):
                self.wait_for_votes(self.draw.randint(1, 12))
                time.sleep(0.05 * self.draw.random())
                self.end()
                self.begin()
                self.done += 1
        except BaseException as error:
            self.error = error

    def wait_for_votes(self, n: int) -> None:
        goal, until = self.crowd.counts.get("votes", 0) + n, time.monotonic() + 60
        while self.crowd.counts.get("votes", 0) < goal:
            assert time.monotonic() < until, "nobody votes any more"
            time.sleep(0.002)


def test_20_kills_while_people_vote(place: dict[str, Any], tell: Callable[[str], None]) -> None:
    """SQLite's file is the server's own, so it is killed most often; PostgreSQL's own process lives on."""
    kills = KILLS if place.get("where") is not None else 3
    with create_study(study=study(400, wanted=50), **place) as database:
        people = tokens(database, 8)
    arguments, environment = as_arguments(place)
    with server([*arguments, "--votes-per-minute", "100000"], **environment) as running:
        crowd = Crowd(running.url, 10**6, undone=0.05, patience=90.0)
        killer = Killer(running.end, running.start, crowd, kills)
        crowd.goes_on = killer.is_alive
        killer.start()
        try:
            books = crowd.vote(people)
        finally:
            killer.join()
            assert killer.error is None, killer.error
        assert killer.done == kills
    with open_study(place.get("where"), url=place.get("url")) as database:
        assert saved(database) == books
        once = Counter((row["name"], row["comparison_id"]) for row in standing(database))
        assert max(once.values()) == 1
    tell(
        f"{kills} kills of the server ({'SQLite' if place.get('where') else 'PostgreSQL'}): {crowd.counts}, none lost or doubled"
    )
    assert crowd.counts["asked again"] >= kills
    assert crowd.counts["votes"] > kills


def test_postgresql_is_killed_while_people_vote(tell: Callable[[str], None]) -> None:
    """The page says that it does not answer just now, with 503, and goes on when the database is back; no acknowledged vote is lost."""
    pytest.importorskip("psycopg", reason="needs the [postgresql] extra")
    if reason := postgres.why_not():
        pytest.skip(reason)
    kills = 3
    with postgres.cluster() as cluster:
        place = {"where": None, "url": cluster.url(cluster.new_database())}
        with create_study(study=study(400, wanted=50), **place) as database:
            people = tokens(database, 6)
        arguments, environment = as_arguments(place)
        with server([*arguments, "--votes-per-minute", "100000"], **environment) as running:
            crowd = Crowd(running.url, 10**6, undone=0.05, patience=90.0, database_ends=True)

            def start() -> None:
                time.sleep(0.5)  # long enough for someone to meet it
                cluster.start()

            killer = Killer(cluster.kill, start, crowd, kills)
            crowd.goes_on = killer.is_alive
            killer.start()
            try:
                books = crowd.vote(people)
            finally:
                killer.join()
                assert killer.error is None, killer.error
        with open_study(url=place["url"]) as database:
            assert saved(database) == books
            once = Counter((row["name"], row["comparison_id"]) for row in standing(database))
            assert max(once.values()) == 1
    tell(f"{kills} kills of PostgreSQL itself: {crowd.counts}, none lost or doubled")
    assert crowd.counts["told to wait"] >= kills
