"""Tiny models to train, and a training that breaks off."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import pytest

from models.tiny_models import tiny_bert, tiny_llama


@pytest.fixture(scope="module")
def bert(tmp_path_factory: pytest.TempPathFactory, minilm_dir: Path) -> Path:
    return tiny_bert(tmp_path_factory.mktemp("bert"), minilm_dir)


@pytest.fixture(scope="module")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_llama(tmp_path_factory.mktemp("llama"))


@pytest.fixture
def interrupted(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], AbstractContextManager[None]]:
    """Within ``with interrupted(step):`` a training is broken off, as by Ctrl-C, when it has taken so many steps."""
    from charm_rm.models.training import trainer

    original = trainer.PairTrainer.training_step

    @contextmanager
    def at(step: int) -> Iterator[None]:
        def training_step(self: Any, *args: Any, **kwargs: Any) -> Any:
            if self.state.global_step == step:
                raise KeyboardInterrupt
            return original(self, *args, **kwargs)

        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(trainer.PairTrainer, "training_step", training_step)
            yield

    return at
