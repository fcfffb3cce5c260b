"""Assigning, voting and undoing in any order, against a slow model of the rules that a person can read."""

from __future__ import annotations

import secrets
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")

from charm_rm.study.database import create_study, engine
from charm_rm.study.rules import Rules
from study_worlds import small_study

RULES = Rules(seed=11, repeats=0.2, checks=0.15, repeat_gap=3, stale_minutes=10)
STUDY = small_study(3, wanted=2, checks=2, rules=RULES)
RATERS = ("Ann", "Bob", "Cid")
QUOTA = {"Ann": None, "Bob": 6, "Cid": None}


@dataclass
class Given:
    """One assignment, as the model keeps it."""

    public_id: str
    comparison: str
    left: str
    repeat: bool
    opened: float
    vote: str | None = None
    voted: int = -1


@dataclass
class Model:
    """The rules in plain words and lists."""

    given: dict[str, list[Given]] = field(default_factory=lambda: {name: [] for name in RATERS})
    requests: dict[tuple[str, str], Any] = field(default_factory=dict)
    paused: bool = False

    def __post_init__(self) -> None:
        rows = STUDY.comparisons.frame.to_dicts()
        self.kind = {row["comparison_id"]: row["kind"] for row in rows}

    def open_one(self, name: str) -> Given | None:
        return next((g for g in self.given[name] if g.vote is None), None)

    def taken(self, comparison: str, now: float) -> int:
        """Votes, and open assignments that are not stale."""
        return sum(
            g.comparison == comparison and not g.repeat and (g.vote is not None or now - g.opened < 600)
            for all_ in self.given.values()
            for g in all_
        )

    def free(self, name: str, now: float) -> dict[str, int]:
        mine = {g.comparison for g in self.given[name]}
        counts = {c: self.taken(c, now) for c, kind in self.kind.items() if kind == "main" and c not in mine}
        return {c: n for c, n in counts.items() if n < 2}

    def repeatable(self, name: str) -> set[str]:
        mine = self.given[name]
        old = mine[: max(len(mine) - RULES.repeat_gap + 1, 0)]
        again = {g.comparison for g in mine if g.repeat}
        return {g.comparison for g in old if g.vote and self.kind[g.comparison] == "main"} - again

    def may_get(self, name: str, now: float) -> set[tuple[str, bool]]:
        """What this rater's next assignment can be, as (comparison, whether it is a repeat); empty: nothing."""
        mine, free = self.given[name], self.free(name, now)
        quota = QUOTA[name]
        if self.paused or not free or (quota is not None and len(mine) >= quota):
            return set()
        fewest = {(c, False) for c, n in free.items() if n == min(free.values())}
        checks = {(c, False) for c, kind in self.kind.items() if kind == "check"}
        checks -= {(g.comparison, False) for g in mine}
        shown = sum(self.kind[g.comparison] == "check" for g in mine)
        repeated = sum(g.repeat for g in mine)
        after = len(mine) + 1
        may = set(fewest)
        if shown + 1 <= RULES.checks * after + 1:
            may |= checks
        if repeated + 1 <= RULES.repeats * after + 1:
            may |= {(c, True) for c in self.repeatable(name)}
        if checks and shown + 1 <= RULES.checks * after:
            may -= fewest  # a check is overdue
        return may


def comparison_of(assignment: Any) -> tuple[str, str]:
    """(comparison, the answer on the left) by the texts: nothing else tells it."""
    assert STUDY.responses is not None
    texts = {row["response"]: (row["prompt_id"], row["policy"]) for row in STUDY.responses.frame.to_dicts()}
    left, right = texts[assignment.left], texts[assignment.right]
    prompt = assignment.prompt.split()[1].rstrip(".")
    for row in STUDY.comparisons.frame.to_dicts():
        a, b = (prompt, row["policy_a"]), (row["answered_b"] or prompt, row["policy_b"])
        if row["prompt_id"] == prompt and {a, b} == {left, right}:
            return row["comparison_id"], "a" if left == a else "b"
    raise AssertionError(assignment)


