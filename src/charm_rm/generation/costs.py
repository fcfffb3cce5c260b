"""What generating may take: calls, tokens, money; guessed before the first call."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from ..costs import Prices, tokens_about
from ..tables import as_messages
from .prompts import with_system


@dataclass(frozen=True)
class GenerationEstimate:
    """One policy before it is asked: tokens in are a guess from the texts' length, answers count at their longest (None: no limit known)."""

    policy: str
    calls: int
    tokens_in: int
    tokens_out: int | None
    cost: float | None = None


def estimate_generation(
    name: str,
    prompts: pl.DataFrame,
    *,
    system: str | None,
    samples: int,
    max_tokens: int | None,
    prices: Prices | None = None,
) -> GenerationEstimate:
    """What asking a policy takes at most; what the store knows is not asked again."""
    once = sum(
        tokens_about(message["content"])
        for prompt in prompts["prompt"].to_list()
        for message in as_messages(with_system(prompt, system))
    )
    calls = prompts.height * samples
    if max_tokens is None:
        return GenerationEstimate(name, calls, once * samples, None)
    tokens_in, tokens_out = once * samples, calls * max_tokens
    cost = None if prices is None else prices.cost(tokens_in, tokens_out)
    return GenerationEstimate(name, calls, tokens_in, tokens_out, cost)
