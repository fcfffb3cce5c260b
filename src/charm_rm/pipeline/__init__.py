"""The whole of CHARM from one validated file: a graph of stages, a manifest, and nothing done twice."""

from __future__ import annotations

from .config import Config
from .load import check_config, load_config
from .runner import RunResult, Step, plan_run, run_pipeline
from .summary import Summary, summarise
from .template import config_template

__all__ = [
    "Config",
    "RunResult",
    "Step",
    "Summary",
    "check_config",
    "config_template",
    "load_config",
    "plan_run",
    "run_pipeline",
    "summarise",
]