class Voting(RuleBasedStateMachine):
    """Three raters, of whom one has a quota, in any order; time goes on, sometimes by much."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        self.database = create_study(Path(self.folder.name) / "study.db", STUDY)
        self.ids = {name: self.database.invite(name, now=0.0, quota=QUOTA[name]).rater.id for name in RATERS}
        self.model, self.now, self.votes = Model(), 0.0, 0

    def teardown(self) -> None:
        self.what_stands_is_what_the_model_says()
        self.database.close()
        self.folder.cleanup()

    @rule(name=st.sampled_from(RATERS), wait=st.sampled_from([1.0, 1.0, 1.0, 700.0]))
    def look(self, name: str, wait: float) -> None:
        self.now += wait
        current = self.model.open_one(name)
        may = self.model.may_get(name, self.now)
        seen = self.database.next_assignment(self.ids[name], now=self.now)
        if current is not None:
            assert seen is not None
            assert (seen.public_id, *comparison_of(seen)) == (
                current.public_id,
                current.comparison,
                current.left,
            )
            return
        if seen is None:
            assert not may
            return
        comparison, left = comparison_of(seen)
        before = [g for g in self.model.given[name] if g.comparison == comparison]
        assert (comparison, bool(before)) in may
        assert all(g.left != left for g in before)
        assert seen.number == len(self.model.given[name]) + 1
        self.model.given[name].append(Given(seen.public_id, comparison, left, bool(before), self.now))

    @rule(name=st.sampled_from(RATERS), choice=st.sampled_from(["left", "right", "tie", "both_bad"]))
    def vote(self, name: str, choice: str) -> None:
        current = self.model.open_one(name)
        if current is not None:
            self.send(name, current.public_id, choice, secrets.token_hex(8))

    @rule(name=st.sampled_from(RATERS), times=st.integers(2, 8), choice=st.sampled_from(["left", "right"]))
    def work(self, name: str, times: int, choice: str) -> None:
        for _ in range(times):
            self.look(name, 1.0)
            self.vote(name, choice)

    @precondition(lambda self: self.model.requests)
    @rule(data=st.data())
    def send_again(self, data: st.DataObject) -> None:
        (name, request), earlier = data.draw(st.sampled_from(sorted(self.model.requests.items(), key=str)))
        if earlier == "undo":
            assert self.database.undo(self.ids[name], request_id=request, now=self.now)
        else:
            self.send(name, *earlier, request)

    @precondition(lambda self: any(self.model.given.values()))
    @rule(data=st.data(), name=st.sampled_from(RATERS))
    def vote_on_anything(self, data: st.DataObject, name: str) -> None:
        everything = sorted(g.public_id for all_ in self.model.given.values() for g in all_)
        self.send(name, data.draw(st.sampled_from(everything)), "left", secrets.token_hex(8))

    def send(self, name: str, public_id: str, choice: str, request: str) -> None:
        got = self.database.vote(self.ids[name], public_id, choice, request_id=request, now=self.now).outcome
        if (name, request) in self.model.requests:
            assert got == (
                "repeated" if self.model.requests[name, request] == (public_id, choice) else "superseded"
            )
            return
        current = self.model.open_one(name)
        if current is None or current.public_id != public_id:
            assert got == "superseded"
            return
        assert got == "saved"
        other = {"a": "b", "b": "a"}[current.left]
        current.vote = {"left": current.left, "right": other}.get(choice, choice)
        self.votes += 1
        current.voted = self.votes
        self.model.requests[name, request] = (public_id, choice)

    @rule(name=st.sampled_from(RATERS))
    def undo(self, name: str) -> None:
        request = secrets.token_hex(8)
        last = max((g for g in self.model.given[name] if g.vote), key=lambda g: g.voted, default=None)
        assert self.database.undo(self.ids[name], request_id=request, now=self.now) == (last is not None)
        if last is not None:
            last.vote = None
            self.model.requests[name, request] = "undo"

    @rule(paused=st.booleans())
    def pause(self, paused: bool) -> None:
        self.database.pause(paused)
        self.model.paused = paused

    @rule()
    def what_stands_is_what_the_model_says(self) -> None:
        frame = self.database.read().votes.frame
        stands = sorted(frame.select("comparison_id", "rater", "winner", "repeat", "left").iter_rows())
        expected = sorted(
            (g.comparison, name, g.vote, g.repeat, g.left)
            for name, all_ in self.model.given.items()
            for g in all_
            if g.vote
        )
        assert stands == expected
        for name in RATERS:
            done = sum(g.vote is not None for g in self.model.given[name])
            progress = self.database.progress(self.ids[name], now=self.now)
            assert progress.done == done <= progress.total


@pytest.mark.usefixtures("no_sync")
def test_any_order_of_looks_votes_and_undos_keeps_the_rules() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Voting, settings=settings(max_examples=12, stateful_step_count=30, deadline=None)
    )


@pytest.mark.slow
@pytest.mark.usefixtures("no_sync")
def test_many_orders_of_looks_votes_and_undos_keep_the_rules() -> None:
    from hypothesis.stateful import run_state_machine_as_test

    run_state_machine_as_test(
        Voting, settings=settings(max_examples=80, stateful_step_count=50, deadline=None)
    )


def test_votes_wait_for_the_disk_unless_a_test_says_otherwise() -> None:
    assert engine.DURABLE == ("journal_mode=WAL", "synchronous=FULL")
