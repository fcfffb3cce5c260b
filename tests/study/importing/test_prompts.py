"""Votes and tables whose prompts have other ids are matched by the same texts, and by nothing less."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm.conversations import prompt_hash
from charm_rm.errors import SchemaError
from charm_rm.study.importing.prompts import SEVERAL_IDS, texts_of_file
from charm_rm.study.nouns import Study, StudyModel
from charm_rm.tables import Margins, Responses, Scores
from study.imports import Rows, imported, margins, votes

TEXTS = {"p1": "Why?", "p2": "How?", "p3": "Who?"}


def _by_text(change: str = "{}") -> Rows:
    """Votes with texts in place of ids."""
    rows = votes()
    return [{k: v for k, v in row.items() if k != "prompt_id"} | {"prompt": change.format(TEXTS[row["prompt_id"]])} for row in rows]  # fmt: skip


def _scores(ids: list[str], name: str = "rm") -> StudyModel:
    """x scores 1, 2, 3 on the prompts of three ids, and y 0."""
    rows = [(i, policy, n * (policy == "x")) for n, i in enumerate(ids, 1) for policy in "xy"]
    return StudyModel(
        name, scores=Scores(pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row"))
    )


def _texts(ids: list[str], texts: list[str] | None = None) -> Any:
    found = pl.DataFrame({"prompt_id": ids, "text": [prompt_hash(t) for t in texts or TEXTS.values()]})
    return {"rm": lambda: found}


def _responses(ids: list[str], texts: list[Any] | None = None) -> Responses:
    asked = list(zip(ids, texts or TEXTS.values(), strict=True))
    columns = {
        "prompt_id": [i for i, _ in asked for _ in "xy"],
        "prompt": [t for _, t in asked for _ in "xy"],
        "policy": list("xy") * len(ids),
        "response": ["!"] * 2 * len(ids),
    }
    return Responses(pl.DataFrame(columns))


def _ids(study: Study) -> set[str]:
    return set(study.comparisons.frame["prompt_id"])


IDS, MADE = ["q1", "q2", "q3"], [prompt_hash(t) for t in TEXTS.values()]


def test_votes_without_ids_get_those_of_the_responses_and_models_by_either_are_found() -> None:
    study, said = imported(
        _by_text(), models=[_scores(IDS, "by id"), _scores(MADE, "by text")], responses=_responses(IDS)
    )
    assert _ids(study) == set(IDS)
    assert margins(study) == {"by id": [1, 2, 3], "by text": [1, 2, 3]}
    assert "matched with 'responses' by the prompts' texts: 3 of 3 prompts" in said
    assert "matched with 'by text' by the prompts' texts: 3 of 3 prompts" in said


def test_votes_without_ids_get_those_of_a_model_whose_table_has_texts() -> None:
    study, _ = imported(_by_text(), models=[_scores(IDS)], texts=_texts(IDS))
    assert _ids(study) == set(IDS)
    assert margins(study) == {"rm": [1, 2, 3]}


def test_ids_made_of_texts_meet_as_they_always_did() -> None:
    study, said = imported(_by_text(" {}\n"), models=[_scores(MADE)])
    assert _ids(study) == set(MADE)
    assert "matched" not in said


def test_votes_with_ids_and_texts_find_a_table_by_text_and_keep_their_ids() -> None:
    rows = [row | {"prompt": TEXTS[row["prompt_id"]]} for row in votes()]
    for models, texts in (([_scores(MADE)], None), ([_scores(IDS)], _texts(IDS))):
        study, _ = imported(rows, models=models, texts=texts, responses=_responses(IDS))
        assert _ids(study) == set(TEXTS)
        assert margins(study) == {"rm": [1, 2, 3]}
        assert study.responses is not None
        assert set(study.responses.frame["prompt_id"]) == set(TEXTS)


def test_votes_with_ids_alone_borrow_the_texts_of_responses() -> None:
    study, _ = imported(votes(), models=[_scores(MADE)], responses=_responses(list(TEXTS)))
    assert margins(study) == {"rm": [1, 2, 3]}


def test_margins_and_messages_are_matched_too() -> None:
    margins_of = Margins(pl.DataFrame({"prompt_id": IDS, "policy": ["x"] * 3, "reference": ["y"] * 3, "margin": [1.0, 2.0, 3.0]}))  # fmt: skip
    asked = [[{"role": "user", "content": text}] for text in TEXTS.values()]
    rows = [row | {"prompt": [{"role": "user", "content": row["prompt"]}]} for row in _by_text()]
    study, _ = imported(rows, models=[StudyModel("j", margins=margins_of)], responses=_responses(IDS, asked))
    assert margins(study) == {"j": [1, 2, 3]}


def test_a_table_of_other_ids_without_texts_is_refused_with_what_to_give() -> None:
    with pytest.raises(SchemaError, match="nothing says which texts the ids of 'rm' are of") as caught:
        imported(_by_text(), models=[_scores(IDS)])
    assert "--responses TABLE" in str(caught.value.fix)
    with pytest.raises(SchemaError, match="'rm' has no verdict on any comparison"):
        imported(votes(), models=[_scores(IDS)])


def test_the_column_of_the_responses_that_has_a_tables_ids_is_named() -> None:
    made = _responses(MADE)
    texts = Responses(
        made.frame.with_columns(id=pl.col("prompt_id").replace(dict(zip(MADE, IDS, strict=True))))
    )
    with pytest.raises(SchemaError, match="nothing says which texts the ids of 'rm' are of") as caught:
        imported(_by_text(), models=[_scores(IDS)], responses=texts)
    assert "column 'id' has these ids: --column responses.prompt_id=id" in str(caught.value.fix)


@pytest.mark.parametrize("change", ["{} ?", "{}!", "Please: {}"])
def test_texts_that_are_merely_alike_are_not_matched(change: str) -> None:
    with pytest.raises(SchemaError, match="no text of the votes' prompts is one of 'rm', word for word"):
        imported(_by_text(change), models=[_scores(IDS)], texts=_texts(IDS))


def test_texts_that_are_not_there_are_told_and_their_votes_left_out() -> None:
    study, said = imported(_by_text(), models=[_scores(IDS)], texts=_texts(IDS, ["Why?", "How?", "Who ?"]))
    assert "2 of 3 prompts; the other texts are not there, word for word" in said
    assert _ids(study) == {"q1", "q2"}
    assert "2 (no verdict of a model)" in said


def test_a_text_with_two_ids_is_matched_with_neither() -> None:
    twice = _texts([*IDS, "q9"], [*TEXTS.values(), "Why?"])
    study, said = imported(_by_text(), models=[_scores(IDS)], texts=twice)
    assert _ids(study) == {"q2", "q3"}
    assert study.provenance["dropped"] == {SEVERAL_IDS: 2}
    assert f"2 ({SEVERAL_IDS})" in said
    rows = [row | {"prompt": "Why?" if row["prompt_id"] != "p3" else "Who?"} for row in votes()]
    study, said = imported(rows, models=[_scores(MADE)])
    assert _ids(study) == {"p3"}
    assert "1 text of prompts with several ids, in the votes or in 'rm': not matched" in said


def test_ids_that_two_tables_give_to_different_prompts_are_not_taken_for_the_same() -> None:
    """Votes without ids get those of the first table. The second one numbers its prompts otherwise, and has one that nobody voted on."""
    models, other = [_scores(IDS), _scores(IDS, "other")], ["Who?", "Why?", "Else?"]
    texts = _texts(IDS) | {"other": _texts(IDS, other)["rm"]}
    study, said = imported(_by_text(), models=models, texts=texts)
    assert margins(study) == {"rm": [1.0, 3.0], "other": [2.0, 1.0]}  # Why?, Who?
    assert "matched with 'other' by the prompts' texts: 2 of 3 prompts" in said
    assert "2 (no verdict of a model)" in said
    same = texts | {"other": texts["rm"]}
    assert margins(imported(_by_text(), models=models, texts=same)[0])["other"] == [1.0, 2.0, 3.0]


def test_an_id_with_two_texts_is_matched_with_neither() -> None:
    """Of a table's: two prompts would become one. Of the votes': two of the table's would have one id."""
    twice = _texts(["q1", "q1", "q2", "q3"], ["Why?", "Really?", "How?", "Who?"])
    study, said = imported(_by_text(), models=[_scores(IDS)], texts=twice)
    assert _ids(study) == {"q2", "q3"}
    assert "1 prompt_id of 'rm' has several texts ('q1'): not matched" in said
    assert "2 (no verdict of a model)" in said
    rows = [row | {"prompt": TEXTS[row["prompt_id"]]} for row in votes()]
    assert _ids(imported(rows, models=[_scores(IDS)], texts=twice)[0]) == {"p2", "p3"}
    rows = [row | {"prompt_id": "p1" if row["prompt_id"] == "p2" else row["prompt_id"]} for row in rows]
    study, said = imported(rows, models=[_scores(IDS)], texts=_texts(IDS))
    assert _ids(study) == {"p3"}
    assert "1 prompt_id of 'the votes' has several texts ('p1'): not matched" in said


