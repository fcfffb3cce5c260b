"""Models in columns of the votes: verdicts, margins, scores; turned to the policies; differing rows averaged; nothing guessed that may be two things."""

from __future__ import annotations

from typing import Any

import pytest

from charm_rm.errors import ConfigError, SchemaError
from charm_rm.judgements.margins import MARGIN_BOUND
from study.imports import imported, margins, votes

SURE = round(MARGIN_BOUND, 6)
# Of x against y on p1, p2, p3: x wins, y wins, a tie. Ann's rows have x first, Bob's y.
WON = [SURE, -SURE, 0.0]


@pytest.mark.parametrize(
    "column",
    [
        ["x", "y", "tie", "x", "y", "tie"],
        ["model_a", "model_b", "tie", "model_b", "model_a", "tie"],
        ["[[A]]", "B", "C", "B", "A", "tie"],
        [1, 2, 0, 2, 1, 0],
        [1.0, 2.0, 1.5, 2.0, 1.0, 1.5],
        ["1", "-1", "0", "-1", "1", "0"],
        ["x", "y", "tie", None, "error", ""],
    ],
)
def test_verdicts_are_read_in_every_known_way_and_turned_to_the_policies(column: list[Any]) -> None:
    study, said = imported(votes(gpt=column), columns_of_models=["gpt4=gpt"])
    assert margins(study) == {"gpt4": WON}
    assert "'gpt4': read 'gpt' as who won" in said
    assert "differ" not in said
    assert "look" not in said
    assert study.models[0].margins.provenance["columns"] == ["gpt"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("column", "kind", "expected"),
    [
        ([2.5, -0.5, 0, -2.5, 0.5, 0], "", [2.5, -0.5, 0.0]),
        ([1, 2, 3, -1, -2, -3], ":margin", [1.0, 2.0, 3.0]),
        ([0.75, 0.25, 0.5, 0.25, 0.75, 0.5], ":probability", [1.098612, -1.098612, 0.0]),
        ([True, False, True, False, True, False], ":probability", [SURE, -SURE, SURE]),
        ([1.25, 1.75, 1.5, 1.75, 1.25, 1.5], ":preference", [1.098612, -1.098612, 0.0]),
    ],
)
def test_numbers_are_margins_where_both_signs_are_there_and_else_what_is_told(
    column: list[Any], kind: str, expected: list[float]
) -> None:
    study, _ = imported(votes(rm=column), columns_of_models=[f"rm=rm{kind}"])
    assert margins(study) == {"rm": expected}


@pytest.mark.parametrize("column", [[0, 1, 0, 1, 0, 1], [0.1, 0.9, 0.5, 0.2, 0.3, 0.4], [-1, -2, -3, -1, -2, -3], [True, False] * 3])  # fmt: skip
def test_numbers_that_may_be_several_things_are_refused_with_the_ways_to_say_which(column: list[Any]) -> None:
    with pytest.raises(ConfigError, match="may mean several things") as caught:
        imported(votes(rm=column), columns_of_models=["rm=rm"])
    assert "--model rm=rm:margin: :winner" in str(caught.value.fix)


def test_two_columns_are_scores_of_the_first_policy_and_of_the_second() -> None:
    rows = votes(score_a=[1, 2, 3, 0, 2.5, 3], score_b=["0", "2.5", "3", "1", "2", "3"])
    study, said = imported(rows, columns_of_models=["rm=score_a,score_b"])
    assert margins(study) == {"rm": [1.0, -0.5, 0.0]}
    assert "differ" not in said


def test_scores_of_the_chosen_answer_go_to_the_policy_that_the_row_chose() -> None:
    rows = votes(reward_chosen=[2, 1, 2, 1, 0, 2], reward_rejected=[1, 0, 2, 2, 1, 2])
    for row in rows[:3]:
        row["winner"] = "model_a"  # Ann chose x; Bob, who has y first, chose y
    study, said = imported(rows, columns_of_models=["rm=reward_chosen,reward_rejected"])
    assert margins(study) == {"rm": [1.0, 1.0, 0.0]}
    assert "scores of the answer that the vote of their row prefers" in said
    rows[0]["winner"] = "tie"
    assert margins(imported(rows, columns_of_models=["rm=reward_chosen,reward_rejected"])[0])["rm"][0] == 1.0


def test_scores_of_the_chosen_answer_are_refused_where_a_row_holds_several_peoples_votes() -> None:
    """They would be turned to whatever each person chose, so that the model agreed with everybody."""
    rows = [{"prompt_id": "p1", "policy_a": "x", "policy_b": "y", "ann": "x", "bob": "y", "chosen": 1.0, "rejected": 0.0}]  # fmt: skip
    with pytest.raises(ConfigError, match="a row holds the votes of several people"):
        imported(rows, columns_of_models=["rm=chosen,rejected"], columns_of_raters=["ann=ann", "bob=bob"])


