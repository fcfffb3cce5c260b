"""Assigning, voting and undoing in any order, step by step against the rules in plain Python: not one draw may differ."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")

from charm_rm.study.database import create_study, engine
from charm_rm.study.exchange import PRESSED
from charm_rm.study.nouns import Study, StudyVotes
from charm_rm.study.rules import Rules
from study.database.rules_in_words import Given, Model, shown
from study_worlds import small_study

# Ann's votes from elsewhere have no sides; Bob has a quota.
QUOTAS = {"Ann": None, "Bob": 8, "Cid": None, "Dee": None}
IMPORTED = StudyVotes(
    pl.DataFrame(
        {"comparison_id": ["c0-alder-birch", "c3-birch-cedar"], "rater": "Ann", "winner": ["a", "tie"]}
    ).with_columns(repeat=False, left=pl.lit(None, dtype=pl.String))
)
HAPPENS = ("new", "repeat", "check", "saved", "repeated", "superseded", "undone", "stale", "over quota")


class Script:
    """Random steps of four raters and their keeper, each done in the database and in the model, which must say the same."""

    def __init__(self, seed: int, place: dict[str, Any]) -> None:
        self.rng = random.Random(seed)
        rules = Rules(
            seed=seed,
            repeats=self.rng.choice([0.2, 0.3, 0.4]),
            checks=self.rng.choice([0.0, 0.15, 0.25]),
            repeat_gap=self.rng.choice([1, 3, 5]),
            stale_minutes=10,
        )
        self.study: Study = small_study(6, wanted=2, checks=3, rules=rules, votes=IMPORTED)
        self.database = create_study(study=self.study, **place)
        self.model, self.now, self.happened = Model(self.study), 0.0, Counter[str]()
        for name, quota in QUOTAS.items():
            rater = self.database.invite(name, now=0.0, days=None, quota=quota).rater.id
            self.model.given[rater], self.model.quota[rater], self.model.undone[rater] = [], quota, 0
        self.names = dict(zip(self.model.given, QUOTAS, strict=True))
        self.import_votes()

    def import_votes(self) -> None:
        ids = {row["comparison_id"]: n for n, row in self.model.rows.items()}
        for row in IMPORTED.frame.to_dicts():
            self.model.cast += 1
            one = Given(ids[row["comparison_id"]], False, None, 0.0, vote=row["winner"], cast=self.model.cast)
            self.model.given[1].append(one)

    def run(self, steps: int) -> Counter[str]:
        doing = {self.look: 8, self.vote: 8, self.send_anything: 2, self.undo: 1, self.pause: 1}
        with self.database:
            for step, do in enumerate(self.rng.choices([*doing], [*doing.values()], k=steps)):
                self.now += self.rng.choice([0, 0, 1, 1, 1, 5, 300, 595, 600])
                do(self.rng.choice([*self.names]))
                if step % 90 == 0 or step == steps - 1:
                    self.all_of_it_is_the_same()
        return self.happened

    def look(self, rater: int) -> None:
        before = len(self.model.given[rater])
        stale = self.model.places(rater, self.now) != self.model.places(rater, 0.0)
        one = self.model.look(rater, self.now)
        seen = self.database.next_assignment(rater, now=self.now)
        if one is None:
            assert seen is None
            self.happened["over quota"] += before == self.model.quota[rater]
            return
        assert seen is not None
        assert shown(self.study, seen) == (one.number, one.left)
        if len(self.model.given[rater]) > before:
            one.public_id = seen.public_id
            self.happened["repeat" if one.repeat else "check" if self.model.is_check(one) else "new"] += 1
            self.happened["stale"] += stale
        where = self.model.given[rater].index(one)
        assert (seen.public_id, seen.number) == (one.public_id, where + 1)
        if self.rng.random() < 0.3:
            progress = self.database.progress(rater, now=self.now)
            assert (progress.done, progress.total) == self.model.progress(rater, self.now)

    def vote(self, rater: int) -> None:
        one = self.model.current(rater)
        if one is not None:
            self.send(rater, one.public_id, self.rng.choice(PRESSED), self.new_request())

    def send_anything(self, rater: int) -> None:
        """A vote for anyone's assignment, in a new request, one of somebody else, or one of old, which says the same or not."""
        public = self.rng.choice([one.public_id for one in self.model.everything()] + ["0" * 32])
        pressed, request = self.rng.choice(PRESSED), self.new_request()
        if self.model.requests and self.rng.random() < 0.7:
            (who, request), said = self.rng.choice([*self.model.requests.items()])
            if self.rng.random() < 0.7 and len(said) == 3:
                comment = self.rng.choice([said[2], said[2], "so it is"])
                self.send(who, str(said[0]), str(said[1]), request, comment=comment)
                return
            if self.rng.random() < 0.5 and (mine := self.model.current(rater)) is not None:
                public = mine.public_id
        self.send(rater, public, pressed, request)

    def send(
        self, rater: int, public: str, pressed: str, request: str, *, comment: str | None = "drawn"
    ) -> None:
        comment = self.rng.choice([None, "", "so it is"]) if comment == "drawn" else comment
        got = self.database.vote(
            rater, public, pressed, request_id=request, now=self.now, comment=comment
        ).outcome
        assert got == self.model.vote(rater, public, pressed, comment, request)
        self.happened[got] += 1

    def undo(self, rater: int) -> None:
        request = self.new_request()
        if self.model.requests and self.rng.random() < 0.3:
            request = self.rng.choice([*self.model.requests])[1]
        got = self.database.undo(rater, request_id=request, now=self.now)
        assert got == self.model.undo(rater, request)
        self.happened["undone"] += got

    def pause(self, _: int) -> None:
        self.model.paused = not self.model.paused and self.rng.random() < 0.3
        self.database.pause(self.model.paused)

    def new_request(self) -> str:
        return f"{self.rng.getrandbits(64):016x}"

    def all_of_it_is_the_same(self) -> None:
        frame = self.database.read().votes.frame
        columns = ("rater", "comparison_id", "winner", "repeat", "left", "comment")
        expected = [(self.names[rater], *rest) for rater, *rest in self.model.standing()]
        assert list(frame.select(columns).iter_rows()) == expected
        rows = [
            (r.votes, r.repeats, r.checks, r.checks_passed, r.undone)
            for r in self.database.raters(now=self.now)
        ]
        assert rows == [self.model.row(rater) for rater in self.names]


