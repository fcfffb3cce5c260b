"""Preference pairs of one's own as a benchmark."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from charm_rm.benchmarks import load_pairs
from charm_rm.errors import SchemaError
from charm_rm.evaluate import evaluate_benchmark

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Hi."},
    {"role": "assistant", "content": "Hello."},
    {"role": "user", "content": "And now?"},
]


def write(path: Path, *rows: dict[str, Any]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def test_conversations_of_several_turns_are_prompts_as_they_are(tmp_path: Path) -> None:
    rows = [
        {"prompt": TURNS, "chosen": "Bye.", "rejected": "No.", "subset": "chat"},
        {
            "prompt": [{"role": "user", "content": "Plain."}],
            "chosen": "Yes.",
            "rejected": "Nope.",
            "subset": "text",
        },
        {"prompt": TURNS[:2], "chosen": "Well.", "rejected": "Bad.", "subset": "chat"},
    ]
    benchmark = load_pairs(write(tmp_path / "pairs.jsonl", *rows))
    prompts = [item.prompt for item in benchmark.items]
    assert prompts == [TURNS, "Plain.", TURNS[:2]]
    assert benchmark.subsets == {"chat": 2, "text": 1}
    seen: list[Any] = []

    def scorer(prompts: Any, responses: Any) -> np.ndarray:
        seen.extend(prompts)
        return np.array([float(r in ("Bye.", "Yes.", "Bad.")) for r in responses])

    result = evaluate_benchmark(scorer, benchmark)
    assert TURNS in seen
    assert result.accuracy("chat") == 0.5
    assert result.accuracy() == pytest.approx(2 / 3)


def test_whole_conversations_on_either_side(tmp_path: Path) -> None:
    sides = {name: [*TURNS, {"role": "assistant", "content": name}] for name in ("chosen", "rejected")}
    (item,) = load_pairs(write(tmp_path / "pairs.jsonl", sides)).items
    assert (item.prompt, item.responses) == (TURNS, ("chosen", "rejected"))


def test_a_tie_counts_a_half_and_all_is_the_only_row_without_subsets(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", {"prompt": "p", "chosen": "a", "rejected": "b"})
    result = evaluate_benchmark(lambda _p, responses: np.zeros(len(responses)), load_pairs(path))
    assert result.frame["subset"].to_list() == ["all"]
    assert result.accuracy() == 0.5


@pytest.mark.parametrize(
    ("side", "message"),
    [
        ([{"role": "user", "content": "a"}], "the last turn is not the assistant's"),
        ([{"role": "assistant"}], "expected text or a list of messages"),
        ([], "expected text or a list of messages"),
    ],
)
def test_malformed_pairs_name_file_and_row(side: Any, message: str, tmp_path: Path) -> None:
    good = {"prompt": TURNS, "chosen": [{"role": "assistant", "content": "a"}]}
    rows = [good | {"rejected": [{"role": "assistant", "content": "b"}]}, good | {"rejected": side}]
    path = write(tmp_path / "pairs.jsonl", *rows)
    with pytest.raises(SchemaError, match=f"row 1: {message}") as caught:
        load_pairs(path)
    assert str(path) in str(caught.value)


def test_a_missing_column_names_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "pairs.jsonl", {"prompt": "p", "chosen": "a"})
    with pytest.raises(SchemaError, match=r"pairs\.jsonl: .*'rejected' is missing"):
        load_pairs(path)


def pair(number: int, **more: Any) -> dict[str, Any]:
    return {"prompt": f"q {number}", "chosen": "good", "rejected": "bad", **more}


def test_what_is_left_out_is_told(tmp_path: Path) -> None:
    """A table of two pairs must not become a benchmark of one without a word."""
    benchmark = load_pairs(write(tmp_path / "pairs.jsonl", pair(0), pair(1, rejected="good")))
    assert len(benchmark.items) == 1
    assert benchmark.remarks == ("1 pair left out: equal responses",)


def test_the_same_pair_again_is_kept_and_told(tmp_path: Path) -> None:
    benchmark = load_pairs(write(tmp_path / "pairs.jsonl", pair(0), pair(0), pair(1)))
    assert len(benchmark.items) == 3
    assert benchmark.remarks == ("1 item is word for word the same as another (drawn as one prompt)",)


def test_ids_name_the_items_and_stand_once(tmp_path: Path) -> None:
    benchmark = load_pairs(write(tmp_path / "pairs.jsonl", pair(0, id="a"), pair(1, id=7)))
    assert [item.item_id for item in benchmark.items] == ["a", "7"]
    with pytest.raises(SchemaError, match="1 id more than once: 'all/a'") as refused:
        load_pairs(write(tmp_path / "twice.jsonl", pair(0, id="a"), pair(1, id="a")))
    assert refused.value.fix == "give every item an id of its own, or rename the column"


@pytest.mark.parametrize("subset", ["all", None])
def test_a_subset_is_not_taken_for_the_whole(tmp_path: Path, subset: str | None) -> None:
    with pytest.raises(SchemaError, match="'subset' is missing in some rows, or is 'all'"):
        load_pairs(write(tmp_path / "pairs.jsonl", pair(0, subset="chat"), pair(1, subset=subset)))
    assert load_pairs(write(tmp_path / "whole.jsonl", pair(1, subset=subset))).subsets == {"all": 1}
