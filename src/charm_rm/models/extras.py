"""Optional dependencies of models, imported when they are needed."""

from __future__ import annotations

from types import ModuleType

from .. import extras


def require(module: str, *, extra: str = "hf") -> ModuleType:
    """Import an optional dependency.

    Raises:
        MissingExtra: it is not installed; the message names the pip command.
    """
    return extras.require(module, extra=extra)
