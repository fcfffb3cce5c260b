"""Responses from `datasets` folders, and the choice between readers."""

from __future__ import annotations

import sys
from pathlib import Path

import polars as pl
import pytest

from charm_rm.errors import ConfigError, MissingExtra, UnreadableFile
from charm_rm.models import load_any_responses
from charm_rm.store import save
from charm_rm.tables import Responses

FRAME = pl.DataFrame(
    {
        "prompt_id": ["a", "b"],
        "prompt": [[{"role": "user", "content": "Why?"}], [{"role": "user", "content": "How?"}]],
        "policy": ["one", "one"],
        "response": ["So.", "Thus."],
    }
)


def test_a_file_is_read_without_datasets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    path = save(Responses(FRAME), tmp_path / "r.parquet")
    assert load_any_responses(path).frame.equals(FRAME)


def test_a_hub_id_without_the_extra_names_the_pip_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(MissingExtra, match=r'pip install "\.\[hf\]"'):
        load_any_responses("some-org/some-responses")


def test_a_file_that_is_not_there_is_not_sought_on_the_hub(tmp_path: Path) -> None:
    for name in (tmp_path / "absent.parquet", "results/absent.jsonl", "results/a/b"):
        with pytest.raises(UnreadableFile, match="no such file"):
            load_any_responses(name)


@pytest.mark.models
class TestDatasets:
    def test_a_saved_dataset(self, tmp_path: Path) -> None:
        datasets = pytest.importorskip("datasets", reason="needs the [hf] extra")
        datasets.Dataset.from_list(FRAME.to_dicts()).save_to_disk(tmp_path / "saved")
        loaded = load_any_responses(tmp_path / "saved").frame
        assert loaded.to_dicts() == FRAME.to_dicts()

    def test_splits_are_named(self, tmp_path: Path) -> None:
        datasets = pytest.importorskip("datasets", reason="needs the [hf] extra")
        part = datasets.Dataset.from_list(FRAME.to_dicts())
        datasets.DatasetDict({"train": part, "test": part.select([0])}).save_to_disk(tmp_path / "both")
        assert len(load_any_responses(tmp_path / "both", split="test")) == 1
        with pytest.raises(ConfigError, match="train, test"):
            load_any_responses(tmp_path / "both")
