"""Texts that stand in the votes are the study's, where they say one answer for each policy and prompt."""

from __future__ import annotations

from typing import Any

import pytest

from study.imports import Rows, imported, votes


def _texts(one: str, other: str, **changed: Any) -> Rows:
    rows = [row | {"prompt": f"Why {row['prompt_id']}?"} for row in votes()]
    return [row | {one: f"of {row['policy_a']}", other: f"of {row['policy_b']}"} | changed for row in rows]


@pytest.mark.parametrize(
    "pair",
    [
        ("response_a", "response_b"),
        ("output_1", "output_2"),
        ("answer1", "answer2"),
        ("Response A", "Response B"),
    ],
)
def test_answers_in_the_rows_are_the_texts_of_the_study(pair: tuple[str, str]) -> None:
    study, said = imported(_texts(*pair))
    assert study.responses is not None
    told = study.responses.frame.sort("prompt_id", "policy").select(
        "prompt_id", "prompt", "policy", "response"
    )
    assert told.rows()[:2] == [("p1", "Why p1?", "x", "of x"), ("p1", "Why p1?", "y", "of y")]
    assert told.height == 6
    assert f"read the texts that were compared from 'prompt', '{pair[0]}' and '{pair[1]}'" in said


def test_texts_of_the_chosen_answer_and_the_other_are_read_where_rows_name_these_policies() -> None:
    rows = [
        {"chosen_model": r["policy_a"], "rejected_model": r["policy_b"], "annotator": r["rater"]}
        | {"prompt": r["prompt"], "chosen": r["chosen"], "rejected": r["rejected"]}
        for r in _texts("chosen", "rejected")
    ]
    study, _ = imported(rows)
    assert study.responses is not None
    assert set(study.responses.frame["response"]) == {"of x", "of y"}
    assert study.votes.frame["winner"].to_list() == ["a", "a", "a", "b", "b", "b"]
    assert imported(_texts("chosen", "rejected"))[0].responses is None


@pytest.mark.parametrize(("last", "says"), [("else", "'x' has several answers to prompt 'p3'"), (None, "1 cells are empty")])  # fmt: skip
def test_several_answers_or_none_are_no_texts_and_it_is_said(last: str | None, says: str) -> None:
    rows = _texts("response_a", "response_b")
    rows[-1]["response_b"] = last
    study, said = imported(rows)
    assert study.responses is None
    assert says in said
    assert "--responses TABLE" in said
