"""HelpSteer 2 and 3: ratings of attributes, and preferences."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.official_layouts import by_text, write_lines, write_parquet
from charm_rm.benchmarks import load_found
from charm_rm.benchmarks.arena import load_arena
from charm_rm.benchmarks.helpsteer import conversation, load_helpsteer2, load_helpsteer3
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark

ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def rated(prompt: str, response: str, ratings: tuple[Any, ...], **more: Any) -> dict[str, Any]:
    return {"prompt": prompt, "response": response} | dict(zip(ATTRIBUTES, ratings, strict=True)) | more


RATED = [
    rated("p", "a", (4, 3, 4, 2, 1)),
    rated("p", "b", (2, 4, 4, 1, 2)),
    rated("q", "c", (1, 1, 4, 2, 2)),
    rated("q", "d", (3, 1, 3, 2, 1)),
    rated("alone", "e", (3, 1, 3, 2, 1)),
]
SCORES = {"a": 2.0, "b": 1.0, "c": 0.0, "d": 1.0}


def test_an_attribute_is_the_share_of_pairs_in_its_order(tmp_path: Path) -> None:
    path = tmp_path / "HelpSteer2" / "validation.jsonl.gz"
    path.parent.mkdir()
    path.write_bytes(gzip.compress("\n".join(map(json.dumps, RATED)).encode()))
    benchmark = load_helpsteer2(tmp_path)
    assert load_helpsteer2(path.parent).items == benchmark.items == load_helpsteer2(path).items
    result = evaluate_benchmark(by_text(SCORES), benchmark, draws=100)
    assert result.accuracy("helpfulness") == 1
    assert result.accuracy("correctness") == 0  # the first prompt alone differs
    assert result.accuracy("coherence") == 0
    assert result.headline == pytest.approx(1 / 3)
    assert result.accuracy("verbosity", "agreement") == 0
    assert benchmark.notes == ("2 prompts, officially 519",)
    assert benchmark.remarks == (
        "1 prompt with one response left out",
        "3 items left out, whose responses are rated alike",
    )


def test_turns_written_as_one_text_are_messages_again() -> None:
    text = "Hi.\n\n<extra_id_1>Assistant\nHello.\n<extra_id_1>User\nAnd now?\n"
    assert conversation(text) == [
        {"role": "user", "content": "Hi."},
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "And now?"},
    ]
    assert conversation("Hi.\n") == "Hi.\n"
    assert conversation("What is <extra_id_1> in T5?") == "What is <extra_id_1> in T5?"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"helpfulness": 5}, "a rating is from 0 to 4"),
        ({"helpfulness": float("nan")}, "'helpfulness' should be a number, found nan"),
        ({"verbosity": "high"}, "'verbosity' should be a number, found 'high'"),
        ({"response": None}, "'response' should be text"),
    ],
)
def test_wrong_ratings_are_named(change: dict[str, Any], message: str, tmp_path: Path) -> None:
    write_lines(tmp_path / "helpsteer2.jsonl", [RATED[0] | change, RATED[1]])
    with pytest.raises(SchemaError, match=message):
        load_helpsteer2(tmp_path)


def test_ratings_that_never_differ_are_refused(tmp_path: Path) -> None:
    write_lines(tmp_path / "helpsteer2.jsonl", [RATED[0], RATED[0] | {"response": "b"}])
    with pytest.raises(SchemaError, match="no two responses of a prompt differ"):
        load_helpsteer2(tmp_path)


def test_the_training_split_is_not_scored(tmp_path: Path) -> None:
    write_parquet(tmp_path / "HelpSteer2" / "data" / "train-00000-of-00001.parquet", RATED)
    with pytest.raises(UnreadableFile, match="scored on its split 'validation', and here is another"):
        load_helpsteer2(tmp_path)


def preferred(response1: str, response2: str, strength: Any, domain: str = "stem") -> dict[str, Any]:
    context = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}]
    return {
        "context": context,
        "response1": response1,
        "response2": response2,
        "overall_preference": strength,
        "domain": domain,
    }


def test_preferences_point_to_the_second_where_they_are_above_0(tmp_path: Path) -> None:
    rows = [
        preferred("a", "b", -3),
        preferred("c", "d", 1, "code"),
        preferred("d", "b", 2),
        preferred("a", "c", 0),
    ]
    write_lines(tmp_path / "HelpSteer3" / "preference" / "validation.jsonl", rows)
    benchmark = load_helpsteer3(tmp_path)
    result = evaluate_benchmark(by_text(SCORES), benchmark, draws=100)
    assert benchmark.items[0].prompt == rows[0]["context"]
    assert result.accuracy("stem") == 0.75  # right, and equal scores
    assert result.accuracy("code") == 1
    assert result.headline == pytest.approx(2.5 / 3)
    assert benchmark.notes == ("4 items, officially 2,017",)
    assert benchmark.remarks == ("1 item left out, of which people preferred neither",)


@pytest.mark.parametrize("strength", [4, float("nan"), None, "2"])
def test_other_preferences_are_refused(strength: Any, tmp_path: Path) -> None:
    write_lines(tmp_path / "helpsteer3.jsonl", [preferred("a", "b", strength)])
    with pytest.raises(SchemaError, match="item 1: 'overall_preference'"):
        load_helpsteer3(tmp_path)


def test_all_takes_what_is_there_whatever_the_files_of_others_are_called(tmp_path: Path) -> None:
    """Hub datasets in one folder: a training split of the Arena's is no HelpSteer2, anybody's `test.jsonl` is no RewardBench 2."""
    sides = {"model_a": "m", "model_b": "n", "response_a": "x", "response_b": "y"}
    vote = {"id": "1", "prompt": "p", "winner": "model_a", **sides}
    write_parquet(tmp_path / "arena-human-preference-55k" / "train-00000-of-00001.parquet", [vote])
    write_lines(tmp_path / "mine" / "test.jsonl", [{"question": "q"}])
    found, missing = load_found(tmp_path)
    assert [one.name for one in found] == ["arena"]
    assert len(load_arena(tmp_path).items) == 1
    assert {"helpsteer2", "helpsteer3"} <= set(missing)
