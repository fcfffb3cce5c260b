"""Strict reading of original files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm.benchmarks import Item, good_and_bad
from charm_rm.benchmarks.files import (
    numbers_of,
    one_table,
    prompt_of,
    read_items,
    read_rows,
    read_table,
    text_of,
    texts_of,
)
from charm_rm.errors import CharmError, SchemaError, UnreadableFile


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
    with pytest.raises(SchemaError, match="'input' should be a list of texts"):
        texts_of(row, "input", "here")
    with pytest.raises(SchemaError, match="'input' should be text or chat messages, found 3"):
        prompt_of(row, "input", "here")
    with pytest.raises(SchemaError, match="'rejected' should be a list of 3 numbers"):
        numbers_of(row, "rejected", "here", length=3)


def test_prompts_may_be_conversations_and_keep_role_and_content_alone() -> None:
    turns = [{"role": "system", "content": "Be brief.", "name": "x"}, {"role": "user", "content": "Hi."}]
    assert prompt_of({"prompt": turns}, "prompt", "here") == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi."},
    ]
    assert prompt_of({"prompt": "Hi."}, "prompt", "here") == "Hi."


@pytest.mark.parametrize("suffix", ["json", "jsonl", "parquet"])
def test_json_lines_and_parquet_are_read_alike(suffix: str, tmp_path: Path) -> None:
    rows = [{"prompt": "p1", "good": ["a"]}, {"prompt": "p2", "good": ["b", "c"]}]
    path = tmp_path / f"file.{suffix}"
    if suffix == "parquet":
        pl.DataFrame(rows).write_parquet(path)
    else:
        path.write_text(json.dumps(rows) if suffix == "json" else "\n".join(map(json.dumps, rows)))
    assert [texts_of(row, "good", where) for row, where in read_rows(path)] == [("a",), ("b", "c")]


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_an_item_that_cannot_be_names_file_and_row(suffix: str, tmp_path: Path) -> None:
    rows = [{"good": ["a"], "bad": ["b"]}, {"good": ["a"], "bad": []}]
    path = tmp_path / f"file.{suffix}"
    path.write_text(json.dumps(rows) if suffix == "json" else "\n".join(map(json.dumps, rows)))

    def make(row: Any, where: str) -> Item:
        assert where
        return good_and_bad("x", "s", "p", row["good"], row["bad"])

    with pytest.raises(SchemaError, match=r"item 2: item s/x: 1 good and 0 bad responses") as caught:
        list(read_items(path, make))
    assert str(path) in str(caught.value)


def test_shards_of_one_table_are_read_in_order_and_none_may_be_missing(tmp_path: Path) -> None:
    shards = [tmp_path / f"train-{n:05d}-of-00003.parquet" for n in range(3)]
    for n, path in enumerate(shards):
        pl.DataFrame({"n": [n]}).write_parquet(path)
    assert one_table(list(reversed(shards)), "x") == shards
    assert [row["n"] for row, _ in read_table(shards, "x")] == [0, 1, 2]
    with pytest.raises(UnreadableFile, match="1 of 3 files of 'train' are missing, first number 1"):
        one_table([shards[0], shards[2]], "x")
    with pytest.raises(CharmError, match="x is there 2 times"):
        one_table([shards[0], tmp_path / "train.parquet"], "x")
