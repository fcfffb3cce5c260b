"""The whole of CHARM from one validated file: a graph of stages, a manifest, and nothing done twice.

The stages themselves (``stages/``) are also what the commands call. Names are loaded when first used: a command that
needs one stage needs no configuration, and so no pydantic.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .before_after import Summary, summarise
    from .config import Config
    from .load import check_config, load_config
    from .runner import RunResult, Step, plan_run, run_pipeline
    from .schema import config_schema
    from .template import config_template

_HOME = {
    "Config": "config",
    "RunResult": "runner",
    "Step": "runner",
    "Summary": "before_after",
    "check_config": "load",
    "config_schema": "schema",
    "config_template": "template",
    "load_config": "load",
    "plan_run": "runner",
    "run_pipeline": "runner",
    "summarise": "before_after",
}

__all__ = [
    "Config",
    "RunResult",
    "Step",
    "Summary",
    "check_config",
    "config_schema",
    "config_template",
    "load_config",
    "plan_run",
    "run_pipeline",
    "summarise",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f".{_HOME[name]}", __name__), name)
