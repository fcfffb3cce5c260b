"""What the registry of well-known reward models says of this one, and whether it is so."""

from __future__ import annotations

import importlib
from typing import Any

from ..reward import RewardModel
from .check import Check


def check_registry(model: RewardModel) -> Check:
    """Skipped where the model is none of those known."""
    entry = find_known(model.source)
    if entry is None:
        return Check("registry", "skipped", "the model is none of those that are known by name")
    return Check("registry", "ok", f"known as {entry}", data={"entry": str(entry)})


def find_known(source: str) -> Any | None:
    """The registry's entry; None where there is none. The guard goes when the registry is here."""
    try:
        registry = importlib.import_module("charm_rm.models.registry")
    except ModuleNotFoundError:
        return None
    return registry.find_entry(source)
