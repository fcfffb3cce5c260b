"""Grades of single answers: MT-Bench's files, and tables of one's own with a judge beside every score."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm import load_judgements, load_scores, load_source, store
from charm_rm.errors import CharmWarning, ConfigError, SchemaError
from charm_rm.tables import Scores

Rows = list[dict[str, Any]]


def write(path: Path, rows: Rows) -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    else:
        store.write_frame(pl.DataFrame(rows, infer_schema_length=None), path)
    return path


def mt_bench(grades: dict[tuple[int, str, int], Any], judge: str = "gpt-4") -> Rows:
    """As FastChat writes them: the judge with its prompt, which differs by question and turn."""
    prompts = {1: "single-v1", 2: "single-v1-multi-turn"}
    return [
        {"question_id": q, "model": model, "judge": [judge, "single-math-v1" if q > 110 else prompts[turn]]}
        | {"user_prompt": "[Question] ...", "judgment": f"Fine. Rating: [[{score}]]", "score": score}
        | {"turn": turn, "tstamp": 1687222852.1}
        for (q, model, turn), score in grades.items()
    ]


GRADES = {
    (81, "oak", 1): 9,
    (81, "oak", 2): 3,
    (111, "oak", 1): 4.5,
    (81, "elm", 1): 7,
    (111, "elm", 1): -1,
    (111, "elm", 2): 10,
}


@pytest.mark.parametrize("name", ["gpt-4_single.jsonl", "gpt-4_single.parquet"])
def test_mt_bench_single_grades_are_scores_of_the_first_turn(tmp_path: Path, name: str) -> None:
    """-1 is what MT-Bench writes where it found no rating; its prompts for mathematics are the same judge."""
    path = write(tmp_path / name, mt_bench(GRADES))
    with pytest.warns(CharmWarning) as said:
        scores = load_source(path)
    assert isinstance(scores, Scores)
    assert scores.frame.select("prompt_id", "policy", "score").rows() == [
        ("81", "oak", 9.0),
        ("111", "oak", 4.5),
        ("81", "elm", 7.0),
    ]
    told = [str(w.message) for w in said]
    assert any("2 of 6 judgements left out: of a later turn" in t for t in told)
    assert any("1 of 4 judgements dropped: no verdict" in t for t in told)
    assert scores.provenance["annotator"] == "gpt-4"
    assert scores.provenance["dropped"] == {"no verdict": 1}


@pytest.mark.parametrize("written", [str, json.dumps])
@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
def test_a_judge_and_its_prompt_written_into_a_cell_are_one_judge(
    tmp_path: Path, written: Callable[[Any], str]
) -> None:
    """As pandas writes MT-Bench's file to CSV."""
    rows = [r | {"judge": written(r["judge"])} for r in mt_bench(GRADES)]
    scores = load_source(write(tmp_path / "single.csv", rows), annotator="gpt-4")
    assert len(scores) == 3
    assert load_source(tmp_path / "single.csv").provenance["annotator"] == "gpt-4"


def test_scores_are_read_alike_by_whatever_reads_scores(tmp_path: Path) -> None:
    """No -1 and no second turn among the scores, and no two judges', by any way in."""
    path = write(tmp_path / "gpt-4_single.jsonl", mt_bench(GRADES))
    with pytest.warns(CharmWarning):
        assert load_scores(path).frame.equals(load_source(path).frame)
    first = {k: v for k, v in GRADES.items() if k[2] == 1 and v > 0}
    both = write(
        tmp_path / "both.csv",
        [r | {"judge": r["judge"][0]} for j in ("gpt-4", "claude") for r in mt_bench(first, j)],
    )
    with pytest.raises(ConfigError, match="2 judges: 'claude', 'gpt-4'"):
        load_scores(both)


def test_two_judges_of_single_answers(tmp_path: Path) -> None:
    first = {k: v for k, v in GRADES.items() if k[2] == 1 and v > 0}
    rows = mt_bench(first) + mt_bench(dict.fromkeys(first, 1), judge="claude-v1")
    path = write(tmp_path / "both.jsonl", rows)
    with pytest.raises(ConfigError, match="2 judges: 'claude-v1', 'gpt-4'"):
        load_source(path)
    scores = load_source(path, annotator="claude-v1")
    assert scores.frame["score"].to_list() == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([7, 8.5], [7.0, 8.5]),
        (["7", " [[8.5]] "], [7.0, 8.5]),
        (["7/10", "8/10"], [7.0, 8.0]),
    ],
)
@pytest.mark.parametrize(
    ("policy", "prompt", "grade"),
    [("policy", "prompt_id", "score"), ("model", "prompt", "rating"), ("generator", "instruction", "grade")],
)
def test_a_table_of_grades_of_ones_own(
    tmp_path: Path, values: list[Any], expected: list[float], policy: str, prompt: str, grade: str
) -> None:
    rows = [{"judge": "gpt", prompt: f"p{i}", policy: "oak", grade: v} for i, v in enumerate(values)]
    for name in ("grades.csv", "grades.jsonl"):
        scores = load_source(write(tmp_path / name, rows))
        assert isinstance(scores, Scores)
        assert scores.frame["score"].to_list() == expected
        assert scores.policies == ["oak"]


def test_grades_given_several_times_are_averaged_and_said(tmp_path: Path) -> None:
    rows = [{"judge": "gpt", "prompt_id": "p", "policy": "oak", "score": s} for s in (6, 9)]
    with pytest.warns(CharmWarning, match="1 of 2 judgements repeat a prompt and policy"):
        assert load_source(write(tmp_path / "g.csv", rows)).frame["score"].to_list() == [7.5]


def test_plain_scores_stay_plain_scores(tmp_path: Path) -> None:
    rows = [{"prompt_id": "p", "policy": "oak", "score": -1.0}]
    scores = load_source(write(tmp_path / "s.csv", rows))
    assert scores.frame["score"].to_list() == [-1.0]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (["7", "great"], "row 1: score 'great' is no number"),
        (["7/10", "4/5"], "grades out of 10 and out of 5"),
        (["error", "n/a"], "no judgement is left"),
    ],
)
@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
def test_bad_grades_are_named(tmp_path: Path, values: list[str], message: str) -> None:
    rows = [{"judge": "gpt", "prompt_id": i, "policy": "oak", "score": v} for i, v in enumerate(values)]
    path = write(tmp_path / "g.csv", rows)
    with pytest.raises(SchemaError, match=message) as caught:
        load_source(path)
    assert str(path) in str(caught.value)


def test_a_folder_of_grades_of_several_models(tmp_path: Path) -> None:
    for model in ("oak", "elm"):
        write(tmp_path / f"{model}.jsonl", mt_bench({(81, model, 1): 9}))
    scores = load_source(tmp_path)
    assert isinstance(scores, Scores)
    assert scores.policies == ["elm", "oak"]
    pair = {"question_id": 81, "model_1": "oak", "model_2": "elm", "g1_winner": "tie", "g2_winner": "tie"}
    write(tmp_path / "pair.jsonl", [pair | {"judge": ["gpt-4", "pair-v2"], "turn": 1}])
    with pytest.raises(
        ConfigError, match=r"of pairs \(pair.jsonl\) and grades of single answers \(elm.jsonl\) side by side"
    ):
        load_source(tmp_path)


def test_grades_are_no_margins(tmp_path: Path) -> None:
    path = write(tmp_path / "g.jsonl", mt_bench({(81, "oak", 1): 9}))
    with pytest.raises(ConfigError, match="the file holds scores, no judgements of pairs"):
        load_judgements(path)
