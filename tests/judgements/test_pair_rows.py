"""Rows of a prompt, two models and who won: every spelling of the outcome, whose judgements, what is left out and said."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm import load_judgements, load_source
from charm_rm.conversations import prompt_hash
from charm_rm.errors import CharmWarning, ConfigError, ReadingNote, SchemaError
from charm_rm.judgements.pair_rows import Columns, outcomes
from charm_rm.settings import TableSettings
from charm_rm.statistics import sigmoid
from charm_rm.tables import Margins, Scores

Rows = list[dict[str, Any]]


def rows_of(winners: list[Any], column: str = "winner", **more: Any) -> Rows:
    return [
        {"judge": "gpt-4", "prompt": f"Ask {i}", "model_a": "oak", "model_b": "elm", column: w} | more
        for i, w in enumerate(winners)
    ]


def write(path: Path, rows: Rows) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    elif path.suffix == ".csv":
        pl.DataFrame(rows, infer_schema_length=None).write_csv(path)
    else:
        pl.DataFrame(rows, infer_schema_length=None).write_parquet(path)
    return path


def wins(margins: Margins) -> list[float]:
    return sigmoid(margins.frame["margin"].to_numpy()).tolist()


SPELLINGS: dict[str, tuple[list[Any], list[float]]] = {
    "the Arena's": (["model_a", "model_b", "tie", "tie (bothbad)", "both_bad"], [1, 0, 0.5, 0.5, 0.5]),
    "letters": (["A", "B", "C", "tie", "a"], [1, 0, 0.5, 0.5, 1]),
    "letters in brackets": (["[[A]]", "[[B]]", "[[C]]", "[A]", " B "], [1, 0, 0.5, 1, 0]),
    "names": (["oak", "elm", "tie", "oak", "oak"], [1, 0, 0.5, 1, 1]),
    "numbers": ([1, 2, 0, 2, 1], [1, 0, 0.5, 0, 1]),
    "numbers that became floats": ([1.0, 2.0, 0.0, 2.0, 1.5], [1, 0, 0.5, 0, 0.5]),
    "signs": ([1, -1, 0, 1, 1], [1, 0, 0.5, 1, 1]),
    "words": (["Model A", "Response B", "draw", "assistant_a", "second"], [1, 0, 0.5, 1, 0]),
    "degrees": (["A>>B", "A>B", "A=B", "[[B>A]]", "B>>A"], [0.952574, 0.731059, 0.5, 0.268941, 0.047426]),
}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("name", SPELLINGS)
def test_every_spelling_of_who_won(tmp_path: Path, name: str, suffix: str) -> None:
    labels, expected = SPELLINGS[name]
    found = load_source(write(tmp_path / f"pairs{suffix}", rows_of(labels)))
    assert isinstance(found, Margins)
    np.testing.assert_allclose(wins(found), expected, atol=1e-6)
    assert found.frame["prompt_id"].to_list() == [prompt_hash(f"Ask {i}") for i in range(5)]
    assert found.provenance["annotator"] == "gpt-4"


@pytest.mark.parametrize("column", ["verdict", "judgement", "preference", "label"])
@pytest.mark.parametrize("sides", [("policy_a", "policy_b"), ("model_1", "model_2")])
def test_other_names_of_the_columns(tmp_path: Path, column: str, sides: tuple[str, str]) -> None:
    rows = [{"question_id": i, sides[0]: "oak", sides[1]: "elm", column: w} for i, w in enumerate(["A", "B"])]
    found = load_judgements(write(tmp_path / "pairs.jsonl", rows))
    assert found.frame.select("prompt_id", "policy", "reference").rows() == [
        ("0", "oak", "elm"),
        ("1", "oak", "elm"),
    ]
    np.testing.assert_allclose(wins(found), [1, 0], atol=1e-6)


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_two_outcomes_that_differ_are_refused_until_one_is_told(tmp_path: Path, suffix: str) -> None:
    rows = rows_of(["model_a", "model_b", "tie"])
    path = tmp_path / f"judged{suffix}"
    for row, verdict in zip(rows, ["A", "[[A]]", "C"], strict=True):
        row["verdict"] = verdict
    with pytest.raises(
        SchemaError, match=r"row 1.*'winner' and 'verdict' both say who won.*\[\[A\]\]"
    ) as error:
        load_source(write(path, rows))
    assert "--column winner=winner or --column winner=verdict" in str(error.value)
    for column, expected in (("winner", [1, 0, 0.5]), ("verdict", [1, 1, 0.5])):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ReadingNote)
            found = load_source(path, table=TableSettings(columns=(f"winner={column}",)))
        assert isinstance(found, Margins)
        np.testing.assert_allclose(wins(found), expected, atol=1e-6)


@pytest.mark.parametrize("second", [["A>>B", "B>A", "A=B"], ["long", "short", "long"], ["A", None, "error"]])
def test_a_second_outcome_that_agrees_or_is_none_is_left_alone(tmp_path: Path, second: list[Any]) -> None:
    rows = [r | {"label": v} for r, v in zip(rows_of(["model_a", "model_b", "tie"]), second, strict=True)]
    assert wins(load_judgements(write(tmp_path / "j.csv", rows))) == pytest.approx([1, 0, 0.5], abs=1e-6)


def test_both_orders_are_averaged_and_errors_are_counted(tmp_path: Path) -> None:
    """Prompt 0: oak shown first wins, shown second loses: ½. Prompt 1: the judge failed. Prompt 2: elm wins both ways."""
    rows = rows_of(["A", "error", "B"])
    turned = [
        r | {"model_a": "elm", "model_b": "oak", "winner": w}
        for r, w in zip(rows, ["A", "", "A"], strict=True)
    ]
    path = write(tmp_path / "pairs.csv", rows + turned)
    with pytest.warns(CharmWarning, match="2 of 6 judgements dropped: no verdict"):
        found = load_judgements(path)
    np.testing.assert_allclose(wins(found), [0.5, 0], atol=1e-6)
    assert found.provenance["dropped"]["no verdict"] == 2


def test_several_votes_on_one_prompt_are_averaged_and_said(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.csv", rows_of(["model_a"]) * 3 + rows_of(["model_b"]))
    with pytest.warns(
        CharmWarning, match="3 of 4 judgements repeat a prompt and pair: the mean of each counts"
    ):
        found = load_judgements(path)
    assert wins(found) == pytest.approx([0.75])


def test_several_judges_are_refused_until_one_is_chosen(tmp_path: Path) -> None:
    rows = rows_of(["model_a", "model_a"]) + rows_of(["model_b", "tie"], judge="claude")
    path = write(tmp_path / "pairs.csv", rows)
    with pytest.raises(ConfigError, match="2 judges: 'claude', 'gpt-4'") as caught:
        load_source(path)
    assert "--judge NAME" in str(caught.value)
    found = load_source(path, annotator="claude")
    assert isinstance(found, Margins)
    np.testing.assert_allclose(wins(found), [0, 0.5], atol=1e-6)


@pytest.mark.parametrize(
    "column", ["judge", "annotator", "evaluator", "judge_model", "judge_name", "Judge Model"]
)
def test_judges_are_told_by_any_of_their_columns(tmp_path: Path, column: str) -> None:
    rows = [
        {k: v for k, v in r.items() if k != "judge"} | {column: j} for j in "ab" for r in rows_of(["A", "B"])
    ]
    path = write(tmp_path / "pairs.csv", rows)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ReadingNote)
        with pytest.raises(ConfigError, match="2 judges: 'a', 'b'"):
            load_source(path)
        assert len(load_source(path, annotator="a")) == 2


@pytest.mark.filterwarnings("ignore:.*repeat a prompt and pair:charm_rm.errors.CharmWarning")
def test_everybodys_judgements_are_their_mean_where_they_are_asked_for(tmp_path: Path) -> None:
    rows = [
        r | {"judge": j, "winner": w}
        for j, w in [("expert_1", "A"), ("expert_2", "A"), (None, "B")]
        for r in rows_of(["x"])
    ]
    found = load_judgements(write(tmp_path / "pairs.parquet", rows), annotator="all")
    assert wins(found) == pytest.approx([2 / 3])
    assert found.provenance["annotator"] == "all"


def test_rows_of_nobody_beside_a_judges_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.parquet", rows_of(["A", "B"]) + rows_of(["B"], judge=None))
    with pytest.raises(ConfigError, match="1 of 3 judgements name no judge, others name 'gpt-4'"):
        load_source(path)
    assert len(load_source(path, annotator="gpt-4")) == 2


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_names_of_columns_count_in_any_case_and_are_told(tmp_path: Path, suffix: str) -> None:
    names = {
        "judge": "Judge",
        "prompt": "Question ID",
        "model_a": "modelA",
        "model_b": "Model B",
        "winner": "Winner",
    }
    rows = [{names[k]: v for k, v in r.items()} for r in rows_of(["A", "B"])]
    with pytest.warns(
        ReadingNote, match="'Question ID' as question_id, 'modelA' as model_a, 'Model B' as model_b"
    ):
        found = load_judgements(write(tmp_path / f"pairs{suffix}", rows))
    assert found.frame["prompt_id"].to_list() == ["Ask 0", "Ask 1"]


def test_columns_of_any_name_may_be_told(tmp_path: Path) -> None:
    names = {"prompt": "task", "model_a": "left", "model_b": "right", "winner": "better", "judge": "by"}
    rows = [{names[k]: v for k, v in r.items()} for r in rows_of(["A", "B"])]
    told = TableSettings.of(
        {"prompt_id": "task", "model_a": "left", "model_b": "right", "winner": "better", "judge": "by"}
    )
    found = load_source(write(tmp_path / "pairs.csv", rows), table=told)
    assert isinstance(found, Margins)
    assert found.frame["prompt_id"].to_list() == ["Ask 0", "Ask 1"]
    assert found.provenance["annotator"] == "gpt-4"


def test_scores_of_both_sides_are_scores_whoever_won(tmp_path: Path) -> None:
    """A reward model's scores of the responses of votes: what people chose is not what is audited."""
    rows = [r | {"score_a": 1.0, "score_b": 2.0} for r in rows_of(["A", "B"])]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = load_source(write(tmp_path / "pairs.csv", rows))
    assert isinstance(found, Scores)
    assert len(found) == 4


