"""What is known of a study while people vote: hand-worked cases, a slow twin, and studies that nobody has voted in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.study.live import Share, live_study, over_time
from charm_rm.study.nouns import CHOICES, Study
from study.studies import check, comparisons, main, simulated, vote, votes

PLAN = [main("c1", "alpha", "beta"), main("c2", "alpha", "gamma"), check("k", "alpha", "beta", "b")]


def small(*said: tuple) -> Study:
    return Study("small", comparisons(PLAN), votes(list(said)))


def test_hand_worked() -> None:
    study = small(
        vote("c1", "Ann", "a", left="a", seconds=4.0),
        vote("c1", "Ann", "b", left="b", repeat=True, seconds=6.0),
        vote("c1", "Bob", "tie", comment="  hm  ", at="2026-11-02T10:30:00+00:00"),
        vote("c2", "Bob", "b", left="a"),
        vote("k", "Ann", "b"),
        vote("k", "Bob", "a"),
    )
    live = live_study(study)
    assert (live.votes, live.wanted, live.repeats, live.checks) == (3, 4, 1, 2)
    assert (live.comparisons, live.covered, live.complete) == (2, 2, 1)
    assert live.progress == 0.75
    assert live.consistency == Share(0, 1)
    assert live.passed == Share(1, 2)
    # c1 by Ann (left), c2 by Bob (right); the tie, the second look and the checks do not count.
    assert live.left == Share(1, 2)
    ann, bob = live.raters.sort("rater").iter_rows(named=True)
    assert (ann["votes"], ann["repeats"], ann["consistent"], ann["checks"], ann["passed"]) == (1, 1, 0, 1, 1)
    assert (bob["votes"], bob["ties"], bob["left"], bob["sided"]) == (2, 1, 0, 1)
    assert ann["seconds"] == 4.0  # of what counts
    assert live.last_vote == "2026-11-02T10:30:00+00:00"
    policies = {row["policy"]: row for row in live.policies.iter_rows(named=True)}
    assert {name: (row["votes"], row["wins"]) for name, row in policies.items()} == {
        "alpha": (3, 1.5),
        "beta": (2, 0.5),
        "gamma": (1, 1.0),
    }
    assert live.pairs.select("policy_b", "covered", "votes", "wanted", "wins_a", "wins_b", "ties").rows() == [
        ("beta", 1, 2, 2, 1, 0, 1),
        ("gamma", 1, 1, 2, 0, 1, 0),
    ]
    assert live.comments["comment"].to_list() == ["  hm  "]


def test_a_study_without_votes_says_nothing_rather_than_zero() -> None:
    live = live_study(small())
    assert (live.votes, live.progress, live.covered) == (0, 0.0, 0)
    assert live.consistency.value is None
    assert live.seconds is None
    assert live.last_vote is None
    assert live.raters.is_empty()
    assert live.policies["votes"].to_list() == [0, 0, 0]
    assert live.pairs["wins_a"].to_list() == [0, 0]


def test_votes_without_the_optional_columns() -> None:
    study = simulated()
    bare = Study(
        study.name,
        study.comparisons,
        type(study.votes)(study.votes.frame.drop("left", "seconds", "comment", "voted_at")),
    )
    live, full = live_study(bare), live_study(study)
    assert (live.votes, live.consistency, live.passed) == (full.votes, full.consistency, full.passed)
    assert live.left.total == 0
    assert live.untimed == live.votes


_ROWS = st.lists(
    st.tuples(
        st.sampled_from(["c1", "c2", "k"]),
        st.sampled_from(["Ann", "Bob", "Cy"]),
        st.sampled_from(CHOICES),
        st.booleans(),
        st.sampled_from(["a", "b", None]),
    ),
    unique_by=lambda row: (row[0], row[1], row[3]),
)


@given(_ROWS)
def test_as_counted_row_by_row(rows: list[tuple]) -> None:
    live = live_study(small(*(vote(c, r, w, repeat=again, left=left) for c, r, w, again, left in rows)))
    first = [row for row in rows if row[0] != "k" and not row[3]]
    again = [row for row in rows if row[0] != "k" and row[3]]
    before = {(c, r): w for c, r, w, _, _ in first}
    matched = [before[c, r] == w for c, r, w, _, _ in again if (c, r) in before]
    sided = [w == left for _, _, w, _, left in first if w in "ab" and left is not None]
    assert live.votes == len(first) == live.policies["votes"].sum() / 2 == live.pairs["votes"].sum()
    assert live.votes == live.raters["votes"].sum() == live.policies["wins"].sum()
    assert (live.repeats, live.checks) == (len(again), sum(row[0] == "k" for row in rows))
    assert live.consistency == Share(sum(matched), len(matched))
    assert live.left == Share(sum(sided), len(sided))
    assert live.passed.count == sum(row[0] == "k" and row[2] == "b" for row in rows)
    for name in ("consistent", "passed", "left"):
        assert (
            live.raters[name].sum()
            == {"consistent": live.consistency, "passed": live.passed, "left": live.left}[name].count
        )


@given(st.lists(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2040, 1, 1)), min_size=1))
def test_periods_hold_every_vote_and_are_few(moments: list[datetime]) -> None:
    frame, period, unread = over_time([moment.isoformat() for moment in moments])
    assert frame["votes"].sum() == len(moments) == frame["total"][-1]
    assert 1 <= frame.height <= 72
    assert unread == 0
    steps = set(frame["start"].diff().drop_nulls())
    assert len(steps) <= 1, "gaps are shown"
    assert period == "hour" or steps >= {timedelta(days=1)} or period.endswith("days")
    assert frame["start"][0] <= min(moments).replace(tzinfo=UTC)


def test_times_that_are_none_are_counted() -> None:
    frame, _, unread = over_time(["yesterday", None, "2026-11-02T09:10:00+02:00", "2026-11-02T09:10:00"])
    assert unread == 2
    assert frame["start"].to_list() == [datetime(2026, 11, 2, h, tzinfo=UTC) for h in (7, 8, 9)]
    assert frame["votes"].to_list() == [1, 0, 1]
    assert over_time([])[0].is_empty()


def test_ten_thousand_votes_are_all_counted() -> None:
    study = simulated(prompts=2500, raters=10, votes_each=1000, models=0)
    live = live_study(study)
    assert live.votes == 10_000
    assert isinstance(live.raters, pl.DataFrame)
