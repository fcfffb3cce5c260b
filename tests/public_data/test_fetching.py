"""Public data fetched from real servers: whole and right, or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from charm_rm.errors import ConfigError, OutputExists, RemoteError, RemoteRefused
from charm_rm.public_data import Entry, fetch_entry, folder_of
from charm_rm.public_data.places import MARKER
from public_data.servers import COMMIT, Files, file_server, git_id, hub_server

CONTENT = {"a.json": b"[1, 2, 3]" * 500, "more of it/b c.json": b"{}" * 900}


@pytest.fixture
def server() -> Iterator[Files]:
    pytest.importorskip("pooch", reason="needs the [data] extra")
    pytest.importorskip("requests", reason="needs the [data] extra")
    with file_server(Files(dict(CONTENT))) as files:
        yield files


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tries follow one another at once."""
    core = pytest.importorskip("pooch.core", reason="needs the [data] extra")
    monkeypatch.setattr(core.time, "sleep", lambda _seconds: None)


def entry_of(files: Files) -> Entry:
    checks = {
        "a.json": f"git:{git_id(CONTENT['a.json'])}",
        "more of it/b c.json": f"sha256:{hashlib.sha256(CONTENT['more of it/b c.json']).hexdigest()}",
    }
    return Entry(
        "small", "Small", "files", "https://page", COMMIT, "MIT", False, tuple(CONTENT), url=files.url, checks=checks
    )  # fmt: skip


def left(folder: Path) -> set[str]:
    return {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}


def test_files_come_whole_with_a_note_and_are_not_fetched_twice(server: Files, tmp_path: Path) -> None:
    entry = entry_of(server)
    assert folder_of(entry, tmp_path) is None
    folder = fetch_entry(entry, data_dir=tmp_path)
    assert folder == tmp_path / "small" == folder_of(entry, tmp_path)
    assert {name: (folder / name).read_bytes() for name in CONTENT} == CONTENT
    note = json.loads((folder / MARKER).read_text())
    assert (note["revision"], note["licence"]) == (COMMIT, "MIT")
    assert note["files"]["a.json"]["bytes"] == 4500
    assert left(tmp_path) == {f"small/{name}" for name in (*CONTENT, MARKER)}
    n = len(server.asked)
    assert fetch_entry(entry, data_dir=tmp_path) == folder
    assert len(server.asked) == n
    fetch_entry(entry, data_dir=tmp_path, force=True)
    assert len(server.asked) == 2 * n


def test_the_cache_is_where_data_go_by_default(server: Files) -> None:
    entry = entry_of(server)
    folder = fetch_entry(entry)
    assert folder_of(entry) == folder
    assert folder.parent.name == "data"


def test_a_download_that_breaks_off_is_tried_again(server: Files, tmp_path: Path) -> None:
    server.faults = {"a.json": ["cut", "cut"]}
    folder = fetch_entry(entry_of(server), data_dir=tmp_path)
    assert (folder / "a.json").read_bytes() == CONTENT["a.json"]
    assert server.asked.count("a.json") == 3


def test_what_is_whole_is_kept_where_a_later_file_fails_and_the_next_run_goes_on(
    server: Files, tmp_path: Path
) -> None:
    entry = entry_of(server)
    server.faults = {"more of it/b c.json": ["cut"] * 3}
    with pytest.raises(RemoteError, match="cannot be fetched") as error:
        fetch_entry(entry, data_dir=tmp_path)
    assert "--data-dir" in str(error.value)
    assert folder_of(entry, tmp_path) is None
    fetch_entry(entry, data_dir=tmp_path)
    assert server.asked.count("a.json") == 1


def test_another_file_than_expected_is_refused_and_nothing_is_left(server: Files, tmp_path: Path) -> None:
    server.content["a.json"] = b"something else"
    with pytest.raises(RemoteError, match="not the one that was expected"):
        fetch_entry(entry_of(server), data_dir=tmp_path)
    assert left(tmp_path) == set()


def test_an_older_fetch_stays_where_a_new_one_fails(server: Files, tmp_path: Path) -> None:
    entry = entry_of(server)
    folder = fetch_entry(entry, data_dir=tmp_path)
    server.content["a.json"] = b"something else"
    with pytest.raises(RemoteError):
        fetch_entry(entry, data_dir=tmp_path, force=True)
    assert (folder / "a.json").read_bytes() == CONTENT["a.json"]


