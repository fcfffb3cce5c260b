"""What a row asks, in the layouts that prompts come in."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from charm_rm.sampling.asked import Asked, asked_in, layout_of

USER = {"role": "user", "content": "Why?"}
ANSWER = {"role": "assistant", "content": "So."}
AGAIN = {"role": "user", "content": "And then?"}


def asked(row: dict[str, Any], **columns: str) -> Asked:
    frame = pl.DataFrame([row], infer_schema_length=None)
    layout = layout_of(frame, columns, keep=(), where="here")
    return next(iter(asked_in(frame, layout, first=4)))


@pytest.mark.parametrize(
    ("row", "prompt"),
    [
        ({"prompt": "Why?"}, "Why?"),
        ({"instruction": "Why?", "output": "So."}, "Why?"),
        ({"question": " Why?\n"}, " Why?\n"),
        ({"prompt": [USER]}, "Why?"),
        ({"messages": [USER, ANSWER]}, "Why?"),
        ({"messages": [USER, ANSWER, AGAIN, ANSWER]}, [USER, ANSWER, AGAIN]),
        ({"conversation_a": [USER, ANSWER], "conversation_b": [USER, ANSWER]}, "Why?"),
        ({"conversations": [{"from": "human", "value": "Why?"}, {"from": "gpt", "value": "So."}]}, "Why?"),
        ({"prompt": "Why?", "chosen": "So.", "rejected": "No."}, "Why?"),
        ({"prompt": "Why?", "chosen": ["So."], "rejected": ["No."]}, "Why?"),
        ({"prompt": "Why?", "chosen": ["a", "b", "c"], "rejected": ["d", "e", "f"]}, "Why?"),
        ({"chosen": [USER, ANSWER], "rejected": [USER, {**ANSWER, "content": "No."}]}, "Why?"),
        (
            {"chosen": "\n\nHuman: Why?\n\nAssistant: So.", "rejected": "\n\nHuman: Why?\n\nAssistant: No."},
            "Why?",
        ),
        (
            {"prompt": "\n\nHuman: Why?\n\nAssistant: So.\n\nHuman: And then?\n\nAssistant:"},
            [USER, ANSWER, AGAIN],
        ),
        ({"prompt": [{"role": "system", "content": "Be kind."}, USER]}, [{"role": "system", "content": "Be kind."}, USER]),
    ],
)  # fmt: skip
def test_layouts(row: dict[str, Any], prompt: Any) -> None:
    found = asked(row)
    assert (found.prompt, found.problem, found.place) == (prompt, None, 4)


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"prompt": None, "chosen": "a", "rejected": "b"}, "the pair has no prompt"),
        ({"prompt": "Why?", "chosen": None, "rejected": "b"}, "the prompt is missing"),
        ({"prompt": [ANSWER]}, "the prompt holds no turn of the user"),
        ({"prompt": [[1, 2]]}, "expected text or a list of messages"),
        ({"prompt": [{"role": "user", "content": "  "}]}, "the prompt is empty"),
    ],
)
def test_rows_without_a_prompt_say_why(row: dict[str, Any], problem: str) -> None:
    found = asked(row)
    assert found.prompt is None
    assert problem in str(found.problem)


def test_ids_are_those_that_name_prompts() -> None:
    assert asked({"prompt": "Why?", "prompt_id": 7}).prompt_id == "7"
    assert asked({"prompt": "Why?", "question_id": "q7"}).prompt_id == "q7"
    assert asked({"prompt": "Why?", "id": 7}).prompt_id is None  # it may number rows
    assert asked({"prompt": "Why?", "id": 7}, prompt_id="id").prompt_id == "7"
