"""Labels of winners that nobody knows are explained, and never guessed; names of policies in other case are their policies'."""

from __future__ import annotations

from typing import Any

import pytest

from charm_rm.errors import ConfigError, SchemaError
from study.imports import imported, margins, vote, votes


def _winners(labels: list[Any], *explained: str, **how: Any) -> tuple[list[str], str]:
    rows = [vote(prompt_id=f"p{i}", winner=label) for i, label in enumerate(labels)]
    study, said = imported(rows, labels=explained, **how)
    return study.votes.frame["winner"].to_list(), said


@pytest.mark.parametrize(
    ("labels", "explained"),
    [
        ([1, 0, 2], ["1=a", "0=b", "2=tie"]),
        ([1.0, 0.0, None, 2.0], ["1=A", "0=b", "2=tie"]),
        ([True, False], ["true=a", "false=b"]),
        (["A is best", "b IS best ", "same"], ["a is best=a", "B is best = b"]),
        (["x", "A<B?", "tie", "skipped"], ["a<b?=b", "skipped=none"]),
        (["A=B!", "B", "tie"], ["A=B!=a"]),
    ],
)
def test_labels_mean_what_was_said(labels: list[Any], explained: list[str]) -> None:
    assert _winners(labels, *explained)[0] == ["a", "b", "tie"][: len(set(labels) - {None, "skipped"})]


def test_sides_and_both_bad_can_be_said() -> None:
    assert _winners(["1st", "2nd", "no"], "1st=left", "2nd=right", "no=both_bad", first_left=True)[0] == ["a", "b", "both_bad"]  # fmt: skip


@pytest.mark.parametrize("labels", [["whatever", "x"], [0, 1], [3, 4, 7]])
def test_labels_that_are_not_explained_are_refused_with_the_option(labels: list[Any]) -> None:
    with pytest.raises(SchemaError) as caught:
        _winners(labels)
    assert "--label LABEL=WINNER" in str(caught.value.fix)
    assert "judgements" not in str(caught.value)


@pytest.mark.parametrize(
    ("explained", "says"),
    [
        (["skip"], "is not LABEL=WINNER"),
        (["=a"], "is not LABEL=WINNER"),
        (["skip=nobody"], "is not LABEL=WINNER"),
        (["skp=none"], r"no winner is told as 'skp'\. Did you mean 'skip'"),
        (["skip=none", "Skip=tie"], "two meanings"),
    ],
)
def test_what_explains_nothing_is_refused(explained: list[str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        _winners(["a", "skip"], *explained)


def test_a_models_labels_are_explained_too_and_its_numbers_are_left() -> None:
    rows = votes(gpt=["best", "worst", "tie"] * 2, rm=[1.0, -2.0, 0.0, -1.0, 2.0, 0.0])
    study, _ = imported(rows, labels=["best=a", "worst=b"], columns_of_models=["gpt=gpt:winner", "rm=rm"])
    assert margins(study)["rm"] == [1.0, -2.0, 0.0]
    assert margins(study)["gpt"][2] == 0.0
    with pytest.raises(ConfigError, match="no winner is told as '1'"):  # it is a score, and no label
        imported(votes(a=[1] * 6, b=[0] * 6), labels=["1=a"], columns_of_models=["rm=a,b"])


def test_names_in_other_case_or_with_spaces_are_their_policies_and_it_is_said() -> None:
    rows = [
        vote(policy_a="GPT-4", policy_b="Llama", winner=w, prompt_id=w) for w in ("gpt-4", "LLAMA ", "GPT-4")
    ]
    study, said = imported(rows)
    assert dict(study.votes.frame.join(study.comparisons.frame, on="comparison_id").select("prompt_id", "winner").rows()) == {"gpt-4": "a", "LLAMA ": "b", "GPT-4": "a"}  # fmt: skip
    assert (
        "2 winners named in other case or with spaces read as the policy of that name, 'gpt-4' for one"
        in said
    )
    with pytest.raises(SchemaError, match="neither of the two models' names"):
        imported([vote(policy_a="GPT", policy_b="gpt", winner="Gpt")])
