"""Results of promptfoo: every shape of the file, providers as policies, metrics, errors and repeats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from charm_rm import load_source
from charm_rm.conversations import prompt_hash
from charm_rm.errors import CharmWarning, ConfigError, ReadingNote, SchemaError, UnreadableFile
from charm_rm.tables import Scores

Results = list[dict[str, Any]]


def result(test: int, provider: Any, score: Any, **more: Any) -> dict[str, Any]:
    return {
        "promptIdx": 0,
        "testIdx": test,
        "testCase": {"vars": {"q": f"Ask {test}"}, "assert": []},
        "promptId": "abc",
        "provider": provider,
        "prompt": {"raw": f"Answer: Ask {test}", "label": "Answer: {{q}}"},
        "vars": {"q": f"Ask {test}"},
        "response": {"output": "Yes", "tokenUsage": {"total": 3}},
        "success": bool(score),
        "failureReason": 0 if score else 1,
        "score": score,
        "latencyMs": 12,
        "namedScores": {},
        "gradingResult": {"pass": bool(score), "score": score, "reason": "...", "componentResults": []},
    } | more


TWO = [
    result(i, {"id": f"openai:{name}", "label": ""}, s)
    for name, s in [("gpt-4o", 0.8), ("o3", 0)]
    for i in range(2)
]
SHAPES = {
    "today's": lambda rows: {
        "evalId": "e",
        "results": {"version": 3, "results": rows, "stats": {}},
        "config": {},
    },
    "a summary": lambda rows: {"version": 3, "results": rows, "prompts": [], "stats": {}},
}


def write(path: Path, rows: Results, shape: str = "today's") -> Path:
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(r) + "\n" for r in rows))
    else:
        path.write_text(json.dumps(SHAPES[shape](rows)))
    return path


def values(path: Path, **choice: Any) -> dict[tuple[str, str], float]:
    scores = load_source(path, **choice)
    assert isinstance(scores, Scores)
    return {(p, k): s for p, k, s in scores.frame.select("prompt_id", "policy", "score").iter_rows()}


@pytest.mark.parametrize(
    ("name", "shape"), [("r.json", "today's"), ("r.json", "a summary"), ("r.jsonl", "rows")]
)
def test_every_shape_of_the_file(tmp_path: Path, name: str, shape: str) -> None:
    """A test that fails an assertion has its score, 0; the id of a prompt is that of a response to its text."""
    found = values(write(tmp_path / name, TWO, shape))
    ids = [prompt_hash(f"Answer: Ask {i}") for i in range(2)]
    assert found == {(ids[0], "openai:gpt-4o"): 0.8, (ids[1], "openai:gpt-4o"): 0.8} | {
        (i, "openai:o3"): 0.0 for i in ids
    }


@pytest.mark.parametrize(
    ("provider", "policy"),
    [
        ({"id": "openai:gpt-4o", "label": "Ours"}, "Ours"),
        ({"id": "openai:gpt-4o"}, "openai:gpt-4o"),
        ("echo", "echo"),
    ],
)
def test_a_provider_is_called_by_its_label(tmp_path: Path, provider: Any, policy: str) -> None:
    assert {k for _, k in values(write(tmp_path / "r.json", [result(0, provider, 1)]))} == {policy}


def test_tests_that_could_not_run_are_counted_and_failed_ones_are_not(tmp_path: Path) -> None:
    rows = [
        result(0, "a", 1),
        result(
            1, "a", 0, error="the answer is wrong"
        ),  # promptfoo repeats the reason of a failed assertion here
        result(2, "a", 0, failureReason=2, error="API error: 500", gradingResult=None),
        {
            k: v
            for k, v in result(3, "a", 0, error="timeout").items()
            if k not in ("failureReason", "gradingResult")
        },
        result(4, "a", None),
    ]
    path = write(tmp_path / "r.json", rows)
    with pytest.warns(CharmWarning) as said:
        assert list(values(path).values()) == [1.0, 0.0]
    told = [str(w.message).partition("r.json: ")[2] for w in said]
    assert told == ["2 of 5 judgements dropped: error", "1 of 5 judgements dropped: no verdict"]


def test_a_metric_or_a_type_of_assertion_may_be_chosen(tmp_path: Path) -> None:
    parts = [
        {"pass": True, "score": s, "reason": "", "assertion": {"type": kind}}
        for kind, s in [("llm-rubric", 0.5), ("llm-rubric", 1.0), ("latency", 1)]
    ]
    rows = [
        result(
            0, "a", 0.7, namedScores={"tone": 0.25}, gradingResult={"score": 0.7, "componentResults": parts}
        )
    ]
    path = write(tmp_path / "r.json", rows)
    with pytest.warns(ReadingNote, match="--judge chooses one of 'latency', 'llm-rubric', 'tone'"):
        assert list(values(path).values()) == [0.7]
    assert list(values(path, annotator="tone").values()) == [0.25]
    assert list(values(path, annotator="llm-rubric").values()) == [0.75]
    assert list(values(path, annotator="score").values()) == [0.7]
    with pytest.raises(ConfigError, match=r"no result has a metric or assertion 'ton'. Did you mean 'tone'"):
        load_source(path, annotator="ton")


def test_repeats_are_averaged_and_said(tmp_path: Path) -> None:
    rows = [result(0, "a", s) | {"testIdx": i} for i, s in enumerate((1, 0, 0))]
    with pytest.warns(CharmWarning, match="2 of 3 judgements repeat a prompt and policy"):
        assert list(values(write(tmp_path / "r.json", rows)).values()) == [pytest.approx(1 / 3)]


def test_a_folder_of_results(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write(tmp_path / f"{name}.json", [result(0, name, 1)])
    assert {k for _, k in values(tmp_path)} == {"a", "b"}


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (result(0, None, 1), "result 0: no provider"),
        (result(0, "a", "high"), "score 'high' is no number"),
        (result(0, "a", True), "score 'True' is no number"),
        (result(0, "a", 1, prompt=None, vars={}, testIdx=None), "neither prompt nor variables"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    path = write(tmp_path / "r.json", [row])
    with pytest.raises(SchemaError, match=message) as caught:
        load_source(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize(
    "text", ['{"results": {"results": [{"a": 1}]}}', '{"results": 3}', '{"results": "a"}']
)
@pytest.mark.filterwarnings("ignore::charm_rm.errors.ReadingNote")
def test_other_objects_are_no_results(tmp_path: Path, text: str) -> None:
    path = tmp_path / "other.json"
    path.write_text(text)
    with pytest.raises((UnreadableFile, SchemaError), match="other.json") as caught:
        load_source(path)
    assert "promptfoo" not in str(caught.value)
