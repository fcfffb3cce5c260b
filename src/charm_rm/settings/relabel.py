"""Settings of the labels."""

from __future__ import annotations

from dataclasses import dataclass

from .definition import Settings, setting
from .vocabulary import Strategy


@dataclass(frozen=True, kw_only=True)
class RelabelSettings(Settings):
    """Turn calibrated scores or judgements of the train prompts into preferences (null: stop after calibrate)."""

    strategy: Strategy = setting(
        "pair",
        "Which responses to compare: each calibrated policy with its references; the best with the worst; every two; "
        "or random pairs.",
    )
    pairs_per_prompt: int = setting(
        4, "Random pairs per prompt, with strategy `sampled`.", least=1, flags=("-k", "--pairs-per-prompt")
    )
    temperature: float | None = setting(
        None,
        "Temperature of the soft labels, in units of the margins (default: the calibrator's, or 1 with offsets).",
        above=0,
    )
