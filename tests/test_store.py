"""Files appear whole or not at all, and unreadable ones say why."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmWarning, OutputExists, SchemaError, UnreadableFile, WriteFailed
from charm_rm.ratings import load_ratings
from charm_rm.tables import Estimate, Favouritism, Offsets, Ratings, Scores

SCORES = Scores(pl.DataFrame({"prompt_id": ["p", "q"], "policy": ["x", "x"], "score": [0.1, -2.5]}))


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl", ".json"])
def test_scores_round_trip(tmp_path: Path, suffix: str) -> None:
    path = store.save(SCORES, tmp_path / f"scores{suffix}")
    assert store.load(Scores, path).frame.equals(SCORES.frame)


def test_everything_beside_the_frame_round_trips(tmp_path: Path) -> None:
    ratings = Ratings(
        pl.DataFrame({"policy": ["x", "y"], "rating": [1000.0, 1100.0]}),
        provenance={"verb": "fit"},
        covariance=np.array([[4.0, 1.0], [1.0, 9.0]]),
    )
    back = store.load(Ratings, store.save(ratings, tmp_path / "r.parquet"))
    assert back.provenance == {"verb": "fit"}
    np.testing.assert_array_equal(back.covariance, ratings.covariance)

    columns = {c.name: ["x"] if c.kind == "text" else [1.0] for c in Favouritism.columns}
    favour = Favouritism(pl.DataFrame(columns), sharpness=Estimate(1.5, 0.1, 1.3, 1.7))
    assert store.load(Favouritism, store.save(favour, tmp_path / "f.parquet")).sharpness == favour.sharpness

    frame = pl.DataFrame({"policy": ["x"], "delta": [0.5], "std_err": [None], "ci_low": [None], "ci_high": [None],
                          "is_reference": [False], "target": [0.4], "attained": [0.4]})  # fmt: skip
    offsets = Offsets(frame, residuals=pl.DataFrame({"policy": ["x"], "before": [0.9]}))
    assert store.load(Offsets, store.save(offsets, tmp_path / "o.parquet")).residuals.equals(
        offsets.residuals
    )


def test_an_existing_output_needs_force(tmp_path: Path) -> None:
    path = store.save(SCORES, tmp_path / "s.csv")
    with pytest.raises(OutputExists, match="--force"):
        store.save(SCORES, path)
    store.save(SCORES, path, force=True)


def test_an_empty_folder_is_no_output_but_a_full_one_is(tmp_path: Path) -> None:
    assert store.refuse_existing(tmp_path, force=False) == tmp_path
    (tmp_path / "x").touch()
    with pytest.raises(OutputExists):
        store.refuse_existing(tmp_path, force=False)


def test_a_failing_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = store.write_text("old", tmp_path / "t.txt")
    with pytest.raises(WriteFailed, match="untouched"), store.replacing(path, force=True) as temporary:
        temporary.write_text("half of the n")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["t.txt"]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_really_full_disk_leaves_the_old_file_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.save(SCORES, tmp_path / "s.csv")
    before = path.read_bytes()
    written = pl.DataFrame.write_csv
    monkeypatch.setattr(pl.DataFrame, "write_csv", lambda self, _target: written(self, "/dev/full"))
    big = Scores(pl.DataFrame({"prompt_id": [str(i) for i in range(99_999)], "policy": "x", "score": 1.0}))
    with pytest.raises(WriteFailed, match="space"):
        store.save(big, path, force=True)
    assert path.read_bytes() == before


def test_empty_missing_truncated_and_misencoded_files_say_so(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    with pytest.raises(UnreadableFile, match="empty"):
        store.read_frame(tmp_path / "empty.csv")
    with pytest.raises(UnreadableFile, match="no such file"):
        store.read_frame(tmp_path / "none.csv")
    whole = store.save(SCORES, tmp_path / "s.parquet").read_bytes()
    (tmp_path / "cut.parquet").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UnreadableFile, match="cut short"):
        store.read_frame(tmp_path / "cut.parquet")
    (tmp_path / "latin.csv").write_bytes("prompt_id,policy,score\np,caf\xe9,1\n".encode("latin-1"))
    with pytest.raises(UnreadableFile, match="(?s)not UTF-8.*iconv"):
        store.read_frame(tmp_path / "latin.csv")
    (tmp_path / "latin.jsonl").write_bytes('{"policy": "caf\xe9"}\n'.encode("latin-1"))
    with pytest.raises(UnreadableFile):
        store.read_frame(tmp_path / "latin.jsonl")
    (tmp_path / "table.xlsx").write_text("?")
    with pytest.raises(UnreadableFile, match="unknown table format '.xlsx'"):
        store.read_frame(tmp_path / "table.xlsx")
    (tmp_path / "half.json").write_text('[{"a": 1}')
    with pytest.raises(UnreadableFile, match="not valid JSON"):
        store.read_json(tmp_path / "half.json")


def test_a_schema_error_names_the_file(tmp_path: Path) -> None:
    path = tmp_path / "s.csv"
    path.write_text("prompt_id,policy,score\np,x,nan\n")
    with pytest.raises(SchemaError, match=r"s\.csv: scores, row 0"):
        store.load(Scores, path)


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".jsonl", ".json"])
def test_column_names_are_those_of_the_table(tmp_path: Path, suffix: str) -> None:
    path = store.write_frame(pl.DataFrame({"a": [1, 2], "b": ["x", None]}), tmp_path / f"t{suffix}")
    assert store.column_names(path) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.parquet", b"PAR1 cut"), ("t.jsonl", b'{"a": 1'), ("t.csv", b"")],
)
def test_column_names_of_a_broken_file(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UnreadableFile):
        store.column_names(tmp_path / name)


def test_json_lines_may_differ_in_shape(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_text('{"a": 1}\n\n{"a": {"b": []}}\n"text"\n')
    assert store.read_json_lines(path) == [{"a": 1}, {"a": {"b": []}}, "text"]
    path.write_text('{"a": 1}\n{"a"\n')
    with pytest.raises(UnreadableFile, match="line 2"):
        store.read_json_lines(path)


# --- files that are none, and files that are damaged ----------------------------------------------


def test_pipes_devices_and_loops_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "loop.parquet").symlink_to("loop.parquet")
    (tmp_path / "folder.csv").mkdir()
    for name, words in (
        ("pipe.csv", "is a pipe"),
        ("zero.json", "is a device"),
        ("loop.parquet", "cannot be opened: Too many levels"),
        ("folder.csv", "the folder holds no table"),
        ("x" * 300 + ".csv", "cannot be opened: File name too long"),
        ("a\0.csv", "cannot be opened: embedded null"),
        ("nothing/x.csv", "no such file"),
    ):
        for read in (store.read_frame, store.column_names):
            with pytest.raises(UnreadableFile, match=words):
                read(tmp_path / name)


@pytest.mark.parametrize(
    "payload",
    [
        "{",
        "[" * 100_000,
        "[]",
        "null",
        '"text"',
        '{"provenance": 3}',
        '{"noun": "ratings", "covariance": "x"}',
        '{"noun": "ratings", "covariance": {"a": 1}}',
        '{"noun": "ratings", "covariance": [[1, 2], [3]]}',
        '{"noun": "ratings", "covariance": [[1.0]]}',
    ],
)
def test_damaged_metadata_are_refused(tmp_path: Path, payload: str) -> None:
    path = tmp_path / "r.parquet"
    frame = pl.DataFrame({"policy": ["x", "y"], "rating": [1000.0, 1100.0]})
    frame.write_parquet(path, metadata={"charm_rm": payload})
    for read in (lambda: store.load(Ratings, path), lambda: load_ratings(path)):
        with pytest.raises(SchemaError, match=r"metadata 'charm_rm'|covariance has shape") as caught:
            read()
        assert str(path) in str(caught.value)
        assert caught.value.fix


@pytest.mark.parametrize(
    ("noun", "payload"),
    [
        (Offsets, '{"residuals": 3}'),
        (Offsets, '{"residuals": {"a": [1, "x"]}}'),
        (Favouritism, '{"sharpness": "x"}'),
        (Favouritism, '{"sharpness": {"nothing": 1}}'),
    ],
)
def test_so_are_those_of_other_nouns(tmp_path: Path, noun: Any, payload: str) -> None:
    columns = {
        c.name: ["x"] if c.kind == "text" else [c.kind == "true/false"] if c.kind == "true/false" else [1.0]
        for c in noun.columns
    }
    path = tmp_path / "t.parquet"
    pl.DataFrame(columns).write_parquet(path, metadata={"charm_rm": payload})
    with pytest.raises(SchemaError, match="metadata 'charm_rm'"):
        store.load(noun, path)


def test_a_parquet_file_damaged_anywhere_is_read_or_refused(tmp_path: Path) -> None:
    """Polars has readers that panic on damaged pages, which is no Exception."""
    path = store.save(SCORES, tmp_path / "scores.parquet")
    whole, rng = path.read_bytes(), np.random.default_rng(0)
    refused = 0
    for _ in range(300):
        data = bytearray(whole)
        for at in rng.integers(len(data), size=3):
            data[at] ^= 1 << int(rng.integers(8))
        path.write_bytes(bytes(data))
        try:
            store.load(Scores, path)
        except (UnreadableFile, SchemaError) as error:
            refused += error.fix is not None
    assert refused > 100


def test_a_panic_is_an_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def panics(*_: object, **__: object) -> pl.DataFrame:
        raise pl.exceptions.PanicException("range end index 9 out of range")

    path = store.save(SCORES, tmp_path / "scores.parquet")
    monkeypatch.setattr(pl, "read_parquet", panics)
    with pytest.raises(UnreadableFile, match="cannot be read as parquet: range end index"):
        store.read_frame(path)


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-x", "@SUM(1)", "\t=1", "\r=1"])
def test_csv_cells_that_begin_a_formula_are_written_as_they_are_and_said(tmp_path: Path, cell: str) -> None:
    scores = Scores(pl.DataFrame({"prompt_id": ["p", "q"], "policy": [cell, "x-=+@"], "score": [-1.0, 2.0]}))
    with pytest.warns(CharmWarning, match="formulas \\(1 of 'policy'\\): import them as text"):
        path = store.save(scores, tmp_path / "s.csv")
    assert store.load(Scores, path).frame.equals(scores.frame)
    store.save(scores, tmp_path / "s.parquet")


def test_an_input_is_known_by_whatever_name(tmp_path: Path) -> None:
    path = store.write_text("x", tmp_path / "a.csv")
    os.link(path, tmp_path / "b.csv")
    (tmp_path / "c.csv").symlink_to(path)
    for name in ("a.csv", "b.csv"):
        for given in ("a.csv", "b.csv", "c.csv"):
            with pytest.raises(OutputExists, match="is the input"):
                store.refuse_table(tmp_path / name, force=True, inputs=[tmp_path / given])
    with pytest.raises(OutputExists, match="lies in the input"):
        store.refuse_table(path, force=True, inputs=[tmp_path])
    store.refuse_table(tmp_path / "new.csv", force=True, inputs=[tmp_path, path])
