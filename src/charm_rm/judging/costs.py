"""What judging takes: calls, tokens, money; counted from the answers, and guessed before the first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from ..tables import Responses
from .requests import plan_requests
from .templates import Template
from .verdicts import Verdict

# English text has about four characters a token in current tokenizers; a chat template adds a few tokens a message.
_CHARACTERS_PER_TOKEN = 4.0
_TOKENS_PER_MESSAGE = 5


@dataclass(frozen=True)
class Prices:
    """Money per million tokens, whatever the currency."""

    per_million_in: float
    per_million_out: float

    def cost(self, tokens_in: int, tokens_out: int) -> float:
        """Money for so many tokens."""
        return (tokens_in * self.per_million_in + tokens_out * self.per_million_out) / 1e6


@dataclass(frozen=True)
class Usage:
    """Calls and their tokens; ``uncounted`` calls came back without token counts and are not in the sums."""

    calls: int
    tokens_in: int
    tokens_out: int
    uncounted: int

    def cost(self, prices: Prices | None) -> float | None:
        """Money, where prices are known and every call was counted."""
        return None if prices is None or self.uncounted else prices.cost(self.tokens_in, self.tokens_out)


def total_usage(verdicts: Iterable[Verdict]) -> Usage:
    """Sum the tokens of answers; calls that failed are none."""
    counts = [(v.prompt_tokens, v.completion_tokens) for v in verdicts if v.how != "failed"]
    known = [(i, o) for i, o in counts if i is not None and o is not None]
    return Usage(len(counts), sum(i for i, _ in known), sum(o for _, o in known), len(counts) - len(known))


@dataclass(frozen=True)
class RunEstimate:
    """A run before it starts: tokens are a guess from the texts' length, and answers count at their longest."""

    pairs: int
    equal_texts: int
    calls: int
    tokens_in: int | None = None
    tokens_out: int | None = None
    cost: float | None = None


def estimate_run(
    responses: Responses,
    pairs: pl.DataFrame,
    *,
    template: Template | None = None,
    prices: Prices | None = None,
) -> RunEstimate:
    """What judging ``pairs`` in both orders takes at most; without a template (no generative judge) the calls alone."""
    plan = plan_requests(responses, pairs, fingerprint="")
    calls = len(plan.requests)
    if template is None:
        return RunEstimate(pairs.height, plan.equal_texts, calls)
    tokens_in = sum(
        _TOKENS_PER_MESSAGE + round(len(message["content"]) / _CHARACTERS_PER_TOKEN)
        for request in plan.requests.values()
        for message in template.fill(*request)
    )
    tokens_out = calls * template.max_tokens
    cost = None if prices is None else prices.cost(tokens_in, tokens_out)
    return RunEstimate(pairs.height, plan.equal_texts, calls, tokens_in, tokens_out, cost)
