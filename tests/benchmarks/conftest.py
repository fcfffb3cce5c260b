"""What tests of benchmarks share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import ModuleType

import pytest


@pytest.fixture
def officially(monkeypatch: pytest.MonkeyPatch) -> Callable[[ModuleType, Mapping[str, int]], None]:
    """Let a benchmark's official copy have these numbers of items, so that a small constructed one is the whole of it."""

    def make(module: ModuleType, counts: Mapping[str, int]) -> None:
        monkeypatch.setattr(
            module, "OFFICIAL", replace(module.OFFICIAL, name="constructed", counts=dict(counts))
        )

    return make
