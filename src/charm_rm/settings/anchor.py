"""Settings of anchored training: a policy-level loss beside the one on preference pairs."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, setting
from .vocabulary import AnchorEstimate


@dataclass(frozen=True, kw_only=True)
class AnchorSettings(Settings):
    """Keep the mean win rates between policies at human ratings while training on pairs."""

    anchor_weight: float = setting(
        0.0,
        "Weight of the policy-level loss, which keeps win rates between policies at human ratings (0: off).",
        least=0,
    )
    anchor_temperature: float = setting(
        0.7,
        "Temperature of the anchored win rates, in within-prompt standard deviations of the old scores.",
        above=0,
    )
    anchor_policies: int = setting(
        8, "Policies in an anchor batch; each answers all of its prompts.", least=2
    )
    anchor_prompts: int = setting(8, "Prompts in an anchor batch.", least=2)
    anchor_estimate: AnchorEstimate = setting(
        "halves",
        "How the squared error of a win rate is taken from a batch: `halves`, from independent halves of it; `running`, with "
        "running means; `square`, the plain square, which is biased, as a comparison.",
    )
    anchor_memory: float = setting(
        0.8, "With `running`: share of a running win rate that a new batch leaves.", least=0, below=1
    )
    keep_scores: float = setting(
        0.0, "With an anchor: weight of staying near the old scores, within each prompt.", least=0
    )
