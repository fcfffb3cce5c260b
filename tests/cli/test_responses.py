"""``charm responses check`` as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Charm = Callable[..., Result]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    said = {
        "oak": {"A?": "Yes.", "B?": "", "C?": "I'm sorry, I can't."},
        "elm": {"A?": "Yes.", "B?": "Well"},
    }
    rows = [
        {
            "prompt": p,
            "policy": policy,
            "response": text,
            "finish_reason": "length" if text == "Well" else "stop",
        }
        for policy, answers in said.items()
        for p, text in answers.items()
    ]
    path = tmp_path / "responses.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (tmp_path / "prompts.jsonl").write_text(
        "".join(json.dumps({"prompt": p}) + "\n" for p in ("A?", "B?", "C?", "D?"))
    )
    return path


def test_what_is_found(charm: Charm, table: Path) -> None:
    found = json.loads(
        charm("responses", "check", table, "--prompts", table.with_name("prompts.jsonl"), "--json").stdout
    )
    assert found["prompts"] == 4
    assert found["total"] == {
        "missing": 3,
        "empty": 1,
        "cut_off": 1,
        "refused": 1,
        "duplicated": 0,
        "identical": 2,
    }
    assert found["identical"] == [{"policy": "elm", "other": "oak", "both": 2, "same": 1, "share": 0.5}]
    text = charm("responses", "check", table)
    assert text.exit_code == 0
    assert "Findings" in text.output
    assert "missing 1, empty 1, cut off 1, refused 1" in charm("responses", "check", table, "--quiet").output


@pytest.mark.parametrize(
    ("expression", "code"),
    [
        ("missing>0", 3),
        ("empty>1", 0),
        ("missing>0 or empty>5", 3),
        ("refused_share>0.3", 3),
        ("refused_share>0.4", 0),
        ("nothing>1", 2),
    ],
)
def test_a_gate(charm: Charm, table: Path, expression: str, code: int) -> None:
    assert charm("responses", "check", table, "--fail-if", expression).exit_code == code


def test_what_is_not_measured_does_not_pass(charm: Charm, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("prompt,policy,response\nA?,oak,Yes.\n")
    result = charm("responses", "check", path)
    assert "cut-off answers cannot be told" in result.output
    assert charm("responses", "check", path, "--fail-if", "cut_off>0").exit_code == 2


def test_repeated_rows_are_refused_with_their_row(charm: Charm, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("prompt_id,prompt,policy,response\na,A?,oak,Yes.\na,A?,oak,No.\n")
    result = charm("responses", "check", path)
    assert result.exit_code == 2
    assert "row 0" in result.stderr


def test_other_prompts_share_nothing(charm: Charm, table: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("question\nZ?\n")
    result = charm("responses", "check", table, "--prompts", other, "--column", "prompts.prompt=question")
    assert result.exit_code == 2
    assert "none of the responses is to one of the prompts" in result.stderr


def test_answers_to_prompts_that_were_not_asked_about_are_told(charm: Charm, table: Path) -> None:
    few = table.with_name("few.jsonl")
    few.write_text('{"prompt": "A?"}\n')
    assert (
        "not looked at: 3 answers to prompts that are not in --prompts"
        in charm("responses", "check", table, "--prompts", few).output
    )
    assert json.loads(charm("responses", "check", table, "--prompts", few, "--json").stdout)["others"] == 3


def test_where_no_answer_says_how_it_ended_that_is_told(charm: Charm, tmp_path: Path) -> None:
    path = tmp_path / "plain.jsonl"
    row = {"prompt": "A?", "policy": "oak", "response": "", "finish_reason": None}
    path.write_text(json.dumps(row) + "\n" + json.dumps({**row, "prompt": "B?", "response": "Yes."}) + "\n")
    assert (
        "cut-off answers cannot be told: no answer has a finish_reason"
        in charm("responses", "check", path).output
    )
