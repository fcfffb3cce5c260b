"""Responses looked over, against a slow twin and cases by hand."""

from __future__ import annotations

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import NoOverlap
from charm_rm.generation import COUNTS, check_responses
from charm_rm.tables import Responses
from generation_fakes import prompts_of


def responses_of(rows: list[tuple[str, str, str, str | None]]) -> Responses:
    """(prompt, policy, response, finish_reason); ids are the prompts."""
    return Responses(
        pl.DataFrame(
            [
                {"prompt_id": p, "prompt": p, "policy": policy, "response": text, "finish_reason": finish}
                for p, policy, text, finish in rows
            ],
            schema_overrides={"finish_reason": pl.String},
        )
    )


def test_by_hand() -> None:
    found = check_responses(
        responses_of(
            [
                ("a", "oak", "Yes.", "stop"), ("b", "oak", "Yes.", "stop"), ("c", "oak", "", "stop"),
                ("a", "elm", "Yes. ", "stop"), ("b", "elm", "I'm sorry, no.", "length"),
                ("a", "fir", "No.", None), ("b", "fir", " ", "stop"), ("c", "fir", "Maybe", "content_filter"),
            ]
        )
    )  # fmt: skip
    rows = {row["policy"]: row for row in found.policies.to_dicts()}
    assert [rows["oak"][c] for c in COUNTS] == [0, 1, 0, 0, 2, 1]
    assert [rows["elm"][c] for c in COUNTS] == [1, 0, 1, 1, 0, 1]
    assert [rows["fir"][c] for c in COUNTS] == [0, 1, 0, 1, 0, 0]
    assert found.identical.rows() == [("elm", "oak", 2, 1, 0.5)]
    assert found.total == {
        "missing": 1,
        "empty": 2,
        "cut_off": 1,
        "refused": 2,
        "duplicated": 2,
        "identical": 2,
    }
    assert found.findings.filter(pl.col("finding") == "missing").rows() == [("elm", "c", None, "missing")]


def test_prompts_that_nobody_answered_are_missing_of_all() -> None:
    responses = responses_of([("a", "oak", "Yes.", None), ("b", "elm", "No.", None)])
    found = check_responses(responses, prompts=prompts_of("a", "c"))
    assert found.prompts == 2
    assert found.policies.select("policy", "answers", "missing", "cut_off").rows() == [
        ("elm", 0, 2, None),
        ("oak", 1, 1, None),
    ]
    assert found.total["cut_off"] is None
    with pytest.raises(NoOverlap, match="none of the responses"):
        check_responses(responses, prompts=prompts_of("z"))


def test_samples_are_no_duplicates_of_one_another() -> None:
    rows = [
        {"prompt_id": "a", "prompt": "a", "policy": "oak", "response": "Yes.", "sample": s} for s in range(3)
    ]
    found = check_responses(Responses(pl.DataFrame(rows)))
    assert found.policies.select("answers", "duplicated", "missing").row(0) == (3, 0, 0)


def test_samples_that_a_prompt_lacks_are_missing() -> None:
    """oak gives 3 samples to a, 1 to b, none to c: 2 and 1 are missing; elm gives one to each."""
    rows = [
        {"prompt_id": p, "prompt": p, "policy": policy, "response": f"{policy} {p} {s}", "sample": s}
        for p, policy, n in [
            ("a", "oak", 3),
            ("b", "oak", 1),
            ("a", "elm", 1),
            ("b", "elm", 1),
            ("c", "elm", 1),
        ]
        for s in range(n)
    ]
    found = check_responses(Responses(pl.DataFrame(rows)))
    assert found.policies.select("policy", "answers", "missing").rows() == [("elm", 3, 0), ("oak", 4, 3)]
    gaps = found.findings.filter(pl.col("finding") == "missing")
    assert gaps.select("policy", "prompt_id", "sample").rows() == [
        ("oak", "b", None),
        ("oak", "b", None),
        ("oak", "c", None),
    ]


def test_answers_to_other_prompts_are_counted() -> None:
    responses = responses_of(
        [("a", "oak", "Yes.", None), ("b", "oak", "No.", None), ("b", "elm", "No.", None)]
    )
    assert check_responses(responses, prompts=prompts_of("a")).others == 2
    assert check_responses(responses).others == 0


TEXTS = st.sampled_from(["", " ", "Yes.", "No.", "Sorry, no."])


@given(
    st.dictionaries(
        st.tuples(st.sampled_from("abcd"), st.sampled_from(["oak", "elm", "fir"])), TEXTS, min_size=1
    )
)
def test_against_a_slow_twin(texts: dict[tuple[str, str], str]) -> None:
    found = check_responses(responses_of([(p, policy, text, "stop") for (p, policy), text in texts.items()]))
    prompts, policies = {p for p, _ in texts}, {policy for _, policy in texts}
    for row in found.policies.to_dicts():
        mine = {p: text.strip() for (p, policy), text in texts.items() if policy == row["policy"]}
        said = [(p, text) for p, text in mine.items() if text]
        assert row["missing"] == len(prompts) - len(mine)
        assert row["empty"] == len(mine) - len(said)
        assert row["refused"] == sum(text.startswith("Sorry") for _, text in said)
        assert row["duplicated"] == sum(any(o != p and t == text for o, t in said) for p, text in said)
        others = policies - {row["policy"]}
        assert row["identical"] == sum(
            any(texts.get((p, o), "").strip() == text for o in others) for p, text in said
        )