def test_rows_that_differ_count_by_the_mean_of_each_order_and_it_is_said() -> None:
    """As a judge that was asked again: Ann's order is the mean of two rows, and weighs as much as Bob's one."""
    rows = votes(rm=[1.0, -2.0, 0.5, -4.0, 2.0, -0.5])
    rows.append(rows[0] | {"rater": "cy", "rm": 3.0})
    study, said = imported(rows, columns_of_models=["rm=rm"])
    assert margins(study) == {"rm": [3.0, -2.0, 0.5]}
    assert "on 1 of 3 comparisons rows differ in what 'rm' says ('rm'): the mean counts" in said
    labelled = [row | {"rm": "x" if row["rm"] > 1 else "y"} for row in rows if row["prompt_id"] == "p1"]
    study, said = imported(labelled, columns_of_models=["rm=rm"])
    assert margins(study) == {"rm": [round(-1.098612, 6)]}  # (1/2 + 0) / 2 = 1/4 for x
    assert "on 1 of 1 comparison" in said


def test_comparisons_without_a_value_are_left_out_and_counted_and_none_at_all_is_refused() -> None:
    study, said = imported(votes(rm=["x", None, "x", "x", "n/a", "y"]), columns_of_models=["rm=rm"])
    assert len(study.comparisons) == 2
    assert "votes left out: 2 (no verdict of a model)" in said
    with pytest.raises(SchemaError, match="'rm' has no verdict in 'rm'"):
        imported(votes(rm=[None] * 6), columns_of_models=["rm=rm:winner"])


def test_a_models_side_of_the_screen_is_a_policy_by_what_stood_there() -> None:
    rows = votes(gpt=["left", "right", "tie"] * 2, left=["x", "y", "a", "x", "b", "b"])
    study, _ = imported(rows, columns_of_models=["gpt=gpt"])
    assert margins(study) == {"gpt": [SURE, 0.0, 0.0]}
    with pytest.raises(ConfigError, match="6 cells of 'gpt' are left or right"):
        imported(votes(gpt=["left", "right"] * 3), columns_of_models=["gpt=gpt"])


def test_models_are_in_the_order_given_beside_other_ones() -> None:
    rows = votes(gpt=["x"] * 6, a=range(6), b=[2] * 6, judge=["crowd"] * 3 + ["gpt-4"] * 3)
    study, _ = imported(rows, columns_of_models=["rm=a,b", "gpt=gpt"])
    assert [m.name for m in study.models] == ["rm", "gpt", "gpt-4"]
    with pytest.raises(ConfigError, match="two models are called 'rm'"):
        imported(rows, columns_of_models=["rm=a,b", "rm=gpt"])


def test_names_of_columns_may_hold_what_takes_the_option_apart() -> None:
    rows = votes(**{"a,b=c:margin": ["x"] * 6, "s, a": range(6), "s, b": [2] * 6})
    study, _ = imported(rows, columns_of_models=["one=a,b=c:margin", "two=s, a,s, b"])
    assert margins(study)["one"] == [SURE] * 3
    assert margins(study)["two"] == [-1.5, -1.5, -1.5]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("gpt", "is not NAME=COLUMN"),
        ("=gpt", "is not NAME=COLUMN"),
        ("m=gtp", r"no column 'gtp'\. Did you mean 'gpt'"),
        ("m=gpt,other", "no column 'other'"),
        ("m=gpt:margn", r"'margn' is nothing that a column holds\. Did you mean 'margin'"),
        ("m=raw", "column 'raw' should hold labels, found Binary"),
        ("m=raw:margin", "column 'raw' should hold a number a row"),
        ("m=many,many", "'many' is given for both answers"),
        ("m=r_rejected,r_chosen", "scores of the answer that was not chosen come first"),
        ("m=words", "'good' is neither of the two models' names"),
        ("m=words:margin", "words 'good' is no number"),
        ("m=gpt,words", "'x' is no number"),
        ("m=many:probability", "many 7.0 is no probability"),
        ("m=many:preference", "many 7.0 is not in"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, says: str) -> None:
    rows = votes(
        gpt=["x"] * 6,
        words=["good"] * 6,
        many=[7] * 6,
        raw=[b"\xff"] * 6,
        r_chosen=[1] * 6,
        r_rejected=[0] * 6,
    )
    with pytest.raises((ConfigError, SchemaError), match=says):
        imported(rows, columns_of_models=[text])


def test_a_column_is_a_models_or_peoples_and_not_both() -> None:
    rows = [{k: v for k, v in row.items() if k != "winner"} for row in votes(verdict=["x"] * 6)]
    assert len(imported(rows)[0].votes) == 6
    with pytest.raises(
        ConfigError, match="the column 'verdict' is a model's by --model, and no other column is winner"
    ) as caught:
        imported(rows, columns_of_models=["gpt=verdict"])
    assert "--column winner=COLUMN" in str(caught.value.fix)
    with pytest.raises(ConfigError, match="both a field of the votes and a model's"):
        imported(rows, columns={"winner": "verdict"}, columns_of_models=["gpt=verdict"])
