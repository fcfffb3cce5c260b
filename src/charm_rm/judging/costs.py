"""What judging takes: calls, tokens, money; counted from the answers, and guessed before the first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from ..costs import Prices as Prices
from ..costs import Usage as Usage
from ..costs import tokens_about
from ..tables import Responses
from .requests import plan_requests
from .templates import Template
from .verdicts import Verdict


def total_usage(verdicts: Iterable[Verdict]) -> Usage:
    """Sum the tokens of answers; calls that failed are none."""
    return Usage.of((v.prompt_tokens, v.completion_tokens) for v in verdicts if v.how != "failed")


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
        tokens_about(message["content"])
        for request in plan.requests.values()
        for message in template.fill(*request)
    )
    tokens_out = calls * template.max_tokens
    cost = None if prices is None else prices.cost(tokens_in, tokens_out)
    return RunEstimate(pairs.height, plan.equal_texts, calls, tokens_in, tokens_out, cost)
