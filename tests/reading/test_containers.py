"""One table in every kind of file, packed and not, in several files and on standard input."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm import Scores, load, load_responses, load_scores, load_source, store
from charm_rm.errors import CharmError, ConfigError, ReadingNote, SchemaError, UnreadableFile
from charm_rm.pipeline.manifest import Ledger
from charm_rm.provenance import hash_path
from charm_rm.reading import unpacking
from charm_rm.reading.unpacking import zstd_bound

FRAME = pl.DataFrame(
    {"prompt_id": ["007", "1.10", "é"], "policy": ["a", "b", "a"], "score": [1.5, -2.0, 0.25]}
)


def raw_zstd(data: bytes, *, size: int = 100) -> bytes:
    """A Zstandard frame of stored blocks (RFC 8878): no packer is needed."""
    parts = [data[i : i + size] for i in range(0, len(data), size)] or [b""]
    blocks = [struct.pack("<I", len(p) << 3 | (i == len(parts) - 1))[:3] + p for i, p in enumerate(parts)]
    return b"\x28\xb5\x2f\xfd" + bytes([0b10100000]) + struct.pack("<I", len(data)) + b"".join(blocks)


def bomb_zstd(blocks: int) -> bytes:
    """Blocks of 128 KiB of one letter, four bytes each."""
    head = b"\x28\xb5\x2f\xfd" + bytes([0b10000000, 0x50]) + struct.pack("<I", blocks << 17)
    return head + b"".join(
        struct.pack("<I", 1 << 20 | 2 | (i == blocks - 1))[:3] + b"a" for i in range(blocks)
    )


WRITERS: dict[str, Callable[[Any], Any]] = {
    ".csv": FRAME.write_csv,
    ".tsv": lambda f: FRAME.write_csv(f, separator="\t"),
    ".jsonl": FRAME.write_ndjson,
    ".ndjson": FRAME.write_ndjson,
    ".json": FRAME.write_json,
    ".parquet": FRAME.write_parquet,
    ".arrow": FRAME.write_ipc,
    ".feather": lambda f: FRAME.write_ipc(f, compression="zstd"),
    ".ipc": FRAME.write_ipc_stream,
}
PACKERS: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": raw_zstd,
}


def written(suffix: str) -> bytes:
    buffer = io.BytesIO()
    WRITERS[suffix](buffer)
    return buffer.getvalue()


CASES = [(s, p) for s in WRITERS for p in PACKERS if p != ".zst" or s in (".csv", ".tsv", ".jsonl", ".json")]


@pytest.mark.parametrize(("suffix", "packed"), CASES)
@pytest.mark.parametrize("named", ["by its suffix", "in capitals", "without a suffix"])
def test_a_table_is_the_same_in_every_file(tmp_path: Path, suffix: str, packed: str, named: str) -> None:
    path = tmp_path / {
        "by its suffix": f"t{suffix}{packed}",
        "in capitals": f"T{suffix}{packed}".upper(),
    }.get(named, "t")
    path.write_bytes(PACKERS[packed](written(suffix)))
    assert store.read_frame(path, noun=Scores).equals(FRAME)
    assert store.column_names(path) == FRAME.columns
    assert load(Scores, path).frame.equals(FRAME)


@pytest.mark.parametrize(
    ("suffix", "packed"), [(".csv", ""), (".jsonl", ".gz"), (".json", ".zst"), (".parquet", "")]
)
def test_standard_input_is_read_as_a_file_is(
    monkeypatch: pytest.MonkeyPatch, suffix: str, packed: str
) -> None:
    stream = io.TextIOWrapper(io.BytesIO(PACKERS[packed](written(suffix))))
    monkeypatch.setattr(sys, "stdin", stream)
    assert store.column_names("-") == FRAME.columns
    assert load_source("-").frame.equals(FRAME)


def test_no_input_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"")))
    with pytest.raises(UnreadableFile, match="standard input: the file is empty"):
        load_scores("-")


def test_a_real_packer_is_read_too(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow", reason="packs Zstandard; comes with the [hf] extra")
    text = "prompt_id,policy,score\n" + "".join(f"p{i},m{i % 7},{i / 8}\n" for i in range(50_000))
    data = pyarrow.compress(text.encode(), codec="zstd", asbytes=True)
    (tmp_path / "t.csv.zst").write_bytes(data)
    assert store.read_frame(tmp_path / "t.csv.zst").height == 50_000
    assert zstd_bound(data) >= len(text.encode())


# --- what is refused ------------------------------------------------------------------------------


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, ("opened",)


@pytest.mark.parametrize("name", ["t.pkl", "t.pickle", "t"])
def test_a_pickle_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UnreadableFile, match=r"(?s)run any code.*read_pickle.*to_parquet"):
        load_scores(tmp_path / name)
    assert not (tmp_path / "opened").exists()


REFUSED: dict[str, tuple[str, bytes, str]] = {
    "gzip cut short": ("t.csv.gz", gzip.compress(written(".csv"))[:-9], "cannot be unpacked as gzip"),
    "gzip that is none": ("t.csv.gz", b"prompt_id,policy\n", "cannot be unpacked as gzip"),
    "zstd cut short": ("t.csv.zst", raw_zstd(written(".csv"))[:-9], "cannot be unpacked as zstd"),
    "zstd that is none": ("t.csv.zst", b"prompt_id,policy\n", "cannot be unpacked as zstd"),
    "packed twice": ("t.csv.gz", gzip.compress(gzip.compress(written(".csv"))), "UTF-8|cannot be read"),
    "a Parquet file in Zstandard": ("t.parquet.zst", raw_zstd(written(".parquet")), "zstd"),
    "a sheet": ("t.xlsx", b"PK\x03\x04", r"(?s)unknown table format '.xlsx'.*read_excel"),
    "a picture": ("t", b"\x89PNG\r\n\x1a\n\x00\x00", "unknown table format"),
    "prose": ("README", b"Nothing to see\n", "unknown table format"),
    "empty": ("t", b"", "empty"),
    "nothing but space, packed": ("t.gz", gzip.compress(b"  \n"), "empty"),
    "UTF-16": ("t", "a,b\n1,2\n".encode("utf-16"), "not UTF-8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_a_reason(tmp_path: Path, name: str) -> None:
    file, data, message = REFUSED[name]
    (tmp_path / file).write_bytes(data)
    with pytest.raises(UnreadableFile, match=message) as caught:
        load_scores(tmp_path / file)
    assert file in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data"),
    [("t.csv.gz", gzip.compress(b"a" * (80 << 20))), ("t.csv.zst", bomb_zstd(1 << 14)), ("t.jsonl.bz2", bz2.compress(b"a" * (80 << 20)))],
)  # fmt: skip
def test_a_bomb_is_refused_before_it_unfolds(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(UnreadableFile, match="more than 64 MiB unpacked"):
        load_scores(tmp_path / name)


@given(st.lists(st.tuples(st.binary(max_size=400), st.integers(1, 300)), min_size=1, max_size=4))
def test_the_bound_of_stored_blocks_is_their_length(frames: list[tuple[bytes, int]]) -> None:
    skipped = b"\x50\x2a\x4d\x18" + struct.pack("<I", 3) + b"abc"
    data = b"".join(raw_zstd(d, size=n) for d, n in frames) + skipped
    assert zstd_bound(data) == sum(len(d) for d, _ in frames)
    with pytest.raises(UnreadableFile, match="unpacked"):
        unpacking.unpacked(data[:-1] + b"\xff\xff", "zstd", Path("x"))


# --- several files --------------------------------------------------------------------------------


def split_into(folder: Path, suffix: str = ".csv") -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(FRAME.height):
        getattr(FRAME[i], {".csv": "write_csv", ".parquet": "write_parquet"}[suffix])(
            folder / f"part-{i}{suffix}"
        )


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
@pytest.mark.parametrize("pattern", ["", "*", "part-[0-9]{}", "../**/part-*{}"])
def test_parts_are_one_table(tmp_path: Path, suffix: str, pattern: str) -> None:
    split_into(tmp_path / "scores", suffix)
    found = load_source(tmp_path / "scores" / pattern.format(suffix))
    assert found.frame.equals(FRAME)
    assert store.column_names(tmp_path / "scores") == FRAME.columns


def test_what_is_no_table_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    split_into(tmp_path)
    for name in ("_SUCCESS", ".hidden.csv", "_meta.csv", "README.md"):
        (tmp_path / name).write_text("x")
    assert load_scores(tmp_path).frame.equals(FRAME)


def test_partitions_say_their_part(tmp_path: Path) -> None:
    for policy in ("a", "b/c 1.10"):
        folder = tmp_path / f"policy={policy.replace('/', '%2F')}"
        folder.mkdir()
        FRAME.drop("policy").write_parquet(folder / "0.parquet")
    frame = load_scores(tmp_path).frame
    assert set(frame["policy"]) == {"a", "b/c 1.10"}
    assert frame.height == 6
    FRAME.write_parquet(tmp_path / "policy=a" / "0.parquet")
    with pytest.raises(SchemaError, match="in the file, and in the name of its folder"):
        load_scores(tmp_path)


def test_a_file_a_policy_is_named_after_it(tmp_path: Path) -> None:
    for policy in ("gpt-3.5", "oak"):
        FRAME.drop("policy").write_csv(tmp_path / f"{policy}.csv")
    with pytest.warns(ReadingNote, match="read 'file' as policy"):
        frame = load_scores(tmp_path).frame
    assert set(frame["policy"]) == {"gpt-3.5", "oak"}


@pytest.mark.parametrize(
    ("other", "kind", "message"),
    [
        (FRAME.rename({"score": "reward"}), SchemaError, "other columns than part-0.csv"),
        (FRAME.with_columns(score=pl.lit("x")), SchemaError, "'score' holds String here"),
    ],
)
def test_parts_that_differ_are_refused(
    tmp_path: Path, other: pl.DataFrame, kind: type[CharmError], message: str
) -> None:
    split_into(tmp_path)
    other.write_csv(tmp_path / "part-9.csv")
    with pytest.raises(kind, match=message) as caught:
        load_scores(tmp_path)
    assert "part-9.csv" in str(caught.value)


def test_a_choice_between_kinds_is_asked_for(tmp_path: Path) -> None:
    split_into(tmp_path)
    FRAME.write_parquet(tmp_path / "t.parquet")
    with pytest.raises(ConfigError, match="tables of several kinds: csv, parquet"):
        load_scores(tmp_path)
    with pytest.raises(UnreadableFile, match="holds no table"):
        (tmp_path / "empty").mkdir()
        load_source(tmp_path / "empty")
    with pytest.raises(UnreadableFile, match="no file has a name of this pattern"):
        load_source(tmp_path / "nothing-*.csv")


def test_a_pattern_is_hashed_by_its_files(tmp_path: Path) -> None:
    """A run whose input is a pattern runs again when one of its files changes, or a file joins them."""
    split_into(tmp_path)
    pattern = tmp_path / "part-*.csv"
    hashes = {hash_path(pattern), Ledger(tmp_path).hash(pattern)}
    FRAME.write_csv(tmp_path / "part-9.csv")
    hashes |= {hash_path(pattern), Ledger(tmp_path).hash(pattern)}
    FRAME.head(1).write_csv(tmp_path / "part-0.csv", separator=";")
    hashes |= {hash_path(pattern), Ledger(tmp_path).hash(pattern)}
    assert len(hashes) == 6
    assert None not in hashes


# --- folders that datasets saved ------------------------------------------------------------------


def saved(folder: Path, frame: pl.DataFrame, parts: int = 2) -> Path:
    """What ``Dataset.save_to_disk`` writes: Arrow streams, and a list of them in state.json."""
    folder.mkdir(parents=True)
    names = [f"data-{i:05d}-of-{parts:05d}.arrow" for i in range(parts)]
    for i, name in enumerate(names):
        frame[i::parts].write_ipc_stream(folder / name)
    (folder / "state.json").write_text(json.dumps({"_data_files": [{"filename": n} for n in names]}))
    (folder / "dataset_info.json").write_text("{}")
    return folder


def test_a_saved_dataset_of_scores_is_read_without_datasets(tmp_path: Path) -> None:
    found = load_source(saved(tmp_path / "d", FRAME)).frame
    assert found.sort("prompt_id").equals(FRAME.sort("prompt_id"))


def test_a_saved_dataset_is_what_datasets_saves(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="needs the [hf] extra")
    whole = datasets.Dataset.from_dict(FRAME.to_dict(as_series=False))
    whole.save_to_disk(str(tmp_path / "one"), num_shards=2)
    datasets.DatasetDict({"train": whole}).save_to_disk(str(tmp_path / "split"))
    for name in ("one", "split"):
        assert load_scores(tmp_path / name).frame.equals(FRAME)


def test_splits_are_chosen_by_their_folder(tmp_path: Path) -> None:
    for split in ("train", "test"):
        saved(tmp_path / "d" / split, FRAME)
    (tmp_path / "d" / "dataset_dict.json").write_text(json.dumps({"splits": ["train", "test"]}))
    with pytest.raises(ConfigError, match=r"(?s)splits 'train', 'test'.*d/train or .*d/test"):
        load_scores(tmp_path / "d")
    assert load_scores(tmp_path / "d" / "test").frame.height == 3


@pytest.mark.parametrize(
    "state", ["{}", '{"_data_files": []}', '{"_data_files": [{"filename": "../x.arrow"}]}', "[]"]
)
def test_a_damaged_dataset_is_refused(tmp_path: Path, state: str) -> None:
    folder = saved(tmp_path / "d", FRAME)
    (folder / "state.json").write_text(state)
    with pytest.raises(UnreadableFile, match="names no data files"):
        load_scores(folder)


def test_responses_come_in_the_same_containers(tmp_path: Path) -> None:
    frame = pl.DataFrame({"model": ["a", "b"], "instruction": ["Why?", "Why?"], "output": ["So.", "No."]})
    saved(tmp_path / "d", frame)
    frame.write_ndjson(tmp_path / "r.jsonl")
    (tmp_path / "r.jsonl.gz").write_bytes(gzip.compress((tmp_path / "r.jsonl").read_bytes()))
    for name in ("d", "r.jsonl.gz"):
        with pytest.warns(
            ReadingNote, match="read 'model' as policy, 'instruction' as prompt, 'output' as response"
        ):
            found = load_responses(tmp_path / name)
        assert set(found.frame["policy"]) == {"a", "b"}
        assert found.frame["prompt_id"].n_unique() == 1
