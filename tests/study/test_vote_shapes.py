"""Votes and parts that stand inside of cells become rows and columns."""

from __future__ import annotations

import polars as pl

from charm_rm.study.vote_shapes import flat_votes
from study.imports import imported


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
