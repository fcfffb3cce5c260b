"""Every setting of every stage, defined once: type, bounds, default and one line of description.

A new setting is one line here. The option of the command, the key of the YAML file, the template of ``charm init`` and
docs/cli.md follow; ``tests/test_settings.py`` holds the verbs' defaults to these.
"""

from __future__ import annotations

from .calibration import AUTO, AuditSettings, CalibrateSettings, RelabelSettings, as_names
from .definition import Setting, Settings, check_draws, setting, setting_named, settings_of
from .evaluation import EvaluateSettings, ReportSettings
from .inputs import FitSettings, RatingsChoice, RatingsSettings, ResponsesSettings, parse_anchor
from .models import JudgeSettings, LocalModelSettings, ModelSettings, RewardModelSettings, ScoreSettings
from .training import FineTuneSettings, TrainFromSettings, TrainSettings
from .vocabulary import (
    Attention,
    DType,
    Link,
    Method,
    Missing,
    Objective,
    OnError,
    Outcome,
    Scope,
    Strategy,
    TieRule,
    Unrated,
    Votes,
)

__all__ = [
    "AUTO",
    "Attention",
    "AuditSettings",
    "CalibrateSettings",
    "DType",
    "EvaluateSettings",
    "FineTuneSettings",
    "FitSettings",
    "JudgeSettings",
    "Link",
    "LocalModelSettings",
    "Method",
    "Missing",
    "ModelSettings",
    "Objective",
    "OnError",
    "Outcome",
    "RatingsChoice",
    "RatingsSettings",
    "RelabelSettings",
    "ReportSettings",
    "ResponsesSettings",
    "RewardModelSettings",
    "Scope",
    "ScoreSettings",
    "Setting",
    "Settings",
    "Strategy",
    "TieRule",
    "TrainFromSettings",
    "TrainSettings",
    "Unrated",
    "Votes",
    "as_names",
    "check_draws",
    "parse_anchor",
    "setting",
    "setting_named",
    "settings_of",
]
