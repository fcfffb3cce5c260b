"""A healthy tiny model, shared; tests that need a fault make their own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from charm_rm.models import RewardModel, load_reward_model

from .patients import decoder


@pytest.fixture(scope="session")
def healthy_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("torch", reason="needs the [hf] extra")
    return decoder(tmp_path_factory.mktemp("healthy"))


@pytest.fixture
def healthy(healthy_dir: Path) -> RewardModel:
    return load_reward_model(healthy_dir)


@pytest.fixture(autouse=True, scope="module")
def one_thread() -> Iterator[None]:
    """Models this small lose time to a second thread, most of all where others want the cores."""
    torch = pytest.importorskip("torch", reason="needs the [hf] extra")
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
