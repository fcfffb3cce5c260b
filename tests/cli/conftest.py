"""What tests of commands share: pages that commands write on the way have no drawn charts."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.tiny_models import tiny_bert
from plain_charts import drawn_charts, plain_charts  # noqa: F401  (fixtures)


@pytest.fixture(autouse=True)
def no_drawing(plain_charts: object) -> None:  # noqa: F811
    """Most commands with ``-o`` write a page; drawing its charts takes longer than the command."""


@pytest.fixture(scope="session")
def small_rm(minilm_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A reward model of two small layers that reads text as MiniLM does: what a command does with a model takes no large one."""
    pytest.importorskip("transformers", reason="needs the [hf] extra")
    return tiny_bert(tmp_path_factory.mktemp("small-rm"), minilm_dir)