def run_scripts(seeds: range, steps: int, place: Callable[[int], dict[str, Any]]) -> Counter[str]:
    happened = sum((Script(seed, place(seed)).run(steps) for seed in seeds), Counter[str]())
    assert all(happened[what] >= 2 * len(seeds) for what in HAPPENS), happened
    return happened


@pytest.mark.usefixtures("no_sync")
def test_every_step_is_what_the_rules_say(tmp_path: Path) -> None:
    run_scripts(range(4), 240, lambda seed: {"where": tmp_path / f"{seed}.db"})


@pytest.mark.slow
@pytest.mark.usefixtures("no_sync")
def test_many_more_steps_are_what_the_rules_say(tmp_path: Path, tell: Callable[[str], None]) -> None:
    happened = run_scripts(range(100, 130), 400, lambda seed: {"where": tmp_path / f"{seed}.db"})
    tell(f"voting against the rules in words: {happened.total()} things that happened, none otherwise")


@pytest.mark.slow
def test_every_step_is_the_same_in_postgresql(cluster: Any) -> None:
    run_scripts(range(4), 300, lambda _: {"where": None, "url": cluster.url(cluster.new_database())})


def test_votes_wait_for_the_disk_unless_a_test_says_otherwise() -> None:
    assert engine.DURABLE == ("journal_mode=WAL", "synchronous=FULL")
