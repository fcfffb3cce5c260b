"""Counts and hashes of official copies, and what is told of copies that are others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from charm_rm.benchmarks import Item, good_and_bad, load_benchmark, mean_of_subsets
from charm_rm.benchmarks import official as module
from charm_rm.benchmarks.official import Official, item_hash, joined_hashes, official_hashes
from charm_rm.errors import SchemaError


def item(number: int, subset: str = "a", text: str = "good") -> Item:
    return good_and_bad(str(number), subset, f"prompt {number}", [f"{text} {number}"], [f"bad {number}"])


METRICS = (mean_of_subsets("all", "accuracy", [["a"]]),)


def test_missing_and_other_numbers_are_notes() -> None:
    official = Official("x", {"a": 2, "b": 3, "c": 1})
    items = [item(0), item(1), item(2, "b"), item(3, "c"), item(4, "c")]
    assert official.lacking(items) == ("b: 1 of 3 items; c: 2 items, officially 1",)
    assert official.lacking(items[:2]) == ("b, c missing: averages are over what is there",)
    assert official.whole(["a"], items)
    assert not official.whole(["a", "b"], items)


def test_items_of_other_texts_are_told_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    items = [item(i) for i in range(3)]
    hashes = {"x": {"a": frozenset(map(item_hash, items))}}
    monkeypatch.setattr(module, "official_hashes", lambda: hashes)
    official = Official("x", {"a": 3})
    assert official.benchmark(items, METRICS, 0.5).remarks == ()
    changed = [*items[:2], item(2, text="better")]
    (remark,) = official.benchmark(changed, METRICS, 0.5).remarks
    assert remark == "a: 1 item of 3 differ in text from the official ones: '2'"


def test_the_hash_is_of_prompt_texts_and_grades_and_of_nothing_else() -> None:
    first = Item("1", "a", "hi", ("x", "y"), (1.0, 0.0))
    turned = Item("2", "b", [{"role": "user", "content": "hi"}], ("y", "x"), (0.0, 1.0))
    assert item_hash(first) == item_hash(turned)
    assert item_hash(first) != item_hash(replace(first, grades=(0.0, 1.0)))
    assert item_hash(first) != item_hash(replace(first, prompt="ho"))
    assert joined_hashes([first, first]) == {"a": item_hash(first) * 2}


def test_an_id_names_one_item_of_a_subset() -> None:
    official = Official("x", {"a": 2})
    with pytest.raises(SchemaError, match="benchmark x: 1 id more than once: 'a/0'"):
        official.benchmark([item(0), item(0)], METRICS, 0.5)


def test_the_file_of_hashes_has_as_many_as_there_are_items() -> None:
    """Equal hashes within a subset would hide a changed text."""
    counts = {name: sum(map(len, subsets.values())) for name, subsets in official_hashes().items()}
    assert counts["judgebench"] == 620
    assert counts["llmbar"] == 419
    assert counts["rm-bench"] == 798


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["llmbar", "rm-bench"])
def test_the_original_files_are_the_official_ones(name: str, real_data: Path) -> None:
    assert load_benchmark(name, real_data / "benchmarks").remarks == ()


@pytest.mark.realdata
def test_one_changed_letter_is_told(real_data: Path, tmp_path: Path) -> None:
    original = real_data / "benchmarks" / "LLMBar" / "Natural" / "dataset.json"
    copy = tmp_path / "Natural" / "dataset.json"
    copy.parent.mkdir()
    copy.write_text(original.read_text("utf-8").replace("the", "teh", 1), "utf-8")
    (remark,) = load_benchmark("llmbar", tmp_path).remarks
    assert remark.startswith("Natural: 1 item of 100 differ in text from the official ones: ")
