"""The store of scores: what was put in comes out, in later runs and other processes; broken files are named."""

from __future__ import annotations

import multiprocessing
import resource
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import UnreadableFile, WriteFailed
from charm_rm.memo import Entry, Memo, content_key, default_memo, remove_memo

VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)


@given(st.dictionaries(st.text(min_size=1), VALUES, max_size=20))
def test_what_was_put_in_comes_out_exactly(values: dict[str, Any]) -> None:
    with Memo.open(None) as memo:
        memo.add(values, run="r")
        assert memo.lookup([*values, "\0unknown"]) == {k: Entry(v, "r") for k, v in values.items()}


def test_a_later_opening_finds_it_and_the_first_value_stays(tmp_path: Path) -> None:
    file = tmp_path / "new" / "memo.sqlite"
    with Memo.open(file) as memo:
        memo.add({"a": 1.5}, run="first")
    with Memo.open(file) as memo:
        memo.add({"a": 2.5, "b": 0.1}, run="second")
        assert memo.lookup("ab") == {"a": Entry(1.5, "first"), "b": Entry(0.1, "second")}
    assert file.parent.stat().st_mode & 0o077 == 0  # judges' answers are nobody else's business


def test_more_keys_than_one_statement_takes() -> None:
    values = {str(i): i for i in range(2500)}
    with Memo.open(None) as memo:
        memo.add(values)
        assert len(memo.lookup(values)) == 2500
        assert memo.lookup([]) == {}


def _add(file: Path, start: int) -> None:
    with Memo.open(file) as memo:
        for i in range(start, start + 50):
            memo.add({str(i): i})


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    file = tmp_path / "memo.sqlite"
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=_add, args=(file, start)) for start in (0, 30)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [w.exitcode for w in workers] == [0, 0]
    with Memo.open(file) as memo:
        assert len(memo.lookup(map(str, range(80)))) == 80


def test_a_file_of_another_kind_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "memo.sqlite"
    file.write_text("not a database, but somebody's notes" * 100)
    before = file.read_bytes()
    with pytest.raises(UnreadableFile, match="delete it"), Memo.open(file):
        pass
    assert file.read_bytes() == before


def _fill(file: Path) -> None:
    with Memo.open(file) as memo:
        memo.add({"small": 1})
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
        with pytest.raises(WriteFailed, match="intact"):
            memo.add({str(i): "x" * 1000 for i in range(2000)})


def test_a_full_disk_keeps_what_was_there_and_takes_the_batch_wholly_or_not(tmp_path: Path) -> None:
    file = tmp_path / "memo.sqlite"
    worker = multiprocessing.get_context("spawn").Process(target=_fill, args=(file,))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    with Memo.open(file) as memo:
        assert list(memo.lookup(["small", *map(str, range(2000))])) == ["small"]
    assert sqlite3.connect(file).execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailed, match="permissions"), Memo.open(tmp_path / "file" / "memo.sqlite"):
        pass


@given(st.lists(st.text()), st.lists(st.text()))
def test_keys_tell_parts_apart(a: list[str], b: list[str]) -> None:
    assert (content_key(*a) == content_key(*b)) == (a == b)
    assert len(content_key(*a)) == 32


def test_where_it_lies(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CHARM_CACHE", str(tmp_path))
    assert default_memo() == tmp_path / "memo.sqlite"
    monkeypatch.delenv("CHARM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "x"))
    assert default_memo() == tmp_path / "x" / "charm-rm" / "memo.sqlite"


def test_removing_takes_what_sqlite_leaves_beside_it(tmp_path: Path) -> None:
    file = tmp_path / "memo.sqlite"
    remove_memo(file)  # where there is none, nothing happens
    with Memo.open(file) as memo:
        memo.add({"a": 1})
        assert len(list(tmp_path.iterdir())) == 3  # SQLite's log lies beside it while it is open
        remove_memo(file)
        assert list(tmp_path.iterdir()) == []
