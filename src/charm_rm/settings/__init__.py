"""Every setting of every stage, defined once: type, bounds, default and one line of description.

One file a stage. A new setting is one line in its stage's class. The option of the command, the key of the YAML file, the template of ``charm init`` and
docs/cli.md follow; ``tests/test_settings.py`` holds the verbs' defaults to these.
"""

from __future__ import annotations

from .anchor import AnchorSettings
from .audit import AuditSettings
from .calibrate import AUTO, OFFSETS_ALONE, STYLE_ALONE, CalibrateSettings, as_names, parse_fixed
from .definition import Setting, Settings, check_draws, setting, setting_named, settings_of
from .engine import EngineSettings
from .evaluate import EvaluateSettings
from .generate import AnswerSettings, GenerateSettings, PolicySettings
from .judge import JudgeSettings
from .out_of_core import OutOfCoreSettings
from .ratings import MOST_PRIOR, FitSettings, RatingsChoice, RatingsSettings, parse_anchor
from .relabel import RelabelSettings
from .report import ReportSettings
from .responses import ResponsesSettings, RunResponsesSettings
from .reward_model import LocalModelSettings, ModelSettings, RewardModelSettings
from .sample import Allocation, PromptIds, PromptsSettings, SampleSettings
from .score import ScoreSettings
from .study import ServeSettings, StudyPlanSettings
from .table import TableSettings, parse_columns
from .train import FineTuneSettings, TrainFromSettings, TrainSectionSettings, TrainSettings
from .vocabulary import (
    AnchorEstimate,
    Attention,
    DType,
    Engine,
    Labels,
    Link,
    Method,
    Missing,
    Objective,
    OnError,
    Outcome,
    ReadingEngine,
    Sample,
    Scope,
    Strategy,
    TableKind,
    TieRule,
    TooLong,
    Unrated,
    Votes,
)

__all__ = [
    "AUTO",
    "MOST_PRIOR",
    "OFFSETS_ALONE",
    "STYLE_ALONE",
    "Allocation",
    "AnchorEstimate",
    "AnchorSettings",
    "AnswerSettings",
    "Attention",
    "AuditSettings",
    "CalibrateSettings",
    "DType",
    "Engine",
    "EngineSettings",
    "EvaluateSettings",
    "FineTuneSettings",
    "FitSettings",
    "GenerateSettings",
    "JudgeSettings",
    "Labels",
    "Link",
    "LocalModelSettings",
    "Method",
    "Missing",
    "ModelSettings",
    "Objective",
    "OnError",
    "OutOfCoreSettings",
    "Outcome",
    "PolicySettings",
    "PromptIds",
    "PromptsSettings",
    "RatingsChoice",
    "RatingsSettings",
    "ReadingEngine",
    "RelabelSettings",
    "ReportSettings",
    "ResponsesSettings",
    "RewardModelSettings",
    "RunResponsesSettings",
    "Sample",
    "SampleSettings",
    "Scope",
    "ScoreSettings",
    "ServeSettings",
    "Setting",
    "Settings",
    "Strategy",
    "StudyPlanSettings",
    "TableKind",
    "TableSettings",
    "TieRule",
    "TooLong",
    "TrainFromSettings",
    "TrainSectionSettings",
    "TrainSettings",
    "Unrated",
    "Votes",
    "as_names",
    "check_draws",
    "parse_anchor",
    "parse_columns",
    "parse_fixed",
    "setting",
    "setting_named",
    "settings_of",
]
