"""Judges, reward models and policies behind an HTTP address: the only home of httpx (``pip install ".[api]"``).

Importing this package loads neither httpx nor tenacity; its names do when first asked for, and raise
:class:`~charm_rm.errors.MissingExtra` where the ``[api]`` extra is not installed.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from ..errors import MissingExtra

if TYPE_CHECKING:
    from .openai_chat import OpenAIChat, Usage
    from .policies import OpenAIPolicy
    from .rewards import RemoteReward, load_remote_reward

_HOME = {
    "OpenAIChat": "openai_chat",
    "OpenAIPolicy": "policies",
    "RemoteReward": "rewards",
    "Usage": "openai_chat",
    "load_remote_reward": "rewards",
}
_NEEDS = ("httpx", "tenacity")

__all__ = ["OpenAIChat", "OpenAIPolicy", "RemoteReward", "Usage", "load_remote_reward"]


def __getattr__(name: str) -> Any:
    """Load the public names when first asked for (PEP 562), so that importing stays light."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(importlib.import_module(f"{__name__}.{_HOME[name]}"), name)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] not in _NEEDS:
            raise
        raise MissingExtra(f"this needs {error.name}, which is not installed", extra="api") from error
