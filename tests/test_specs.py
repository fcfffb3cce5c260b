"""What ``--rm`` takes, in words."""

from __future__ import annotations

from pathlib import Path

import pytest

from charm_rm.errors import ModelError
from charm_rm.protocols import ScalarReward
from charm_rm.specs import load_scorer


@pytest.mark.models
def test_a_folder_is_a_reward_model(minilm_rm_dir: Path) -> None:
    pytest.importorskip("torch", reason="needs the [hf] extra")
    model = load_scorer(str(minilm_rm_dir), max_length=64)
    assert isinstance(model, ScalarReward)
    assert model(["why"], ["because"]).shape == (1,)


@pytest.mark.models
def test_nothing_there_is_named() -> None:
    pytest.importorskip("torch", reason="needs the [hf] extra")
    with pytest.raises(ModelError, match="no such model folder"):
        load_scorer("/no/such/model")
