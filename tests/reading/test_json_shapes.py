"""Every shape of JSON that a table is written in gives its rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from charm_rm import load_scores
from charm_rm.errors import CharmError, ReadingNote
from charm_rm.reading.json_shapes import rows_of

ROWS = [
    {"prompt_id": p, "model": m, "reward": s}
    for p, m, s in [
        ("p", "oak", 1.0),
        ("p", "elm", 0.5),
        ("q", "oak", -1.0),
        ("q", "elm", 2.0),
        ("r", "oak", 0.0),
    ]
]
EXPECTED = {(r["prompt_id"], r["model"], r["reward"]) for r in ROWS}
BY_POLICY = {
    m: [{k: v for k, v in r.items() if k != "model"} for r in ROWS if r["model"] == m] for m in ("oak", "elm")
}
NESTED = {m: {r["prompt_id"]: r["reward"] for r in ROWS if r["model"] == m} for m in ("oak", "elm")}
FLIPPED = {p: {r["model"]: r["reward"] for r in ROWS if r["prompt_id"] == p} for p in "pqr"}
SHAPES: dict[str, Any] = {
    "rows": ROWS,
    "columns": {k: [r[k] for r in ROWS] for k in ROWS[0]},
    "pandas' to_json()": {k: {str(i): r[k] for i, r in enumerate(ROWS)} for k in ROWS[0]},
    "pandas, orient=split": {
        "columns": list(ROWS[0]),
        "index": [0, 1, 2, 3, 4],
        "data": [list(r.values()) for r in ROWS],
    },
    "pandas, orient=table": {"schema": {"fields": []}, "data": ROWS},
    "pandas, orient=index": {str(i): r for i, r in enumerate(ROWS)},
    "wrapped": {"results": ROWS},
    "wrapped, with more beside": {"model": "my-rm", "config": {"seed": 1}, "evaluation": ROWS, "date": None},
    "wrapped twice": {"results": {"rows": ROWS}},
    "wrapped columns": {"meta": {}, "data": {k: [r[k] for r in ROWS] for k in ROWS[0]}},
    "rows by policy": BY_POLICY,
    "policy, prompt": NESTED,
    "prompt, policy": FLIPPED,
    "policy, prompt, wrapped": {"rm": "my-rm", "scores": NESTED},
    "wide rows by policy": [{"prompt_id": p, **row} for p, row in FLIPPED.items()],
}


@pytest.mark.parametrize("name", SHAPES)
def test_every_shape_gives_the_same_scores(tmp_path: Path, name: str) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(SHAPES[name]))
    with pytest.warns(ReadingNote):
        frame = load_scores(path).frame
    assert set(frame.select("prompt_id", "policy", "score").iter_rows()) == EXPECTED


def test_which_keys_are_policies_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.json"
    path.write_text(json.dumps(FLIPPED))
    with pytest.warns(
        ReadingNote, match="outer keys as prompts, 'p', 'q', 'r', the inner ones as policies, 'oak', 'elm'"
    ):
        load_scores(path)


@pytest.mark.parametrize(
    ("document", "message"),
    [
        (1, "holds a number"),
        (None, "holds null"),
        ({}, "holds one object"),
        ({"a": 1, "b": [2]}, "holds one object"),
        ({"a": [1], "b": [1, 2]}, "holds one object"),
        ({"a": {"x": "text"}}, "objects in an object"),
        ({"columns": ["a", "b"], "data": [[1]]}, "does not name the cells"),
        ({"one": ROWS, "two": ROWS}, "several lists of rows"),
    ],
)
def test_other_shapes_are_refused(document: Any, message: str) -> None:
    with pytest.raises(CharmError, match=message) as caught:
        rows_of(document, Path("t.json"))
    assert "t.json" in str(caught.value)


def test_conversations_are_no_rows_of_tables() -> None:
    turns = [{"role": "user", "content": "Why?"}]
    assert rows_of({"prompt": [turns, turns], "policy": ["a", "b"]}, Path("t.json"))[0] == [
        {"prompt": turns, "policy": "a"},
        {"prompt": turns, "policy": "b"},
    ]
