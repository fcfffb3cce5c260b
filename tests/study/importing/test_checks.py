"""What a table of votes may mean otherwise is told, and what would be misread without a word is not."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from charm_rm.errors import CharmWarning, ConfigError, SchemaError
from charm_rm.study.importing.votes import import_votes
from charm_rm.study.nouns import Study, StudyModel
from charm_rm.tables import Scores
from study.imports import Rows, imported, vote


def _study(rows: Rows, **how: Any) -> tuple[Study, str]:
    """The study, and what was said but for what was read as what."""
    study, said = imported(rows, **how)
    return study, "\n".join(line for line in said.splitlines() if ": read " not in line)


def test_a_later_turn_is_no_second_vote_on_the_first() -> None:
    rows = [vote(turn=turn, rater=r, winner=w) for r in ("ann", "bob") for turn, w in ((1, "a"), (2, "b"))]
    study, said = _study(rows)
    assert study.votes.frame.select("winner", "repeat").rows() == [("a", False)] * 2
    assert "2 (a later turn, which is another prompt)" in said
    assert study.provenance["dropped"] == {"a later turn, which is another prompt": 2}


def test_turns_that_count_how_long_conversations_are_drop_novote() -> None:
    study, said = _study([vote(prompt_id=f"p{n}", turn=n) for n in (1, 2, 3)])
    assert len(study.votes) == 3
    assert not said


@pytest.mark.parametrize(
    ("early", "late"),
    [
        ("2024-05-01T10:00", "2024-05-01T11:00"),
        ("2024-05-01", "2024-11-01"),
        ("900", "1000.5"),
        ("2024-05-01T10:00:00+05:00", "2024-05-01T06:00:00Z"),  # 5 o'clock, and 6
        ("2024-05-01T10:00:00Z", "2024-05-01T10:00:00.5Z"),
    ],
)
def test_the_first_vote_is_the_earliest_whatever_the_order_of_the_file(early: str, late: str) -> None:
    rows = [vote(winner="b", voted_at=late), vote(winner="a", voted_at=early)]
    for given in (rows, rows[::-1]):
        told = _study(given)[0].votes.frame.select("winner", "repeat").rows()
        assert sorted(told) == [("a", False), ("b", True)]


def test_times_that_cannot_be_ordered_leave_the_order_of_the_file() -> None:
    for times, lost in ((("3/2/2024", "1/12/2023"), 2), ((None, "2023-01-01"), 0)):
        study, said = _study([vote(winner="b", voted_at=times[0]), vote(winner="a", voted_at=times[1])])
        assert study.votes.frame.select("winner", "repeat").rows() == [("b", False), ("a", True)]
        assert (f"{lost} times of votes left out, '3/2/2024' for one" in said) == bool(lost)


@pytest.mark.parametrize("time", [1682351591.5, 1682351591500, "1682351591.5", datetime(2023, 4, 24, 15, 53, 11, 500000)])  # fmt: skip
def test_times_of_any_kind_are_dates(time: Any) -> None:
    study, said = _study([vote(tstamp=time)])
    told = study.votes.frame["voted_at"][0]
    assert told.startswith("2023-04-24T15:53:11.5")
    assert "left out" not in said


def test_votes_cast_with_names_shown_are_no_blind_votes() -> None:
    study, said = _study([vote(anony=True), vote(anony=False, rater="bob")])
    assert study.votes.frame["rater"].to_list() == ["ann"]
    assert "1 (cast with names shown (anony))" in said


def test_a_winner_by_the_side_of_the_screen_needs_to_know_who_stood_there() -> None:
    rows = [vote(winner="left"), vote(winner="Right", rater="bob")]
    with pytest.raises(ConfigError, match="does not say which policy stood there") as caught:
        _study(rows)
    assert "--first-left" in str(caught.value.fix)
    assert _study(rows, first_left=True)[0].votes.frame["winner"].to_list() == ["a", "b"]
    told = [row | {"left": "y"} for row in rows]
    assert _study(told)[0].votes.frame["winner"].to_list() == ["b", "a"]
    named = [{"model_left": "y", "model_right": "x"} | {k: v for k, v in row.items() if k not in ("policy_a", "policy_b")} for row in rows]  # fmt: skip
    study, _ = _study(named)
    assert study.votes.frame.select("winner", "left").rows() == [("b", "b"), ("a", "b")]


def test_names_written_in_several_ways_are_kept_apart_and_told() -> None:
    study, said = _study([vote(), vote(policy_a="X "), vote(rater="Ann", prompt_id="p2")])
    assert study.policies == ["X ", "x", "y"]
    assert "policies is written in several ways, which count as different policies: 'X ' and 'x'" in said
    assert "voters is written in several ways, which count as different voters: 'Ann' and 'ann'" in said


def test_a_prompt_with_two_texts_is_told_and_white_space_makes_no_other_text() -> None:
    _, said = _study([vote(prompt="Why?"), vote(prompt="How?", rater="bob")])
    assert "1 prompt_id has several texts ('p1')" in said
    assert not _study([vote(prompt="Why is it?"), vote(prompt="Why  is it?\n", rater="bob")])[1]


def test_weights_are_not_taken_without_a_word() -> None:
    """The battles that ``charm study export`` writes have weights, which a study of votes does not use."""
    _, said = _study([vote(weight=0.5), vote(weight=2.0, rater="bob")])
    assert "the column 'weight' is not used" in said
    assert not _study([vote(weight=1.0), vote(weight=1.0, rater="bob")])[1]


@pytest.mark.parametrize("missing", [None, " "])
def test_a_vote_without_a_policy_is_refused(missing: str | None) -> None:
    with pytest.raises(SchemaError, match="policy_a .* is missing"):
        _study([vote(), vote(policy_a=missing)])


def test_policies_that_a_model_does_not_know_are_named_with_those_that_look_alike() -> None:
    scores = Scores(pl.DataFrame({"prompt_id": ["p1"] * 2, "policy": ["gpt-4", "y"], "score": [1.0, 0.0]}))
    rows = [vote(policy_a="gpt-4"), vote(policy_a="GPT 4", rater="bob")]
    study, said = _study(rows, models=[StudyModel("rm", scores=scores)])
    assert len(study.votes) == 1
    assert "'rm' has no verdict on 'GPT 4': votes on it are left out. Did you mean 'gpt-4'?" in said


def test_both_bad_is_read_as_people_write_it() -> None:
    for word in ("both bad", "Both Bad", "tie(bothbad)", "both_bad"):
        study, _ = _study([vote(winner=word)])
        assert study.votes.frame["winner"].to_list() == ["both_bad"]


def test_what_is_said_is_a_warning_and_no_note_on_columns() -> None:
    with pytest.warns(CharmWarning, match="not used"):
        import_votes(pl.DataFrame([vote(weight=1.0), vote(weight=2.0, rater="b")]), where="v", name="v")