def test_the_same_ids_of_other_texts_are_told() -> None:
    rows = [row | {"prompt": TEXTS[row["prompt_id"]]} for row in votes()]
    other = ["Why?", "Who?", "How?"]
    _, said = imported(rows, responses=_responses(list(TEXTS), other))
    assert "of 3 prompts that 'responses' has by the same id, 2 have another text there ('p2', 'p3')" in said
    _, said = imported(rows, models=[_scores(list(TEXTS))], texts=_texts(list(TEXTS), other))
    assert "of 3 prompts that 'rm' has by the same id, 2 have another text there ('p2', 'p3')" in said
    assert "another text" not in imported(rows, responses=_responses(list(TEXTS)))[1]


def test_texts_of_a_file_are_its_ids_and_hashes_where_it_has_both(tmp_path: Path) -> None:
    path = tmp_path / "scores.csv"
    path.write_text("Question ID,Prompt,model,reward\n7,Why?,x,1\n8,How?,x,2\n", encoding="utf-8")
    found = texts_of_file(path, {})()
    assert found is not None
    assert found.rows() == [("7", prompt_hash("Why?")), ("8", prompt_hash("How?"))]
    path.write_text("qid,q,model,reward\n7,Why?,x,1\n", encoding="utf-8")
    assert texts_of_file(path, {})() is None
    assert texts_of_file(path, {"prompt": "q"})() is not None
    path.write_text("", encoding="utf-8")
    assert texts_of_file(path, {})() is None
