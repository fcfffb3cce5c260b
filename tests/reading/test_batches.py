"""Tables read in batches: the same rows as read at once, wherever the batches end; damage names the file."""

from __future__ import annotations

import bz2
import gzip
import lzma
from pathlib import Path

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import ReadingNote, SchemaError, UnreadableFile
from charm_rm.reading import batches, batches_of

FRAME = pl.DataFrame({"prompt": [f'ask "{i}",\nplease é' for i in range(25)], "n": list(range(25))})


def together(path: Path, size: int) -> pl.DataFrame:
    found = list(batches_of(path, size=size))
    assert all(one.frame.height <= size for one in found)
    firsts = [0, *[one.first + one.frame.height for one in found]]
    assert [one.first for one in found] == firsts[:-1]
    return pl.concat([one.frame for one in found])


@pytest.mark.parametrize("size", [1, 7, 25, 100])
@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl", "t.json", "t[1].parquet"])
def test_the_rows_are_those_of_the_whole_table(tmp_path: Path, name: str, size: int) -> None:
    path = tmp_path / name
    store.write_frame(FRAME, path)
    assert together(path, size).equals(store.read_frame(path))


@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress)])  # fmt: skip
def test_packed_lines_are_unpacked_as_they_are_read(tmp_path: Path, suffix: str, pack) -> None:  # type: ignore[no-untyped-def]
    store.write_frame(FRAME, tmp_path / "t.jsonl")
    data = pack((tmp_path / "t.jsonl").read_bytes())
    path = tmp_path / f"t.jsonl{suffix}"
    path.write_bytes(data)
    assert together(path, 7).equals(FRAME)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(
        UnreadableFile, match="cut short|unpacked|ended|End of stream|not valid JSON"
    ) as error:
        together(path, 7)
    assert str(path) in str(error.value)


def test_files_of_a_folder_come_in_the_order_of_their_names_with_what_folders_say(tmp_path: Path) -> None:
    for name, rows in (("lang=de/b.jsonl", FRAME[:2]), ("lang=en/a.jsonl", FRAME[2:5])):
        (tmp_path / name).parent.mkdir()
        store.write_frame(rows, tmp_path / name)
    found = list(batches_of(tmp_path, size=2))
    assert [(b.path.name, b.first, b.frame["lang"][0]) for b in found] == [("b.jsonl", 0, "de"), ("a.jsonl", 0, "en"), ("a.jsonl", 2, "en")]  # fmt: skip
    (tmp_path / "lang=fr").mkdir()
    store.write_frame(FRAME.with_columns(lang=pl.lit("x")), tmp_path / "lang=fr" / "c.jsonl")
    with pytest.raises(SchemaError, match="'lang' is in the file, and in the name of its folder"):
        list(batches_of(tmp_path, size=2))


def test_a_damaged_part_is_named(tmp_path: Path) -> None:
    for k in range(3):
        FRAME.write_parquet(tmp_path / f"{k}.parquet", row_group_size=5, compression="zstd")
    data = bytearray((tmp_path / "1.parquet").read_bytes())
    data[4:400] = b"\xff" * 396
    (tmp_path / "1.parquet").write_bytes(data)
    with pytest.raises(UnreadableFile, match="cannot be read as parquet") as error:
        list(batches_of(tmp_path, size=5))
    assert str(tmp_path / "1.parquet") in str(error.value)
    (tmp_path / "2.jsonl").write_text('{"prompt": "a"}\n{"prompt": \n')
    with pytest.raises(UnreadableFile, match="line 2 is not valid JSON"):
        list(batches_of(tmp_path / "2.jsonl", size=1))


def test_large_separated_text_is_read_in_batches_and_it_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = store.write_frame(FRAME, tmp_path / "t.csv")
    monkeypatch.setattr(batches, "WHOLE_TEXT", 10)
    with pytest.warns(ReadingNote, match="stray quotes are not looked for"):
        found = pl.concat([one.frame for one in batches_of(path, size=6)])
    assert found["prompt"].equals(FRAME["prompt"])