@pytest.mark.parametrize(("status", "kind", "code"), [("404", RemoteRefused, 2), ("403", RemoteRefused, 2), ("503", RemoteError, 1)])  # fmt: skip
def test_a_server_that_says_no(
    server: Files, tmp_path: Path, status: str, kind: type[RemoteError], code: int
) -> None:
    server.faults = {"a.json": [status] * 3}
    with pytest.raises(kind, match=f"the server says {status}") as error:
        fetch_entry(entry_of(server), data_dir=tmp_path)
    assert error.value.exit_code == code
    assert str(error.value.where).endswith("/a.json")


def test_a_server_that_is_down(tmp_path: Path) -> None:
    pytest.importorskip("pooch", reason="needs the [data] extra")
    with file_server(Files({})) as files:
        entry = entry_of(files)
    with pytest.raises(RemoteError, match="cannot be fetched"):
        fetch_entry(entry, data_dir=tmp_path)
    assert left(tmp_path) == set()


def test_a_licence_has_to_be_accepted_before_anything_is_asked(server: Files, tmp_path: Path) -> None:
    entry = replace(entry_of(server), accept=True, licence="CC BY-NC 4.0")
    with pytest.raises(ConfigError, match="CC BY-NC") as error:
        fetch_entry(entry, data_dir=tmp_path)
    assert "--accept-licence" in str(error.value)
    assert server.asked == []
    assert fetch_entry(entry, data_dir=tmp_path, accept_licence=True).is_dir()


def test_a_folder_of_somebody_else_is_not_replaced(server: Files, tmp_path: Path) -> None:
    (tmp_path / "small").mkdir()
    (tmp_path / "small" / "mine.txt").write_text("mine")
    with pytest.raises(OutputExists):
        fetch_entry(entry_of(server), data_dir=tmp_path)
    assert left(tmp_path) == {"small/mine.txt"}


# --- the hub --------------------------------------------------------------------------------------

HUB = {"data/train.parquet": b"PAR1" * 700, "data/test.parquet": b"PAR1" * 300, "README.md": b"# Card"}


@pytest.fixture
def on_the_hub() -> Entry:
    pytest.importorskip("huggingface_hub", reason="needs the [data] extra")
    return Entry(
        "set", "Set", "hub", "https://page", "main", "MIT", False, ("data/*.parquet",), repo="who/set"
    )


def test_a_data_set_of_the_hub_comes_with_its_commit(
    on_the_hub: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_server(Files(dict(HUB)), repo="who/set") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        folder = fetch_entry(on_the_hub, data_dir=tmp_path)
    assert left(tmp_path) == {"set/data/train.parquet", "set/data/test.parquet", f"set/{MARKER}"}
    assert (folder / "data" / "train.parquet").read_bytes() == HUB["data/train.parquet"]
    assert json.loads((folder / MARKER).read_text())["revision"] == COMMIT


def test_what_the_hub_sends_is_held_against_what_it_lists(
    on_the_hub: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = {**HUB, "data/test.parquet": b"other" * 240}
    with hub_server(Files(sent), repo="who/set", listed=HUB) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with pytest.raises(RemoteError):
            fetch_entry(on_the_hub, data_dir=tmp_path)
    assert folder_of(on_the_hub, tmp_path) is None


def test_a_hub_that_does_not_have_it_and_one_that_is_down(
    on_the_hub: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_server(Files(dict(HUB)), repo="who/other") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        with pytest.raises(RemoteRefused, match="the hub says 404") as refused:
            fetch_entry(on_the_hub, data_dir=tmp_path)
    assert refused.value.status == 404
    with hub_server(Files({}), repo="who/set") as gone:
        monkeypatch.setenv("HF_ENDPOINT", gone.url)
    with pytest.raises(RemoteError, match="cannot be fetched") as error:
        fetch_entry(on_the_hub, data_dir=tmp_path)
    assert error.value.exit_code == 1


def test_a_download_from_the_hub_that_breaks_off_ends_well_now_or_the_next_time(
    on_the_hub: Entry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with hub_server(Files(dict(HUB), faults={"data/train.parquet": ["", "cut"]}), repo="who/set") as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        try:
            folder = fetch_entry(on_the_hub, data_dir=tmp_path)
        except RemoteError:
            assert folder_of(on_the_hub, tmp_path) is None
            folder = fetch_entry(on_the_hub, data_dir=tmp_path)
        assert hub.faults["data/train.parquet"] == []
    assert (folder / "data" / "train.parquet").read_bytes() == HUB["data/train.parquet"]
