"""JudgeBench: categories by source, both orders of judges, two sets of pairs."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.official_layouts import write_json, write_lines
from charm_rm.benchmarks import scored_by_judge
from charm_rm.benchmarks.judgebench import OFFICIAL, load_judgebench
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark, measure_benchmark

GPT, CLAUDE = "gpt-4o-2024-05-13", "claude-3-5-sonnet-20240620"
SOURCES = ("mmlu-pro-law", "livebench-reasoning", "livebench-math")
DECISIONS = ("A>B", "B>A", "A=B", None)


def row(number: int, **more: Any) -> dict[str, Any]:
    answers = {"response_A": f"A {number}", "response_B": f"B {number}"}
    about = {
        "pair_id": f"id-{number}",
        "original_id": "7",
        "source": SOURCES[number % 3],
        "response_model": GPT,
    }
    return about | {"question": f"question {number}"} | answers | {"label": "A>B"} | more


def file_of(folder: Path, model: str) -> Path:
    return folder / "data" / f"dataset=judgebench,response_model={model}.jsonl"


def margin(first: str | None, second: str | None, label: str) -> float:
    """The mean over both orders of +1 for the right answer, -1 for the wrong one, 0 for a tie; without a verdict left out."""
    sign = 1 if label == "A>B" else -1
    values = {"A>B": sign, "B>A": -sign, "A=B": 0}
    orders = [way * values[d] for d, way in ((first, 1), (second, -1)) if d is not None]
    return float(np.mean(orders)) if orders else np.nan


def test_judges_are_counted_as_by_the_authors_code(tmp_path: Path) -> None:
    """All pairs of decisions and labels; figures printed by `compute_final_metrics` of ScalerLab/JudgeBench at e2c52c2."""
    cases = list(product(DECISIONS, DECISIONS, ("A>B", "B>A")))
    write_lines(file_of(tmp_path, GPT), [row(i, label=label) for i, (_, _, label) in enumerate(cases)])
    benchmark = load_judgebench(tmp_path)
    margins = {f"id-{i}": margin(*case) for i, case in enumerate(cases)}
    scored = [
        scored_by_judge(item, [(0, 1)], [margins[item.item_id]], tie_value=0.0) for item in benchmark.items
    ]
    result = measure_benchmark(benchmark, scored, draws=100)
    assert 100 * result.accuracy("gpt-4o/knowledge") == pytest.approx(36.36363636363637)
    assert 100 * result.accuracy("gpt-4o/reasoning") == pytest.approx(27.272727272727273)
    assert 100 * result.accuracy("gpt-4o/math") == pytest.approx(30.0)
    assert 100 * result.accuracy("gpt-4o") == pytest.approx(31.25)
    assert result.accuracy("all") == result.accuracy("gpt-4o")


def test_equal_scores_are_wrong_and_the_label_says_which_is_better(tmp_path: Path) -> None:
    write_lines(file_of(tmp_path, GPT), [row(0), row(3, label="B>A"), row(6)])
    scores = {"A 0": 2.0, "B 0": 1.0, "A 3": 1.0, "B 3": 2.0, "A 6": 1.0, "B 6": 1.0}
    result = evaluate_benchmark(
        lambda _p, responses: np.array([scores[r] for r in responses]), load_judgebench(tmp_path), draws=100
    )
    assert result.accuracy("gpt-4o/knowledge") == pytest.approx(2 / 3)
    assert result.frame["ties"][-1] == 1


def test_one_set_alone_is_partial(tmp_path: Path) -> None:
    write_lines(file_of(tmp_path, CLAUDE), [row(0, response_model=CLAUDE)])
    benchmark = load_judgebench(tmp_path)
    assert benchmark.subsets == {"claude-3.5-sonnet/knowledge": 1}
    assert "gpt-4o/knowledge, gpt-4o/reasoning, gpt-4o/math, gpt-4o/coding" in benchmark.notes[0]
    assert "claude-3.5-sonnet/knowledge: 1 of 154 items" in benchmark.notes[1]
    assert (
        "claude-3.5-sonnet/knowledge: 1 item of 1 differ in text from the official ones"
        in benchmark.remarks[0]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "A=B"}, "item 1: unknown label 'A=B'"),
        ({"label": 1}, "item 1: 'label' should be text, found 1"),
        ({"source": "gsm8k"}, "item 1: unknown source 'gsm8k'"),
        ({"response_model": "gpt-5"}, "item 1: unknown response_model 'gpt-5'"),
        ({"response_A": None}, "'response_A' should be text, found None"),
        ({"pair_id": "id-1", "source": SOURCES[1]}, "1 id more than once: 'gpt-4o/reasoning/id-1'"),
    ],
)
def test_wrong_items_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_lines(file_of(tmp_path, GPT), [row(0) | change, row(1)])
    with pytest.raises(SchemaError, match=message):
        load_judgebench(tmp_path)


def test_one_candidate_is_refused(tmp_path: Path) -> None:
    alone = {k: v for k, v in row(0).items() if k != "response_B"}
    write_lines(file_of(tmp_path, GPT), [alone])
    with pytest.raises(SchemaError, match="key 'response_B' is missing.*Did you mean 'response_A'"):
        load_judgebench(tmp_path)


def test_files_of_another_kind_are_refused(tmp_path: Path) -> None:
    write_json(file_of(tmp_path, GPT), [row(0)])  # one line that holds a list
    with pytest.raises(SchemaError, match="expected an object, found list"):
        load_judgebench(tmp_path)
    file_of(tmp_path, GPT).write_bytes(b'{"pair_id": "\xe9"}\n')
    with pytest.raises(UnreadableFile, match="UTF-8"):
        load_judgebench(tmp_path)
    file_of(tmp_path, GPT).unlink()
    with pytest.raises(UnreadableFile, match="no JudgeBench files"):
        load_judgebench(tmp_path)


@pytest.mark.realdata
def test_the_pairs_of_claude_are_the_official_ones(real_data: Path) -> None:
    benchmark = load_judgebench(real_data / "benchmarks")
    assert benchmark.subsets == {s: n for s, n in OFFICIAL.counts.items() if s.startswith("claude")}
    assert len(benchmark.notes) == 1  # gpt-4o is missing, and nothing else is wrong
    assert len(benchmark.remarks) == 1
    assert "1 item has the same text on both sides" in benchmark.remarks[0]
