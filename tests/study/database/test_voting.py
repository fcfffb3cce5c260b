"""Votes, sent once or again, and their undoing; in both kinds of database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")

from charm_rm.errors import SchemaError
from charm_rm.study.database import create_study
from charm_rm.study.database.study_database import StudyDatabase
from charm_rm.study.exchange import Assignment
from study_worlds import small_study

Clock = Callable[[], float]
pytestmark = pytest.mark.usefixtures("no_sync")


@pytest.fixture
def database(place: dict[str, Any]) -> Iterator[StudyDatabase]:
    with create_study(study=small_study(4), **place) as opened:
        yield opened


@pytest.fixture
def ann(database: StudyDatabase, clock: Clock) -> int:
    return database.invite("Ann", now=clock()).rater.id


def given(database: StudyDatabase, rater: int, now: float) -> Assignment:
    """What the rater is to compare now; there is something."""
    found = database.next_assignment(rater, now=now)
    assert found is not None
    return found


def test_a_vote_is_for_the_answer_that_was_pressed(database: StudyDatabase, ann: int, clock: Clock) -> None:
    texts = {(r["prompt_id"], r["response"]): r["policy"] for r in responses(database)}
    pressed = {}
    for i, choice in enumerate(("left", "right", "left", "right", "tie", "both_bad")):
        seen = given(database, ann, clock())
        prompt = str(seen.prompt)[4:6]
        sides = {"left": texts[prompt, seen.left], "right": texts[prompt, seen.right]}
        database.vote(ann, seen.public_id, choice, request_id=f"request-{i}", now=clock(), seconds=1.5)
        pressed[prompt, *sorted(sides.values())] = sides.get(choice, choice)
    study = database.read()
    rows = study.votes.frame.join(study.comparisons.frame, on="comparison_id")
    assert len(rows) == 6
    for row in rows.iter_rows(named=True):
        won = {"a": row["policy_a"], "b": row["policy_b"]}.get(row["winner"], row["winner"])
        assert won == pressed[row["prompt_id"], row["policy_a"], row["policy_b"]]
        assert row["seconds"] == 1.5
    assert set(study.votes.frame["left"]) == {"a", "b"}


def responses(database: StudyDatabase) -> list[dict[str, Any]]:
    found = database.read().responses
    assert found is not None
    return found.frame.to_dicts()


def test_the_same_request_again_is_one_vote(database: StudyDatabase, ann: int, clock: Clock) -> None:
    seen = given(database, ann, clock())
    send = {"request_id": "request-1", "comment": "short"}
    assert database.vote(ann, seen.public_id, "left", now=clock(), **send).outcome == "saved"
    assert database.vote(ann, seen.public_id, "left", now=clock(), **send).outcome == "repeated"
    given(database, ann, clock())
    assert database.vote(ann, seen.public_id, "left", now=clock(), **send).outcome == "repeated"
    assert len(database.read().votes) == 1
    assert database.progress(ann).done == 1


def test_one_request_that_says_two_things_keeps_the_first(
    database: StudyDatabase, ann: int, clock: Clock
) -> None:
    seen = given(database, ann, clock())
    database.vote(ann, seen.public_id, "tie", request_id="request-1", now=clock())
    for choice, comment in (("left", None), ("tie", "another thought")):
        other = database.vote(
            ann, seen.public_id, choice, request_id="request-1", comment=comment, now=clock()
        )
        assert other.outcome == "superseded"
    assert database.read().votes.frame["winner"].to_list() == ["tie"]


def test_only_the_open_assignment_can_be_voted_on(database: StudyDatabase, ann: int, clock: Clock) -> None:
    bob = database.invite("Bob", now=clock()).rater.id
    hers, his = given(database, ann, clock()), given(database, bob, clock())
    assert (
        database.vote(ann, his.public_id, "tie", request_id="request-1", now=clock()).outcome == "superseded"
    )
    assert database.vote(ann, "0" * 32, "tie", request_id="request-2", now=clock()).outcome == "superseded"
    assert database.vote(ann, hers.public_id, "tie", request_id="request-3", now=clock()).outcome == "saved"
    assert (
        database.vote(ann, hers.public_id, "left", request_id="request-4", now=clock()).outcome
        == "superseded"
    )
    assert database.vote(bob, his.public_id, "left", request_id="request-3", now=clock()).outcome == "saved"
    assert sorted(database.read().votes.frame["rater"]) == ["Ann", "Bob"]


def test_undo_opens_the_last_vote_again_and_the_one_before(
    database: StudyDatabase, ann: int, clock: Clock
) -> None:
    first = given(database, ann, clock())
    database.vote(ann, first.public_id, "left", request_id="request-1", now=clock())
    second = given(database, ann, clock())
    database.vote(ann, second.public_id, "left", request_id="request-2", now=clock())
    third = given(database, ann, clock())
    assert database.undo(ann, request_id="undo-0001", now=clock())
    assert database.undo(ann, request_id="undo-0001", now=clock())  # the same request: nothing more
    assert given(database, ann, clock()) == second
    assert database.undo(ann, request_id="undo-0002", now=clock())
    assert given(database, ann, clock()) == first
    assert not database.undo(ann, request_id="undo-0003", now=clock())
    assert len(database.read().votes) == 0
    # an undone vote that arrives again stays undone
    assert (
        database.vote(ann, second.public_id, "left", request_id="request-2", now=clock()).outcome
        == "repeated"
    )
    assert len(database.read().votes) == 0
    for i, seen in enumerate((first, second, third)):
        assert given(database, ann, clock()) == seen
        again = database.vote(ann, seen.public_id, "right", request_id=f"again-{i:04}", now=clock())
        assert again.outcome == "saved"
    assert len(database.read().votes) == 3
    assert database.raters()[0].undone == 2


def test_comments_come_back_whatever_is_in_them(database: StudyDatabase, ann: int, clock: Clock) -> None:
    comment = "<b>\0 \u202e 'quoted' \U0001f600\n" + "x" * 5000
    seen = given(database, ann, clock())
    database.vote(ann, seen.public_id, "tie", comment=comment, request_id="request-1", now=clock())
    assert database.read().votes.frame["comment"].to_list() == [comment]


def test_a_time_that_is_none_is_not_kept(database: StudyDatabase, ann: int, clock: Clock) -> None:
    for i, seconds in enumerate((float("nan"), float("inf"), -1.0, 0.0)):
        seen = given(database, ann, clock())
        database.vote(ann, seen.public_id, "tie", seconds=seconds, request_id=f"request-{i}", now=clock())
    assert database.read().votes.frame["seconds"].to_list() == [None, None, None, 0.0]


UNSENT: tuple[dict[str, Any], ...] = (
    {"choice": "a"},
    {"choice": ""},
    {"comment": "x" * 10_001},
    {"request_id": "short"},
    {"request_id": "x" * 65},
    {"request_id": "with\0null"},
)


def test_what_no_page_sends_is_refused(database: StudyDatabase, ann: int, clock: Clock) -> None:
    seen = given(database, ann, clock())
    for wrong in UNSENT:
        sent = {"choice": "tie", "request_id": "request-1", **wrong}
        with pytest.raises(SchemaError):
            database.vote(ann, seen.public_id, sent.pop("choice"), now=clock(), **sent)
    assert len(database.read().votes) == 0


def test_in_a_pause_open_ones_can_be_voted_on_and_none_are_given(
    database: StudyDatabase, ann: int, clock: Clock
) -> None:
    seen = given(database, ann, clock())
    database.pause(True)
    assert database.facts().paused
    assert database.next_assignment(ann, now=clock()) == seen
    assert database.vote(ann, seen.public_id, "tie", request_id="request-1", now=clock()).outcome == "saved"
    assert database.next_assignment(ann, now=clock()) is None
    database.pause(False)
    assert database.next_assignment(ann, now=clock()) is not None


def test_what_was_written_to_an_undone_vote_comes_back(
    database: StudyDatabase, ann: int, clock: Clock
) -> None:
    first = given(database, ann, clock())
    assert first.comment == ""
    database.vote(ann, first.public_id, "left", request_id="vote-number-1", now=clock(), comment="slip\n<b>")
    assert given(database, ann, clock()).comment == ""
    database.undo(ann, request_id="undo-number-1", now=clock())
    assert given(database, ann, clock()).comment == "slip\n<b>"
    database.vote(ann, first.public_id, "right", request_id="vote-number-2", now=clock())
    database.undo(ann, request_id="undo-number-2", now=clock())
    assert given(database, ann, clock()).comment == "", "taken out by the rater"
