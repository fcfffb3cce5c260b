"""The entries, and where a mirror has them."""

from __future__ import annotations

from pathlib import Path

import pytest

from charm_rm.errors import ConfigError
from charm_rm.public_data import Entry, data_folder, files_missing, find_entry, list_entries
from charm_rm.public_data.checks import git_id_of, is_right, sha256_of

ENTRIES = list_entries()


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda e: e.name)
def test_every_entry_says_where_it_comes_from_and_what_it_may_be_used_for(entry: Entry) -> None:
    assert entry.title
    assert entry.licence
    assert entry.page.startswith("https://")
    assert (entry.kind == "hub") == bool(entry.repo) == (not entry.url)
    assert entry.files
    assert set(entry.checks) <= set(entry.files)
    assert all(check.partition(":")[0] in ("git", "sha256") for check in entry.checks.values())
    assert all(not Path(f).is_absolute() and ".." not in Path(f).parts for f in (*entry.files, *entry.places))
    assert entry.revision == "main" or len(entry.revision) == 40
    assert entry.accept == any(word in entry.licence for word in ("NC", "none given", "not known"))
    if entry.kind == "files":
        assert entry.revision in entry.url
        assert entry.pinned is (set(entry.checks) == set(entry.files))


def test_names_are_those_that_people_look_for() -> None:
    names = {entry.name for entry in ENTRIES}
    assert names >= {
        "alpaca-eval",
        "rm-bench",
        "reward-bench",
        "reward-bench-2",
        "judgebench",
        "llmbar",
        "rmb",
    }
    assert names >= {"arena-leaderboard", "arena-votes-140k", "arena-votes-55k", "charm-preference20k"}
    with pytest.raises(ConfigError, match="Did you mean 'rm-bench'"):
        find_entry("rmbench")


def test_hashes_by_hand(tmp_path: Path) -> None:
    file = tmp_path / "f"
    file.write_bytes(b"hello\n")
    assert git_id_of(file) == "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object
    assert sha256_of(file) == "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03"
    assert is_right(file, f"git:{git_id_of(file)}")
    assert not is_right(file, "sha256:00")


def test_a_mirror_is_found_by_name_or_place(tmp_path: Path) -> None:
    assert data_folder("llmbar", tmp_path) is None
    inner = tmp_path / "benchmarks" / "LLMBar" / "Natural"
    inner.mkdir(parents=True)
    assert data_folder("llmbar", tmp_path) is None  # an empty folder is none
    (inner / "dataset.json").write_text("[]")
    assert data_folder("llmbar", tmp_path) == inner.parent
    assert len(files_missing(find_entry("llmbar"), inner.parent)) == 4
    by_name = tmp_path / "llmbar" / "Natural"
    by_name.mkdir(parents=True)
    (by_name / "dataset.json").write_text("[]")
    assert data_folder("llmbar", tmp_path) == by_name.parent


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "missing"), [("rm-bench", 1), ("llmbar", 2), ("judgebench", 1), ("alpaca-eval", 43)]
)
def test_files_of_the_real_mirror_are_those_of_the_registry(real_data: Path, name: str, missing: int) -> None:
    entry, folder = find_entry(name), data_folder(name, real_data)
    assert folder is not None
    lacking = files_missing(entry, folder)
    assert len(lacking) == missing
    checked = [f for f in entry.files if f not in lacking and f in entry.checks]
    assert checked
    assert all(is_right(folder / f, entry.checks[f]) for f in checked)