def test_a_later_turn_is_left_out_and_counted(tmp_path: Path) -> None:
    rows = [r | {"turn": t} for r in rows_of(["model_a", "model_b"]) for t in (1, 2)]
    path = write(tmp_path / "pairs.csv", rows)
    with pytest.warns(CharmWarning, match="2 of 4 judgements left out: of a later turn"):
        assert len(load_judgements(path)) == 2


def test_a_prompt_of_messages_has_the_id_that_responses_get(tmp_path: Path) -> None:
    messages = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yes?"}]
    rows = [r | {"prompt": messages} for r in rows_of(["A"])]
    found = load_judgements(write(tmp_path / "pairs.jsonl", rows))
    assert found.frame["prompt_id"].to_list() == [prompt_hash(messages)]


def test_a_prompt_that_is_a_number_is_an_id(tmp_path: Path) -> None:
    rows = [r | {"prompt": 8} for r in rows_of(["A"])]
    for name in ("pairs.csv", "pairs.parquet", "pairs.jsonl"):
        assert load_judgements(write(tmp_path / name, rows)).frame["prompt_id"].to_list() == ["8"]


BAD: dict[str, tuple[Rows, str]] = {
    "an unknown label": (rows_of(["model_a", "modell_b"]), "row 1: winner 'modell_b' is neither of the two"),
    "0 and 1 alone": (rows_of([0, 1, 1]), "holds the numbers 0, 1, which may mean several things"),
    "2 beside -1": (rows_of([2, -1]), "which may mean several things"),
    "truths": (rows_of([True, False]), "winner 'true' is neither"),
    "a model called by the other's label": (
        [{"prompt": "x", "model_a": "B", "model_b": "A", "winner": "A"}],
        "is the name of one model and the label of the other",
    ),
    "no prompt": (
        [{"model_a": "oak", "model_b": "elm", "winner": "model_a"}],
        "no column says which prompt was judged",
    ),
    "an empty prompt": (rows_of(["A"], prompt=None), "prompt None is missing"),
    "only failures": (rows_of(["error", "error"]), "no judgement is left"),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.parametrize("suffix", [".jsonl", ".parquet"])
@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, suffix: str) -> None:
    rows, message = BAD[name]
    path = write(tmp_path / f"pairs{suffix}", rows)
    with pytest.raises(SchemaError, match=message) as caught:
        load_judgements(path)
    assert str(path) in str(caught.value)
    assert "Fix:" in str(caught.value)


