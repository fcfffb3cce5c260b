"""Every kind of table is told by its columns, or asked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from charm_rm.errors import CharmError, ConfigError, ReadingNote
from charm_rm.kinds import load_table, table_kind
from charm_rm.settings import TableSettings

FILES = {
    "scores": "prompt_id,policy,score\np,a,1\n",
    "responses": "prompt,policy,response\nWhy?,a,So.\n",
    "ratings": "policy,rating\na,1000\n",
    "battles": "policy_a,policy_b,winner\na,b,tie\n",
    "preferences": "prompt,chosen,rejected\nWhy?,So.,No.\n",
    "margins": "prompt_id,policy,reference,margin\np,a,b,1.5\n",
    "win rates": "policy,reference,win_rate,n\na,b,0.5,10\n",
}


@pytest.mark.parametrize("noun", FILES)
def test_a_table_is_what_its_columns_say(tmp_path: Path, noun: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(FILES[noun])
    found = load_table(path)
    assert found.noun == noun
    assert len(found) == 1


@pytest.mark.parametrize(
    ("columns", "kind"),
    [
        (["Prompt", "Model", "Output"], "responses"),
        (["prompt", "model", "response", "reward"], None),  # scores that have their responses beside them
        (["prompt_id", "model", "rating"], None),  # a judge's grades
        (["model", "rating", "votes"], "ratings"),
        (["model_a", "model_b", "winner", "judge"], "judgements"),
        (["a", "b"], None),
    ],
)
def test_kinds_by_columns(columns: list[str], kind: str | None) -> None:
    assert table_kind(columns) == kind


def test_votes_and_verdicts_look_alike_and_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("prompt,model_a,model_b,winner\nWhy?,a,b,model_a\n")
    with pytest.raises(ConfigError, match=r"(?s)t.csv.*--as battles.*--as judgements"):
        load_table(path)
    assert load_table(path, kind="battles").noun == "battles"
    assert load_table(path, kind="judgements").noun == "margins"


def test_columns_are_told_for_every_kind(tmp_path: Path) -> None:
    for kind, field in (
        ("scores", "score"),
        ("responses", "response"),
        ("ratings", "rating"),
        ("battles", "winner"),
    ):
        path = tmp_path / f"{kind}.csv"
        path.write_text(FILES[kind].replace(field, "zzz", 1))
        with pytest.raises(CharmError, match=field):
            load_table(path, kind=kind)  # type: ignore[arg-type]
        how = TableSettings(columns=(f"{field}=zzz",))
        if kind == "ratings":
            assert len(load_table(path, kind="ratings", table=how)) == 1
            continue
        with pytest.warns(ReadingNote, match=f"read 'zzz' as {field}"):
            assert len(load_table(path, kind=kind, table=how)) == 1  # type: ignore[arg-type]


def test_scores_are_no_judgements(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(FILES["scores"])
    with pytest.raises(CharmError, match="--as scores"):
        load_table(path, kind="judgements")
