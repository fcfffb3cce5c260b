"""``charm convert``: how a table is read, said; and written as charm's own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from charm_rm import Scores, load

Charm = Callable[..., Result]
WIDE = "Question,oak,elm\nq1,1.5,0.25\nq2,-1,\n"


def test_it_says_how_a_table_is_read(charm: Charm, tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text(WIDE)
    found = charm("convert", str(tmp_path / "w.csv"))
    assert found.exit_code == 0, found.output
    for words in (
        "holds scores, 3 rows, 2 policies, 2 prompts",
        "a column a policy",
        "left out 1 empty cell",
        "policies: elm, oak",
    ):
        assert words in " ".join(found.stdout.split())
    assert "note:" not in found.stderr  # said once, with the result


def test_it_writes_charms_own_table(charm: Charm, tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text(WIDE)
    for name in ("s.parquet", "s.csv", "s.jsonl", "s.json"):
        made = charm("convert", str(tmp_path / "w.csv"), "-o", str(tmp_path / name))
        assert made.exit_code == 0, made.output
        rows = set(load(Scores, tmp_path / name).frame.select("policy", "score").iter_rows())
        assert rows == {("oak", 1.5), ("oak", -1.0), ("elm", 0.25)}
        again = charm("convert", str(tmp_path / name))
        assert "holds scores, 3 rows" in again.stdout
        assert "charm's own columns" in again.stdout
    refused = charm("convert", str(tmp_path / "w.csv"), "-o", str(tmp_path / "s.csv"))
    assert refused.exit_code == 2
    assert "--force" in refused.stderr
    itself = charm("convert", str(tmp_path / "w.csv"), "-o", str(tmp_path / "w.csv"), "--force")
    assert "is the input" in itself.stderr


def test_machines_read_it_as_json(charm: Charm, tmp_path: Path) -> None:
    (tmp_path / "w.csv").write_text(WIDE)
    found = json.loads(charm("convert", str(tmp_path / "w.csv"), "--json").stdout)
    assert (found["kind"], found["container"], found["rows"], found["prompts"], found["missing"]) == (
        "scores",
        "csv",
        3,
        2,
        1,
    )
    assert found["policies"] == ["elm", "oak"]
    assert any("column a policy" in note for note in found["read"])


def test_standard_input_and_options(charm: Charm) -> None:
    rows = "".join(f"q{i},oak,{i},{r},{k}\n" for i in range(3) for r in ("one", "two") for k in range(2))
    text = "id,who,skywork,rm,sample\n" + rows
    asked = charm("convert", "-", stdin=text)
    assert asked.exit_code == 2
    assert "--column" in asked.stderr
    given = ("--column", "score=skywork", "--column", "policy=who")
    assert "--reward-model" in charm("convert", "-", *given, stdin=text).stderr
    assert "--sample first" in charm("convert", "-", *given, "--reward-model", "two", stdin=text).stderr
    found = charm("convert", "-", *given, "--reward-model", "two", "--sample", "max", stdin=text)
    assert found.exit_code == 0, found.output
    assert "3 rows" in found.stdout


@pytest.mark.parametrize("text", ["prompt,model_a,model_b,winner\nWhy?,a,b,tie\n"])
def test_a_choice_between_kinds_is_asked_for(charm: Charm, tmp_path: Path, text: str) -> None:
    (tmp_path / "v.csv").write_text(text)
    assert "--as battles" in charm("convert", str(tmp_path / "v.csv")).stderr
    assert "holds battles" in charm("convert", str(tmp_path / "v.csv"), "--as", "battles").stdout


def test_hostile_names_do_not_steer_the_terminal(charm: Charm, tmp_path: Path) -> None:
    (tmp_path / "s.csv").write_text("prompt_id,policy,score\np,a\x1b[31mred,1\n")
    found = charm("convert", str(tmp_path / "s.csv"))
    assert "\x1b[31m" not in found.stdout


PAIRS = "question_id,model_a,model_b,winner,judge\n1,oak,elm,model_a,gpt\n2,oak,elm,tie,gpt\n"


def test_the_layout_of_judgements_is_said(charm: Charm, tmp_path: Path) -> None:
    (tmp_path / "j.csv").write_text(PAIRS)
    found = charm("convert", tmp_path / "j.csv", "-o", tmp_path / "m.parquet")
    assert "judgements in the layout: pairs of models" in found.stdout
    assert "own columns" not in found.stdout
    alpaca = [{"instruction": "Name.", "generator_1": "x", "generator_2": "y", "preference": 1.9}]
    (tmp_path / "annotations.json").write_text(json.dumps(alpaca))
    assert "in the layout: AlpacaEval" in charm("convert", tmp_path / "annotations.json").stdout
    assert "charm's own columns" in charm("convert", tmp_path / "m.parquet").stdout


def test_columns_of_another_tool_are_no_columns_of_charms(charm: Charm, tmp_path: Path) -> None:
    (tmp_path / "v.csv").write_text("question_id,model_a,model_b,winner\n1,A,B,A\n2,A,B,B\n")
    offered = charm("convert", tmp_path / "v.csv")
    assert offered.exit_code == 2
    assert "--as battles" in offered.stderr
    found = charm("convert", tmp_path / "v.csv", "--as", "battles")
    assert found.exit_code == 0, found.output
    assert "read as battles of another tool: columns question_id, model_a, model_b, winner" in found.stdout


def test_a_folder_of_judgements_says_what_it_left_and_has_a_name(charm: Charm, tmp_path: Path) -> None:
    folder = tmp_path / "judged"
    folder.mkdir()
    alpaca = [{"instruction": "Name.", "generator_1": "x", "generator_2": "y", "preference": 1.9}]
    (folder / "annotations.json").write_text(json.dumps(alpaca))
    assert "not read" not in charm("convert", folder).stdout
    (folder / "scores.csv").write_text("prompt_id,policy,score\n1,x,2\n")
    found = charm("convert", folder)
    assert "1 file of judgements ('annotations.json')" in found.stdout
    assert "not read: 'scores.csv'" in found.stdout
