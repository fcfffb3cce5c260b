"""Items, metrics, samples; strict reading of original files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from charm_rm.benchmarks import LOADERS, Benchmark, Item, Metric, load_benchmark
from charm_rm.benchmarks.items import read_rows, text_of, texts_of
from charm_rm.errors import ConfigError, SchemaError, UnreadableFile

PAIR = Metric("all", "accuracy", (("x", "y"),), ((0, 0),))


def items(x: int, y: int) -> tuple[Item, ...]:
    return tuple(
        Item(str(i), subset, f"prompt {subset}{i}", ("good",), ("bad",))
        for subset, n in (("x", x), ("y", y))
        for i in range(n)
    )


def test_sample_keeps_the_share_of_every_subset_and_says_that_it_is_a_sample() -> None:
    whole = Benchmark("b", items(80, 20), (PAIR,), 0.0)
    sample = whole.sample(10, seed=3)
    assert sample.subsets == {"x": 8, "y": 2}
    assert sample.partial
    assert all(m.partial for m in sample.metrics)
    assert "10 of 100 items (seed 3)" in sample.notes[0]
    assert sample.items == whole.sample(10, seed=3).items
    assert sample.items != whole.sample(10, seed=4).items
    assert set(sample.items) < set(whole.items)


def test_sample_leaves_at_least_one_item_of_every_subset() -> None:
    assert Benchmark("b", items(99, 1), (PAIR,), 0.0).sample(2).subsets == {"x": 2, "y": 1}


def test_sample_as_large_as_the_whole_is_the_whole() -> None:
    whole = Benchmark("b", items(3, 3), (PAIR,), 0.0)
    assert whole.sample(6) is whole
    assert not whole.partial


def test_items_of_unequal_shape_are_refused() -> None:
    odd = Item("7", "y", "p", ("good", "better"), ("bad",))
    with pytest.raises(SchemaError, match=r"item y/7: has 2 chosen and 1 rejected"):
        Benchmark("b", (*items(1, 0), odd), (PAIR,), 0.0)


def test_no_items_and_empty_samples_are_refused() -> None:
    with pytest.raises(SchemaError, match="no items"):
        Benchmark("b", (), (PAIR,), 0.0)
    with pytest.raises(SchemaError, match="at least 1"):
        Benchmark("b", items(2, 2), (PAIR,), 0.0).sample(0)


def test_unknown_benchmark_is_named_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown benchmark 'rmbench'.*'rm-bench'"):
        load_benchmark("rmbench", tmp_path)


@pytest.mark.parametrize("name", LOADERS)
def test_a_folder_without_the_benchmark_says_what_was_looked_for(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnreadableFile, match="looked for"):
        load_benchmark(name, tmp_path)
    with pytest.raises(UnreadableFile, match="no such folder"):
        load_benchmark(name, tmp_path / "missing")


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        ("", UnreadableFile, "empty"),
        ('[{"input": "cut', UnreadableFile, "not valid JSON"),
        ("version https://git-lfs.github.com/spec/v1", UnreadableFile, "not valid JSON"),
        ("[]", SchemaError, "at least one item"),
        ('{"input": "x"}', SchemaError, "JSON list"),
        ("[[1]]", SchemaError, "item 1: expected an object, found list"),
    ],
)
def test_malformed_files_are_typed_errors_that_name_the_file(
    content: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "file.json"
    path.write_text(content)
    with pytest.raises(error, match=message) as caught:
        list(read_rows(path))
    assert str(path) in str(caught.value)


def test_latin1_files_are_named_as_wrongly_encoded(tmp_path: Path) -> None:
    path = tmp_path / "file.json"
    path.write_bytes(json.dumps([{"input": "é"}], ensure_ascii=False).encode("latin-1"))
    with pytest.raises(UnreadableFile, match="not UTF-8"):
        list(read_rows(path))


def test_values_of_the_wrong_kind_name_key_and_place() -> None:
    row = {"promt": "x", "input": 3, "chosen": ["a", "b"], "rejected": ["a", "b", 1]}
    with pytest.raises(SchemaError, match=r"here: key 'prompt' is missing.*Did you mean 'promt'"):
        text_of(row, "prompt", "here")
    with pytest.raises(SchemaError, match="'input' should be text, found 3"):
        text_of(row, "input", "here")
    with pytest.raises(SchemaError, match="'chosen' should be a list of 3 texts"):
        texts_of(row, "chosen", "here", length=3)
    with pytest.raises(SchemaError, match="'rejected' should be a list of 3 texts"):
        texts_of(row, "rejected", "here", length=3)
