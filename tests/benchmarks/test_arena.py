"""Votes of the Arena: two layouts, ties of people and of models, conversations that part."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.official_layouts import by_text, write_lines, write_parquet
from charm_rm.benchmarks import Item, scored_by_reward
from charm_rm.benchmarks.arena import agreement, load_arena
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark

SCORES = {"good": 2.0, "fair": 1.0, "also fair": 1.0, "bad": 0.0}
FLAGS = {"a": (1, 0, 0), "b": (0, 1, 0), "tie": (0, 0, 1)}


def kaggle(prompts: list[str], a: list[str | None], b: list[str | None], winner: str) -> dict[str, Any]:
    flags = dict(zip(("winner_model_a", "winner_model_b", "winner_tie"), FLAGS[winner], strict=True))
    texts = {"prompt": json.dumps(prompts), "response_a": json.dumps(a), "response_b": json.dumps(b)}
    return {"id": 30192, "model_a": "x", "model_b": "y"} | texts | flags


def talk(*turns: str) -> list[dict[str, Any]]:
    roles = ("user", "assistant")
    return [
        {"role": roles[i % 2], "content": [{"type": "text", "text": t, "image": None, "mimeType": None}]}
        for i, t in enumerate(turns)
    ]


BATTLES = [
    kaggle(["p"], ["good"], ["bad"], "a"),
    kaggle(["p"], ["good"], ["bad"], "tie"),
    kaggle(["p"], ["fair"], ["also fair"], "tie"),
    kaggle(["p"], ["fair"], ["also fair"], "b"),
    kaggle(["p"], ["good"], ["fair"], "b"),
    kaggle(["p", "q"], ["same", "good"], ["same", "bad"], "a"),
    kaggle(["p", "q"], ["one", "good"], ["two", "bad"], "a"),
    kaggle(["p"], [None], ["bad"], "b"),
]


def test_the_kaggle_layout(tmp_path: Path) -> None:
    path = tmp_path / "arena-human-preference-55k" / "train.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, BATTLES[0])
        writer.writeheader()
        writer.writerows(BATTLES)
    benchmark = load_arena(tmp_path)
    assert [item.prompt for item in benchmark.items[:5]] == ["p"] * 5
    assert [m["content"] for m in benchmark.items[5].prompt] == ["p", "same", "q"]  # type: ignore[index]
    assert benchmark.remarks == (
        "1 battle left out, of several turns, in which each side has a conversation of its own",
        "1 battle left out, with an empty response",
    )
    result = evaluate_benchmark(by_text(SCORES), benchmark, draws=100)
    assert result.accuracy("all", "agreement") == pytest.approx((1 + 0.5 + 1 + 0.5 + 0 + 1) / 6)
    assert result.accuracy("all", "accuracy") == pytest.approx((1 + 0.5 + 0 + 1) / 4)


@pytest.mark.parametrize("write", [write_parquet, write_lines])
def test_the_layout_with_conversations(write: Any, tmp_path: Path) -> None:
    rows = [
        {
            "conversation_a": talk("p", "good"),
            "conversation_b": talk("p", "bad"),
            "winner": "model_a",
            "language": "en",
        },
        {
            "conversation_a": talk("p", "good"),
            "conversation_b": talk("p", "bad"),
            "winner": "both_bad",
            "language": "de",
        },
        {
            "conversation_a": talk("p", "bad"),
            "conversation_b": talk("p", "good"),
            "winner": "model_a",
            "language": "de",
        },
    ]
    ending = "parquet" if write is write_parquet else "jsonl"
    write(tmp_path / f"arena-human-preference-140k.{ending}", rows)
    benchmark = load_arena(tmp_path)
    assert benchmark.subsets == {"en": 1, "de": 2}
    result = evaluate_benchmark(by_text(SCORES), benchmark, draws=100)
    assert result.accuracy("all", "agreement") == pytest.approx((1 + 0.5 + 0) / 3)
    assert result.accuracy("all", "accuracy") == 0.5


@given(st.sampled_from([0.0, 0.5, 1.0]), st.integers(-1, 1))
def test_agreement_is_highest_for_who_says_the_same(vote: float, said: int) -> None:
    """A slow twin: 1 for the same verdict, 0 for the opposite one, a half for a tie against a decision."""
    item = Item("1", "all", "p", ("a", "b"), (vote, 1 - vote))
    credit = agreement(
        scored_by_reward(item, by_text({"a": float(said), "b": 0.0})([], ["a", "b"]), tie_value=0.5)
    )
    verdict = {1: 1.0, 0: 0.5, -1: 0.0}[said]
    expected = 1.0 if verdict == vote else 0.5 if 0.5 in (verdict, vote) else 0.0
    assert credit == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"winner_tie": 1}, "one of winner_model_a, winner_model_b, winner_tie should be 1"),
        ({"winner_model_a": None}, "should be 1 and the others 0"),
        ({"response_a": json.dumps(["x", "y"])}, "1 prompts and 2 responses"),
        ({"response_a": "[]"}, "'response_a' should be a list of texts"),
        ({"prompt": 3}, "'prompt' should be a list of texts, found 3"),
        ({"winner": "model_c"}, "unknown winner 'model_c'"),
        (
            {"conversation_a": talk("p"), "conversation_b": talk("p", "x")},
            "messages that end with a response",
        ),
    ],
)
def test_wrong_battles_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "arena-human-preference.jsonl", [BATTLES[0] | change])
    with pytest.raises(SchemaError, match=message) as caught:
        load_arena(tmp_path)
    assert "item 1" in str(caught.value)


def test_nothing_to_score_is_said(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="no Arena files"):
        load_arena(tmp_path)
    write_lines(tmp_path / "arena-human-preference.jsonl", [BATTLES[-1]])
    with pytest.raises(SchemaError, match="no battle can be scored"):
        load_arena(tmp_path)
