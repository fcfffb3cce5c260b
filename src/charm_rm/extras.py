"""Optional dependencies, imported when they are needed."""

from __future__ import annotations

import importlib
from types import ModuleType

from .errors import MissingExtra


def require(module: str, *, extra: str, what: str = "this") -> ModuleType:
    """Import an optional dependency; ``what`` needs it, in words.

    Raises:
        MissingExtra: it is not installed; the message names the pip command.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] != module.split(".")[0]:
            raise
        raise MissingExtra(f"{what} needs {module}, which is not installed", extra=extra) from error
