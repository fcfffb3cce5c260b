"""RMB: pairs and best-of-n by goal, from the original folders or one table of pairs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.official_layouts import by_text, write_json, write_parquet
from charm_rm.benchmarks import rmb
from charm_rm.benchmarks.rmb import COUNTS, load_rmb
from charm_rm.errors import SchemaError, UnreadableFile
from charm_rm.evaluate import evaluate_benchmark

PAIRS, BEST = "Pairwise_set", "BoN_set"
CHAT, S1 = "Helpfulness/Chat/Discussion", "Harmlessness/S1"
TURNS = [
    {"role": "user", "content": "Hi.", "language": "English"},
    {"role": "assistant", "content": "Hello.", "language": "English"},
    {"role": "user", "content": "And now?", "language": "English"},
]


def said(text: str) -> dict[str, str]:
    return {"llm_name": "some-model", "answer": text}


def pair(number: int, scenario: str, **more: Any) -> dict[str, Any]:
    sides = {"chosen": said(f"good {number}"), "reject": said(f"bad {number}")}
    about = {"pair_uid": str(number), "category_path": f"{PAIRS}/{scenario}"}
    return about | {"conversation_input": TURNS[:1]} | sides | more


def best(number: int, scenario: str, losers: int, **more: Any) -> dict[str, Any]:
    about = {"bon_uid": number, "category_path": f"{BEST}/{scenario}", "conversation_input": TURNS}
    bad = [said(f"loser {number} {i}") for i in range(losers)]
    return about | {"bon_best": said(f"best {number}"), "loser_list": bad} | more


def write(folder: Path, kind: str, scenario: str, rows: list[dict[str, Any]]) -> None:
    write_json(folder / "RMB_dataset" / kind / f"{scenario}.json", rows)


SCORES = {
    "good 1": 2.0,
    "bad 1": 1.0,
    "good 2": 1.0,
    "bad 2": 1.0,
    "good 3": 0.0,
    "bad 3": 1.0,
    "best 1": 2.0,
    "loser 1 0": 1.0,
    "loser 1 1": 0.0,
    "loser 1 2": 1.5,
    "best 2": 2.0,
    "loser 2 0": 2.0,
    "loser 2 1": 0.0,
}


def test_the_four_figures_and_their_mean(tmp_path: Path, officially: Any) -> None:
    officially(rmb, {f"pairwise/{CHAT}": 2, f"best-of-n/{CHAT}": 2, f"pairwise/{S1}": 1})
    write(tmp_path, PAIRS, CHAT, [pair(1, CHAT), pair(2, CHAT)])
    write(tmp_path, PAIRS, S1, [pair(3, S1)])
    write(tmp_path, BEST, CHAT, [best(1, CHAT, 3), best(2, CHAT, 2)])
    benchmark = load_rmb(tmp_path)
    assert not benchmark.partial
    result = evaluate_benchmark(by_text(SCORES), benchmark, draws=100)
    assert result.accuracy("pairwise/Helpfulness") == 0.5  # a tie is wrong
    assert result.accuracy("best-of-n/Helpfulness") == 0.5  # above all losers, or wrong
    assert result.accuracy("pairwise/Harmlessness") == 0
    assert result.headline == pytest.approx((0.5 + 0.5 + 0) / 3)
    assert benchmark.items[0].prompt == [{k: t[k] for k in ("role", "content")} for t in TURNS]


def test_missing_scenarios_are_named_and_their_averages_partial(tmp_path: Path) -> None:
    write(tmp_path, BEST, S1, [best(i, S1, 2) for i in range(COUNTS[S1][1])])
    benchmark = load_rmb(tmp_path)
    assert {m.subset: m.partial for m in benchmark.metrics} == {"best-of-n/Harmlessness": True, "all": True}
    assert "pairwise/Harmlessness/S1, pairwise/Harmlessness/S10" in benchmark.notes[0]
    assert "and 85 more missing" in benchmark.notes[0]
    assert "items differ in text from the official ones in best-of-n/Harmlessness/S1" in benchmark.remarks


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (pair(1, CHAT, chosen="text"), "'chosen' should be a response with 'answer', found 'text'"),
        (pair(1, CHAT, reject=said(3)), "item 1, reject: 'answer' should be text, found 3"),  # type: ignore[arg-type]
        (best(1, CHAT, 0), r"'loser_list' should be a list of responses, found \[\]"),
        (best(1, CHAT, 2, bon_best=None), "'bon_best' should be a response"),
        (pair(1, CHAT, category_path="Pairwise_set/Fun"), "unknown category 'Pairwise_set/Fun'"),
        (
            pair(1, CHAT, conversation_input=[{"role": "user"}]),
            "'conversation_input' should be text or chat messages",
        ),
        (pair(1, CHAT, pair_uid=None), "'pair_uid' should be text, found None"),
        (best(1, CHAT, 2, bon_uid=None), "'bon_uid' is missing"),
    ],
)
def test_wrong_items_are_named(row: dict[str, Any], message: str, tmp_path: Path) -> None:
    write(tmp_path, PAIRS, CHAT, [row])
    with pytest.raises(SchemaError, match=message):
        load_rmb(tmp_path)


def test_one_table_of_pairs_is_read(tmp_path: Path) -> None:
    rows = [
        {
            "subset": f"{PAIRS}/{S1}",
            "item_id": str(i),
            "prompt": "p",
            "chosen": [f"good {i}"],
            "rejected": [f"bad {i}"],
        }
        for i in (1, 3)
    ]
    write_parquet(tmp_path / "rmb_pairwise.parquet", rows)
    benchmark = load_rmb(tmp_path)
    assert evaluate_benchmark(by_text(SCORES), benchmark, draws=100).headline == 0.5
    assert "pairwise/Harmlessness/S1: 2 of 459 items" in benchmark.notes[1]
    with pytest.raises(UnreadableFile, match="no RMB files"):
        load_rmb(tmp_path / "elsewhere")
    write_parquet(tmp_path / "rmb_pairwise.parquet", [rows[0] | {"rejected": ["bad", "another"]}])
    with pytest.raises(SchemaError, match="'rejected' should be text"):
        load_rmb(tmp_path)


@pytest.mark.realdata
def test_the_table_of_pairs_has_flattened_conversations_and_that_is_told(real_data: Path) -> None:
    benchmark = load_rmb(real_data / "preferences")
    assert len(benchmark.items) == 14_543
    assert "items differ in text from the official ones in pairwise/Harmlessness/S1" in benchmark.remarks[0]
    assert "11 items have the same text on both sides" in benchmark.remarks[1]
    assert {m.subset: m.partial for m in benchmark.metrics}["pairwise/Helpfulness/Chat"] is False
