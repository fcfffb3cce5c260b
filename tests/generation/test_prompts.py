"""Prompts from any table that has them; each once, and only those that can be answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm.conversations import prompt_hash
from charm_rm.errors import CharmWarning, ReadingNote, SchemaError, UnreadableFile
from charm_rm.generation import load_prompts, prompts_from_frame, with_system


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_prompts_of_a_jsonl_get_ids_of_their_texts(tmp_path: Path) -> None:
    found = load_prompts(write(tmp_path / "p.jsonl", [{"prompt": "A?"}, {"prompt": "B?"}]))
    assert found.rows() == [(prompt_hash("A?"), "A?"), (prompt_hash("B?"), "B?")]


def test_other_names_are_read_and_told(tmp_path: Path) -> None:
    path = write(tmp_path / "p.jsonl", [{"instruction": "A?", "topic": "x"}])
    with pytest.warns(ReadingNote, match="'instruction' as prompt"):
        assert load_prompts(path)["prompt"].to_list() == ["A?"]
    with pytest.warns(ReadingNote, match="'topic' as prompt"):
        assert load_prompts(path, columns={"prompt": "topic"})["prompt"].to_list() == ["x"]


def test_responses_have_each_prompt_once(tmp_path: Path) -> None:
    rows = [{"prompt_id": i, "prompt": f"{i}?", "policy": p, "response": "r"} for i in "ab" for p in "xyz"]
    assert load_prompts(write(tmp_path / "r.jsonl", rows)).rows() == [("a", "a?"), ("b", "b?")]


def test_conversations_stay_conversations_and_repeats_are_told(tmp_path: Path) -> None:
    talk = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Yes?"},
        {"role": "human", "content": "A?"},
    ]
    path = write(tmp_path / "p.jsonl", [{"prompt": talk}, {"prompt": "B?"}, {"prompt": "B?"}])
    with pytest.warns(CharmWarning, match="1 prompt of 3 repeated"):
        found = load_prompts(path)
    first, second = found["prompt"].to_list()
    assert [m["role"] for m in first] == ["user", "assistant", "user"]
    assert second == [{"role": "user", "content": "B?"}]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ([{"text": "A?"}], "column 'prompt' is missing"),
        ([{"prompt": "A?"}, {"prompt": " \n"}], "row 1: the prompt is empty"),
        (
            [{"prompt": [{"role": "user", "content": "A"}, {"role": "assistant", "content": "B"}]}],
            "ends with a turn of the assistant",
        ),
        ([{"prompt": []}], "prompt should be text or a list"),
        (
            [{"prompt_id": "a", "prompt": "A"}, {"prompt_id": "a", "prompt": "B"}],
            "'a' stands for two different prompts",
        ),
        (
            [{"prompt_id": "a", "prompt": "A"}, {"prompt_id": None, "prompt": "B"}],
            "row 1: prompt_id is missing",
        ),
    ],
)
def test_what_cannot_be_asked_is_refused(tmp_path: Path, rows: list[dict[str, Any]], words: str) -> None:
    with pytest.raises(SchemaError, match="Fix:") as caught:
        load_prompts(write(tmp_path / "p.jsonl", rows))
    assert words in str(caught.value)
    assert "p.jsonl" in str(caught.value)


def test_no_file_and_no_rows(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no such file"):
        load_prompts(tmp_path / "p.jsonl")
    with pytest.raises(SchemaError, match="no rows"):
        prompts_from_frame(pl.DataFrame({"prompt": []}, schema={"prompt": pl.String}), source="t")


def test_a_system_prompt_goes_before_all_else() -> None:
    assert with_system("A?", None) == "A?"
    assert with_system("A?", "Be brief.") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "A?"},
    ]
    own = [{"role": "system", "content": "You are a cat."}, {"role": "user", "content": "A?"}]
    assert with_system(own, "Be brief.") == [
        {"role": "system", "content": "Be brief.\n\nYou are a cat."},
        {"role": "user", "content": "A?"},
    ]
    assert own[0]["content"] == "You are a cat."


def test_messages_of_a_told_column_of_csv_are_messages(tmp_path: Path) -> None:
    asked = [
        [{"role": "user", "content": "A?"}],
        [{"role": "system", "content": "S."}, {"role": "user", "content": "B?"}],
    ]
    path = tmp_path / "asked.csv"
    pl.DataFrame({"mine": [json.dumps(one) for one in asked]}).write_csv(path)
    with pytest.warns(ReadingNote):
        assert load_prompts(path, columns={"prompt": "mine"})["prompt"].to_list() == asked
