"""Absurd configurations are refused before any library reads them."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from charm_rm.errors import ModelError
from charm_rm.models.loading.folders import model_folder

CONFIG = {"model_type": "bert", "hidden_size": 32, "vocab_size": 30522, "num_hidden_layers": 2}


def folder(path: Path, **changes: Any) -> Path:
    (path / "config.json").write_text(json.dumps(CONFIG | changes))
    (path / "model.safetensors").write_bytes(b"0" * 4_000_000)
    return path


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"num_labels": 10**9}, "num_labels is 1,000,000,000"),
        ({"num_hidden_layers": 10**7}, "num_hidden_layers is 10,000,000"),
        ({"num_hidden_layers": 1e300}, "beyond 10"),
        ({"vocab_size": 10**8}, "3,200,000,000 numbers, and all weights together have 4,000,000 bytes"),
        ({"hidden_size": 10**6}, "hidden_size asks for a table"),
        ({"hidden_size": 10**30}, "hidden_size is beyond"),
        ({"text_config": {"hidden_size": 32, "num_hidden_layers": 10**6}}, "num_hidden_layers"),
        ({"max_position_embeddings": 10**10}, "max_position_embeddings"),
    ],
)
def test_refused_at_once(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    began = time.process_time()
    with pytest.raises(ModelError, match=words):
        model_folder(folder(tmp_path, **changes))
    assert time.process_time() - began < 1


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"a": "\xff"}'])
def test_a_configuration_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(ModelError, match="cannot be read as JSON"):
        model_folder(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_a_pipe(tmp_path: Path, name: str) -> None:
    folder(tmp_path)
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(ModelError, match="is a pipe"):
        model_folder(tmp_path)


def test_what_there_is_passes(tmp_path: Path, minilm_rm_dir: Path) -> None:
    model_folder(folder(tmp_path))
    shutil.copytree(minilm_rm_dir, tmp_path / "rm")
    model_folder(tmp_path / "rm")
