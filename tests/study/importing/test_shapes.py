"""Votes and parts that stand inside of cells become rows and columns."""

from __future__ import annotations

import polars as pl
import pytest

from charm_rm.errors import ConfigError
from charm_rm.judgements.margins import MARGIN_BOUND
from charm_rm.study.importing.shapes import flat_votes, with_a_row_each
from study.imports import imported, margins

SURE = round(MARGIN_BOUND, 6)


def test_lists_of_votes_are_rows_and_objects_are_columns() -> None:
    cast = [{"rater": {"id": 7}, "Winner": "A"}, {"rater": {"id": 8}, "Winner": "B"}]
    rows = [{"prompt_id": "p", "model_a": {"name": "x"}, "model_b": {"name": "y"}, "votes": cast}]
    told = {"policy_a": "model_a.name", "policy_b": "model_b.name", "rater": "rater.id"}
    study, said = imported(rows, columns=told)
    assert study.votes.frame.select("rater", "winner").rows() == [("7", "a"), ("8", "b")]
    assert "took the objects in 'votes' as rows" in said


def test_rows_that_name_a_winner_and_conversations_stay_as_they_are() -> None:
    talk = [{"role": "user", "content": "Why?"}]
    frame = pl.DataFrame({"winner": ["A"], "judges": [[{"winner": "B"}]], "conversation_a": [talk]})
    assert flat_votes(frame, where="v").equals(frame)


def test_a_part_never_takes_the_place_of_a_column() -> None:
    frame = pl.DataFrame({"winner": ["A"], "m.p": [1], "m": [{"p": 2}], "n": [{"q": {"r": 3}}]})
    flat = flat_votes(frame, where="v")
    assert flat.columns == ["winner", "m.p", "m", "n.q.r"]
    assert flat["m.p"].to_list() == [1]


def test_each_persons_column_is_a_row_of_votes_and_empty_cells_are_none() -> None:
    rows = [
        {
            "prompt_id": "p1",
            "model_a": "x",
            "model_b": "y",
            "one": 1,
            "two": "A",
            "winner": "y",
            "rater": "?",
        },
        {
            "prompt_id": "p2",
            "model_a": "y",
            "model_b": "x",
            "one": 2,
            "two": None,
            "winner": "y",
            "rater": "?",
        },
    ]
    study, said = imported(rows, columns_of_raters=["Ann=one", "Bob=two"], columns_of_models=["gpt=winner"])
    told = study.votes.frame.sort("rater", "comparison_id").select("rater", "winner")
    assert told.rows() == [("Ann", "a"), ("Ann", "a"), ("Bob", "a")]
    assert "votes left out: 1 (no verdict)" in said
    assert margins(study)["gpt"] == [-SURE, -SURE]


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        (["one"], "is not NAME=COLUMN"),
        (["Ann=nested"], "'nested' holds List"),
        (["Ann=on"], "no column 'on'"),
        (["Ann=one", "Ann=two"], "the name 'Ann' is given twice"),
        (["Ann=one", "Bob=one"], "the column 'one' is given twice"),
    ],
)
def test_columns_of_people_that_cannot_be_are_refused(asked: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        with_a_row_each(pl.DataFrame({"one": ["a"], "two": ["b"], "nested": [[1]]}), asked, {})


def test_columns_of_people_leave_no_room_for_one_of_winners() -> None:
    with pytest.raises(ConfigError, match="the column of each winner is given twice"):
        with_a_row_each(pl.DataFrame({"one": ["a"], "w": ["b"]}), ["Ann=one"], {"winner": "w"})
