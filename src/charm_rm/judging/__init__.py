"""Pairwise judges: which pairs to ask about, in both orders; prompts, verdicts, position bias; the way to margins."""

from .averaging import PREFERENCE_BOUND, order_averaged_margin
from .bias import PositionBias, clustered_mean, measure_position_bias
from .chat import Chat, Messages, Reply
from .costs import Prices, RunEstimate, Usage, estimate_run
from .judge import ChatJudge
from .pairs import plan_pairs
from .run import JudgeRun, judge_responses, run_judge
from .templates import DEFAULT_TEMPLATE, Template, load_template, shipped_templates
from .verdicts import Verdict, read_verdict

__all__ = [
    "DEFAULT_TEMPLATE",
    "PREFERENCE_BOUND",
    "Chat",
    "ChatJudge",
    "JudgeRun",
    "Messages",
    "PositionBias",
    "Prices",
    "Reply",
    "RunEstimate",
    "Template",
    "Usage",
    "Verdict",
    "clustered_mean",
    "estimate_run",
    "judge_responses",
    "load_template",
    "measure_position_bias",
    "order_averaged_margin",
    "plan_pairs",
    "read_verdict",
    "run_judge",
    "shipped_templates",
]
