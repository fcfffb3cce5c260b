"""The folder of preferences: whole or not at all, and opened by ``datasets`` without options."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import OutputExists
from charm_rm.relabel import Relabelled, save_relabelled
from charm_rm.tables import Preferences


@pytest.fixture
def relabelled() -> Relabelled:
    said = [[{"role": "assistant", "content": text}] for text in ("yes\u2028", "no", 'a "quote"\n')]
    frame = pl.DataFrame(
        {
            "prompt": [[{"role": "user", "content": "?"}]] * 3,
            "chosen": said,
            "rejected": said[1:] + said[:1],
            "margin": [0.5, 1.0, 2.0],
            "flipped": [True, False, False],
        }
    )
    ledger = pl.DataFrame(
        {
            "policy": ["A"],
            "reference": ["B"],
            "pairs": [4],
            "kept": [2],
            "flipped": [1],
            "tied": [1],
            "dropped": [0],
        }
    )
    return Relabelled(Preferences(frame, provenance={"strategy": "pair"}), ledger)


def test_all_files_come_back(relabelled: Relabelled, tmp_path: Path) -> None:
    folder = save_relabelled(relabelled, tmp_path / "prefs")
    assert sorted(p.name for p in folder.iterdir()) == [
        ".charm-files.json",
        "README.md",
        "ledger.parquet",
        "preferences.jsonl",
        "preferences.parquet",
    ]
    back = store.load(Preferences, folder / "preferences.parquet")
    assert back.frame.equals(relabelled.preferences.frame)
    assert back.provenance["strategy"] == "pair"
    assert store.read_frame(folder / "preferences.jsonl").equals(relabelled.preferences.frame)
    assert store.read_frame(folder / "ledger.parquet").equals(relabelled.ledger)
    assert "3 preference pairs, 1 of which" in (folder / "README.md").read_text()


def test_an_existing_folder_is_refused(relabelled: Relabelled, tmp_path: Path) -> None:
    folder = save_relabelled(relabelled, tmp_path / "prefs")
    with pytest.raises(OutputExists, match="--force"):
        save_relabelled(relabelled, folder)
    save_relabelled(relabelled, folder, force=True)


@pytest.mark.models
def test_datasets_opens_it_without_options(relabelled: Relabelled, tmp_path: Path) -> None:
    datasets: Any = pytest.importorskip("datasets", reason="needs the [hf] extra")
    folder = save_relabelled(relabelled, tmp_path / "prefs")
    calls = [
        (str(folder), {}),
        ("parquet", {"data_files": str(folder / "preferences.parquet")}),
        ("json", {"data_files": str(folder / "preferences.jsonl")}),
    ]
    for number, (name, more) in enumerate(calls):
        loaded = datasets.load_dataset(name, cache_dir=str(tmp_path / f"cache{number}"), **more)
        assert list(loaded) == ["train"]
        assert loaded["train"].to_list() == relabelled.preferences.frame.to_dicts()
