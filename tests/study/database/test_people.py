"""Links, who has one, and who has done what."""

from __future__ import annotations

import dataclasses
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")

from charm_rm.errors import ConfigError
from charm_rm.study.database import create_study
from charm_rm.study.database.people import DAY
from charm_rm.study.database.study_database import StudyDatabase
from charm_rm.study.rules import Rules
from study_worlds import small_study

pytestmark = pytest.mark.usefixtures("no_sync")


@pytest.fixture
def database(place: dict[str, Any]) -> Iterator[StudyDatabase]:
    with create_study(study=small_study(4), **place) as opened:
        yield opened


def test_a_link_holds_until_its_day_and_no_other_does(database: StudyDatabase) -> None:
    invitation = database.invite("Ann", now=0.0, days=2.0, quota=7)
    found = database.rater_by_token(invitation.token, now=2 * DAY - 1)
    assert found == invitation.rater
    assert (found.name, found.quota) == ("Ann", 7)
    assert database.rater_by_token(invitation.token, now=2 * DAY + 1) is None
    for wrong in ("", invitation.token[:-1], invitation.token.swapcase(), "\ud800\0"):
        assert database.rater_by_token(wrong, now=1.0) is None
    assert database.rater_by_token(database.invite("Bob", now=0.0, days=None).token, now=1e12) is not None


def test_a_revoked_link_ends_and_a_renewed_one_ends_the_old(database: StudyDatabase) -> None:
    first = database.invite("Ann", now=0.0)
    with pytest.raises(ConfigError, match="has a link already"):
        database.invite("Ann", now=1.0)
    second = database.invite("Ann", now=1.0, renew=True)
    assert database.rater_by_token(first.token, now=2.0) is None
    assert second.rater.id == first.rater.id
    database.revoke("Ann", now=2.0)
    assert database.rater_by_token(second.token, now=3.0) is None
    assert [row.status for row in database.raters(now=3.0)] == ["revoked"]
    third = database.invite("Ann", now=3.0, renew=True)
    assert database.rater_by_token(third.token, now=4.0) is not None
    with pytest.raises(ConfigError, match="Did you mean 'Ann'"):
        database.revoke("Anne", now=5.0)


def test_all_are_invited_or_none(database: StudyDatabase) -> None:
    database.invite("Bob", now=0.0)
    with pytest.raises(ConfigError):
        database.invite_all(["Ann", "Bob"], now=0.0)
    assert [row.name for row in database.raters()] == ["Bob"]


def test_names_that_cannot_be_shown_days_and_quotas_out_of_bounds_are_refused(
    database: StudyDatabase,
) -> None:
    for name in ("", " ", " Ann", "Ann\n", "A\0n", "A\u202en", "x" * 101, "\x1b[2J"):
        with pytest.raises(ConfigError, match="no name"):
            database.invite(name, now=0.0)
    wrong: list[dict[str, Any]] = [{"days": 0.0}, {"days": -1.0}, {"days": float("nan")}, {"quota": 0}]
    for one in wrong:
        with pytest.raises(ConfigError):
            database.invite("Ann", now=0.0, **one)
    assert database.raters() == []


def test_no_token_lies_in_the_database(tmp_path: Path) -> None:
    with create_study(tmp_path / "study.db", small_study(2)) as database:
        invitation, admin = database.invite("Ann", now=0.0), database.new_admin_token()
        assert invitation.token not in repr(invitation)
    with closing(sqlite3.connect(tmp_path / "study.db")) as plain:
        dump = "\n".join(plain.iterdump())
    for token in (invitation.token, admin):
        assert token not in dump


def test_the_keepers_token_is_one_at_a_time(database: StudyDatabase) -> None:
    assert not database.check_admin("")
    first = database.new_admin_token()
    assert database.check_admin(first)
    second = database.new_admin_token()
    assert not database.check_admin(first)
    assert database.check_admin(second)
    assert not database.check_admin(database.secret())


def test_the_secret_is_the_studys_own(tmp_path: Path) -> None:
    with (
        create_study(tmp_path / "a.db", small_study(1)) as a,
        create_study(tmp_path / "b.db", small_study(1)) as b,
    ):
        assert len({a.secret(), b.secret()}) == 2
        assert len(a.secret()) == 64


def test_rows_count_votes_repeats_and_checks_apart(tmp_path: Path) -> None:
    study = small_study(9, checks=4, rules=Rules(repeats=0.2, checks=0.2, repeat_gap=3))
    with create_study(tmp_path / "study.db", study) as database:
        rater = database.invite("Ann", now=0.0, quota=25).rater
        database.invite("Bob", now=0.0)
        for i in range(25):
            seen = database.next_assignment(rater.id, now=float(i))
            assert seen is not None
            database.vote(
                rater.id, seen.public_id, "left", request_id=f"request-{i}", now=float(i), seconds=float(i)
            )
        ann, bob = database.raters(now=30.0)
        votes = database.read().votes.frame
        policies = database.policies()
    assert ann.votes + ann.repeats + ann.checks == 25 == len(votes)
    assert ann.repeats == votes["repeat"].sum()
    assert ann.checks == votes["comparison_id"].str.starts_with("check").sum()
    passed = votes.filter(comparison_id="check0", winner="a").height
    assert passed <= ann.checks_passed <= ann.checks
    assert (ann.seconds, ann.last_vote) == (12.0, 24.0)
    assert dataclasses.asdict(bob)["votes"] == 0
    assert sum(row.votes for row in policies) == 2 * ann.votes
    assert [row.votes_wanted for row in policies] == [36, 36, 36]