def test_votes_without_prompts_are_sent_to_the_fit(tmp_path: Path) -> None:
    path = write(tmp_path / "votes.csv", [{"model_a": "oak", "model_b": "elm", "winner": "model_a"}])
    with pytest.raises(SchemaError, match="charm ratings fit"):
        load_source(path)


def test_an_outcome_of_lists_is_refused() -> None:
    frame = pl.DataFrame({"a": ["x"], "b": ["y"], "w": [["x"]]}).with_row_index("row")
    with pytest.raises(SchemaError, match="should hold labels"):
        outcomes(frame, Columns("a", "b", "w"), "here")


@pytest.mark.realdata
def test_people_and_two_judges_in_one_file(real_data: Path) -> None:
    """llmfao: each judge met 3236 pairs once; of the crowd's 8931 votes the mean of each of 2139 pairs counts."""
    path = real_data / "llmfao" / "comparisons.parquet"
    with pytest.raises(ConfigError, match="'gpt3', 'gpt4', 'human-crowd'"):
        load_source(path)
    raw = pl.read_parquet(path)
    judged = load_judgements(path, annotator="gpt4")
    one = raw.filter(judge="gpt4").with_columns(
        p=pl.col("winner").replace_strict({"model_a": 1.0, "model_b": 0.0, "tie": 0.5})
    )
    assert len(judged) == 3236
    assert np.mean(wins(judged)) == pytest.approx(one["p"].mean(), abs=1e-9)
    with pytest.warns(CharmWarning, match="judgements repeat a prompt and pair"):
        people = load_judgements(path, annotator="human-crowd")
    some = people.frame.row(0, named=True)
    votes = raw.filter(
        judge="human-crowd", prompt=int(some["prompt_id"]), model_a=some["policy"], model_b=some["reference"]
    )["winner"].replace_strict({"model_a": 1.0, "model_b": 0.0, "tie": 0.5})
    assert wins(people)[0] == pytest.approx(votes.mean(), abs=1e-9)
