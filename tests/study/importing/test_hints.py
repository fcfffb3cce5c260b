"""Columns that look like a model's are told with the option that takes them; other columns are not."""

from __future__ import annotations

from typing import Any

import pytest

from charm_rm.errors import ConfigError
from study.imports import imported, votes

LABELS, NUMBERS = ["x", "tie", "y", "x", "x", "y"], [0.5, 1, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("columns", "option"),
    [
        ({"gpt4_winner": LABELS}, "--model gpt4=gpt4_winner"),
        ({"GPT-4 verdict": LABELS}, "--model 'gpt_4=GPT-4 verdict'"),
        ({"gpt4_side": ["left", "Right"] * 3}, "--model gpt4_side=gpt4_side"),
        ({"opinion": ["A>>B", "A=B"] * 3}, "--model opinion=opinion"),
        ({"rm_a": NUMBERS, "rm_b": NUMBERS}, "--model rm=rm_a,rm_b"),
        ({"scoreA": NUMBERS, "scoreB": ["1", "n/a"] * 3}, "--model score=scoreA,scoreB"),
        ({"before1": NUMBERS, "before2": NUMBERS}, "--model before=before1,before2"),
        ({"score_a_before": NUMBERS, "score_b_before": NUMBERS}, "--model before=score_a_before,score_b_before"),
        ({"reward_chosen": NUMBERS, "reward_rejected": NUMBERS}, "--model reward=reward_chosen,reward_rejected"),
        ({"scores": [{"a": 1.0, "b": 0.5}] * 6}, "--model scores=scores.a,scores.b"),
        ({"gpt4": [{"winner": "A", "why": "!"}] * 6}, "--model gpt4=gpt4.winner"),
        ({"rm_margin": NUMBERS}, "--model rm_margin=rm_margin"),
        ({"preference": [1, 2] * 3}, "--model preference=preference"),
        ({"prefers_a": [True, False] * 3}, "--model a=prefers_a"),
    ],
)  # fmt: skip
def test_what_looks_like_a_models_is_told_and_the_option_takes_it(
    columns: dict[str, Any], option: str
) -> None:
    rows = votes(**columns)
    _, said = imported(rows)
    assert f"not used. To hold votes against it: {option}" in said
    name_and_columns = option.removeprefix("--model ").strip("'")
    kind = (
        ":margin"
        if "," not in option and set(map(type, next(iter(columns.values())))) & {float, bool}
        else ""
    )
    _, said = imported(rows, columns_of_models=[name_and_columns + kind], first_left=True)
    assert "not used" not in said


@pytest.mark.parametrize(
    "columns",
    [
        {"length_a": NUMBERS, "length_b": NUMBERS},
        {"num_tokens_1": [1] * 6, "num_tokens_2": [2] * 6},
        {"turn": [1, 1, 1, 1, 1, 1]},
        {"language": ["English"] * 6},
        {"category": ["c", "tie"] * 3},
        {"comment": ["x is better"] * 6},
        {"model_1": ["x"] * 3 + ["y"] * 3},
        {"difficulty": [1, 2] * 3},
        {"empty_a": [None] * 6, "empty_b": [None] * 6},
    ],
)  # fmt: skip
def test_other_columns_are_not(columns: dict[str, Any]) -> None:
    assert "not used" not in imported(votes(**columns))[1]


def test_columns_that_are_called_after_people_are_told_as_theirs() -> None:
    _, said = imported(votes(annotator_1=LABELS, annotator_2=LABELS))
    assert "2 things that look like a person's votes are not used" in said
    assert "--votes-of annotator_1=annotator_1, --votes-of annotator_2=annotator_2" in said
    assert "--model" not in said


def test_several_are_told_at_once() -> None:
    _, said = imported(votes(rm_a=NUMBERS, rm_b=NUMBERS, gpt4_winner=LABELS))
    assert "2 things that look like" in said
    assert "--model rm=rm_a,rm_b, --model gpt4=gpt4_winner" in said


def test_one_of_two_scores_is_no_verdict() -> None:
    rows = votes(rm_a=NUMBERS, rm_b=NUMBERS[::-1])
    with pytest.raises(
        ConfigError, match="'rm_a' looks like the score of one of two answers: there is 'rm_b'"
    ) as caught:
        imported(rows, columns_of_models=["rm=rm_a"])
    assert "--model rm=rm_a,rm_b" in str(caught.value.fix)
    assert "--model rm=rm_a:margin" in str(caught.value.fix)
    assert "'rm_a'" in imported(rows, columns_of_models=["rm=rm_a:margin"])[1]


def test_scores_given_second_policy_first_are_told() -> None:
    rows = votes(rm_a=NUMBERS, rm_b=NUMBERS[::-1])
    told = (
        "'rm_b' is read as the score of the first policy of each row, and by its name is that of the second"
    )
    assert told in imported(rows, columns_of_models=["rm=rm_b,rm_a"])[1]
    assert told not in imported(rows, columns_of_models=["rm=rm_a,rm_b"])[1]
