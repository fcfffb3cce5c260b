"""Which comparison a rater gets, and on which sides."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")


from charm_rm.errors import BadSetting, ConfigError
from charm_rm.study.database import create_study
from charm_rm.study.database.assigning import _due, _Seen
from charm_rm.study.database.study_database import StudyDatabase
from charm_rm.study.nouns import Study, StudyVotes
from charm_rm.study.rules import Rules, rules_of
from study_worlds import small_study

Clock = Callable[[], float]
pytestmark = pytest.mark.usefixtures("no_sync")


def vote_all(database: StudyDatabase, rater: int, clock: Clock, *, most: int = 1000) -> int:
    """Let a rater vote until nothing is left, or ``most`` times; how often."""
    for i in range(most):
        seen = database.next_assignment(rater, now=clock())
        if seen is None:
            return i
        outcome = database.vote(rater, seen.public_id, "left", request_id=secrets.token_hex(8), now=clock())
        assert outcome.outcome == "saved"
    return most


def votes(database: StudyDatabase) -> pl.DataFrame:
    study = database.read()
    return study.votes.frame.join(study.comparisons.frame, on="comparison_id", maintain_order="left")


def test_every_comparison_gets_the_votes_it_wants_and_no_more(place: dict[str, Any], clock: Clock) -> None:
    with create_study(study=small_study(3, wanted=2), **place) as database:
        raters = [i.rater.id for i in database.invite_all(["Ann", "Bob", "Cid"], now=clock())]
        for turn in range(100):
            vote_all(database, raters[turn % 3], clock, most=1)
        counts = votes(database).group_by("comparison_id").len()["len"]
        assert counts.to_list() == [2] * 9
        twice = votes(database).select(pl.struct("comparison_id", "rater").is_duplicated().any()).item()
        assert not twice
        assert all(database.progress(r).done == database.progress(r).total == 6 for r in raters)


def test_the_fewest_votes_come_first(place: dict[str, Any], clock: Clock) -> None:
    with create_study(study=small_study(4, wanted=3), **place) as database:
        ann, bob = (i.rater.id for i in database.invite_all(["Ann", "Bob"], now=clock()))
        vote_all(database, ann, clock, most=5)
        vote_all(database, bob, clock, most=7)
        seen = votes(database).group_by("rater").agg(pl.col("comparison_id"))
        by_rater = {row["rater"]: set(row["comparison_id"]) for row in seen.to_dicts()}
        assert not by_rater["Ann"] & by_rater["Bob"]


def test_open_ones_hold_a_place_until_they_are_stale(place: dict[str, Any]) -> None:
    study = small_study(1, wanted=1, rules=Rules(repeats=0, checks=0, stale_minutes=30))
    with create_study(study=study, **place) as database:
        ann, bob = (i.rater.id for i in database.invite_all(["Ann", "Bob"], now=0.0))
        left = database.next_assignment(ann, now=0.0)
        assert left is not None
        for i in range(2):
            seen = database.next_assignment(bob, now=1.0)
            assert seen is not None
            database.vote(bob, seen.public_id, "tie", request_id=f"request-{i}", now=1.0)
        assert database.next_assignment(bob, now=30 * 60 - 1.0) is None
        seen = database.next_assignment(bob, now=30 * 60 + 1.0)
        assert seen is not None
        assert {seen.left, seen.right} == {left.left, left.right}
        # whoever comes back late votes all the same
        assert database.next_assignment(ann, now=1e5) == left
        assert (
            database.vote(ann, left.public_id, "tie", request_id="request-late", now=1e5).outcome == "saved"
        )


def test_a_quota_ends_a_raters_work(place: dict[str, Any], clock: Clock) -> None:
    with create_study(study=small_study(4), **place) as database:
        rater = database.invite("Ann", now=clock(), quota=5).rater.id
        assert database.progress(rater).total == 5
        assert vote_all(database, rater, clock) == 5


def test_repeats_come_at_a_distance_with_sides_swapped(tmp_path: Path, clock: Clock) -> None:
    rules = Rules(repeats=0.2, checks=0.1, repeat_gap=6)
    with create_study(tmp_path / "study.db", small_study(10, wanted=1, checks=8, rules=rules)) as database:
        rater = database.invite("Ann", now=clock()).rater.id
        spent = vote_all(database, rater, clock)
        rows = votes(database).with_row_index("slot")
        again = rows.filter("repeat").join(
            rows.filter(~pl.col("repeat")), on="comparison_id", suffix="_first"
        )
        assert len(again) == pytest.approx(0.2 * spent, abs=1.01)
        assert rows.filter(pl.col("kind") == "check").height == pytest.approx(0.1 * spent, abs=1.01)
        assert (again["slot"].cast(int) - again["slot_first"].cast(int) >= 6).all()
        assert (again["left"] != again["left_first"]).all()
        assert (again["kind"] == "main").all()
        assert rows.filter((pl.col("kind") == "main") & ~pl.col("repeat")).height == 30


def test_sides_are_balanced_for_every_rater_and_comparison(tmp_path: Path, clock: Clock) -> None:
    with create_study(tmp_path / "study.db", small_study(5, wanted=4)) as database:
        for invitation in database.invite_all(["Ann", "Bob", "Cid", "Dee"], now=clock()):
            vote_all(database, invitation.rater.id, clock)
        lead = pl.when(pl.col("left") == "a").then(1).otherwise(-1).sum().abs()
        rows = votes(database)
        assert rows.group_by("rater").agg(lead.alias("lead"))["lead"].max() <= 2
        by_comparison = rows.group_by("comparison_id").agg(lead.alias("lead"))["lead"]
        assert by_comparison.max() <= 2
        assert by_comparison.mean() < 0.5


def test_a_study_without_texts_cannot_be_voted_on(tmp_path: Path) -> None:
    bare = replace(small_study(2), responses=None)
    with create_study(tmp_path / "study.db", bare) as database:
        rater = database.invite("Ann", now=0.0).rater.id
        with pytest.raises(ConfigError, match="no texts"):
            database.next_assignment(rater, now=1.0)


@given(share=st.floats(0, 0.5), rater=st.integers(1, 1000), length=st.integers(1, 60))
def test_a_share_holds_at_every_length(share: float, rater: int, length: int) -> None:
    given_so_far = 0
    for slot in range(length):
        seen = _Seen(rater, [None] * slot, Rules(seed=5))  # type: ignore[list-item]
        due = _due(seen, "check", share, given_so_far)
        given_so_far += due
        assert abs(given_so_far - share * (slot + 1)) <= 1.0 + 1e-9


@pytest.mark.parametrize(
    "told",
    [{"repeats": 0.9}, {"checks": float("nan")}, {"repeat_gap": 0}, {"question": " "}, {"repeat": 0.1}],
)
def test_rules_out_of_bounds_are_refused_before_anything_is_written(
    told: dict[str, Any], tmp_path: Path
) -> None:
    study = replace(small_study(2), provenance={"rules": told})
    with pytest.raises(BadSetting):
        rules_of(study.provenance)
    with pytest.raises(BadSetting):
        create_study(tmp_path / "study.db", study)
    assert list(tmp_path.iterdir()) == []


def test_a_finished_study_can_be_written_and_gone_on_with(either_place: dict[str, Any], clock: Clock) -> None:
    planned = small_study(2, wanted=2)
    cast = pl.DataFrame(
        {
            "comparison_id": ["c0-alder-birch", "c0-alder-birch", "c1-alder-cedar"],
            "rater": ["Ann", "Bob", "Ann"],
            "winner": ["a", "both_bad", "tie"],
            "repeat": [False, False, False],
            "left": [None, None, None],
            "voted_at": ["2026-11-26T14:30:00+00:00", None, "2026-11-26T14:31:00.250+00:00"],
        },
        schema_overrides={"left": pl.String},
    )
    study: Study = replace(planned, votes=StudyVotes(cast))
    with create_study(study=study, **either_place) as database:
        back = database.read().votes.frame
        assert back.select("comparison_id", "rater", "winner", "repeat", "left").equals(cast.drop("voted_at"))
        assert back["voted_at"].to_list() == [
            "2026-11-26T14:30:00.000+00:00", None, "2026-11-26T14:31:00.250+00:00"
        ]  # fmt: skip
        assert [row.status for row in database.raters()] == ["imported", "imported"]
        ann = database.invite("Ann", now=clock()).rater
        assert not database.undo(ann.id, request_id="undo-0001", now=clock())
        # of six, neither those that she has voted on nor, were it another one, the one that has its two
        assert vote_all(database, ann.id, clock) == 4
