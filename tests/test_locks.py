"""One run at a time: held, let go, removed safely."""

from __future__ import annotations

import fcntl
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from charm_rm.errors import ConfigError, WriteFailed
from charm_rm.locks import locked


def test_held_within_one_process_too_and_let_go_at_the_end(tmp_path: Path) -> None:
    lock = tmp_path / "deep" / ".lock"
    with locked(lock):
        with pytest.raises(ConfigError, match=f"another run is using this output .process {os.getpid()}"):
            locked(lock).__enter__()
        assert lock.read_text() == f"{os.getpid()}\n"
    with locked(lock):
        pass
    assert lock.exists()


def test_a_stale_file_is_in_nobodys_way(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    lock.write_text("4711\n")
    with locked(lock, remove=True):
        assert lock.read_text() == f"{os.getpid()}\n"
    assert not lock.exists()


def test_it_is_removed_after_an_error_as_well(tmp_path: Path) -> None:
    lock = tmp_path / ".lock"
    with pytest.raises(KeyboardInterrupt), locked(lock, remove=True):
        raise KeyboardInterrupt
    assert not lock.exists()


def test_a_file_removed_between_opening_and_locking_is_not_taken_for_the_lock(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last holder removes the file just after this process opened it; a third one makes it anew."""
    lock, flock, calls = tmp_path / ".lock", fcntl.flock, []

    def late(handle: Any, how: int) -> None:
        calls.append(how)
        if len(calls) == 1:
            lock.unlink()
            lock.touch()
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", late)
    with locked(lock):
        assert len(calls) == 2
        assert lock.read_text() == f"{os.getpid()}\n"
        with pytest.raises(ConfigError, match="another run"):
            locked(lock).__enter__()


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(WriteFailed), locked(tmp_path / "file" / ".lock"):
        pass


def test_a_file_that_takes_no_bytes_is_named(tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(WriteFailed, match="writing failed"), locked(tmp_path / ".lock"):
            pass
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_no_lock_through_a_link_or_over_what_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("years of work")
    (tmp_path / "link").symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / "pipe")
    for name, words in (("link", "symbolic link"), ("precious", "something else"), ("pipe", "no plain file")):
        with pytest.raises(ConfigError, match=words):
            locked(tmp_path / name, remove=True).__enter__()
    assert (tmp_path / "precious").read_text() == "years of work"
