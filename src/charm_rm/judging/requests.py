"""Pairs -> the questions to put to a judge, each once, in both orders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from ..errors import NoOverlap
from ..memo import content_key
from ..protocols import Prompt
from ..samples import refuse_samples
from ..tables import Responses

# A prompt, the response shown first, the one shown second.
Request = tuple[Prompt, str, str]


@dataclass(frozen=True)
class RequestPlan:
    """``requests`` by their key, the longest first; ``keys`` per pair: (policy first, reference first), None for equal texts."""

    requests: dict[str, Request]
    keys: list[tuple[str, str] | None]

    @property
    def equal_texts(self) -> int:
        """Pairs whose responses are the same text: ties that nobody has to be asked about."""
        return self.keys.count(None)


def plan_requests(responses: Responses, pairs: pl.DataFrame, *, fingerprint: str) -> RequestPlan:
    """Look the pairs' texts up and key them; what two pairs have in common is asked once.

    The order (by length, longest first) is the same whatever is already known, so a run that goes on asks in the
    very batches in which it would have asked anyway.

    Raises:
        NoOverlap: a pair names a response that is not there.
    """
    texts = {
        (i, p): (prompt, r)
        for i, p, prompt, r in responses.frame.select("prompt_id", "policy", "prompt", "response").iter_rows()
    }
    requests: dict[str, Request] = {}
    keys: list[tuple[str, str] | None] = []
    refuse_samples(responses, why="a judge is asked about one response of each")
    for prompt_id, policy, reference in pairs.select("prompt_id", "policy", "reference").iter_rows():
        (prompt, one), (_, other) = _look_up(texts, prompt_id, policy), _look_up(texts, prompt_id, reference)
        if one == other:
            keys.append(None)
            continue
        both = []
        for request in ((prompt, one, other), (prompt, other, one)):
            key = content_key("judgement", fingerprint, *request)
            requests.setdefault(key, request)
            both.append(key)
        keys.append((both[0], both[1]))
    order = sorted(requests, key=lambda key: (-_length(requests[key]), key))
    return RequestPlan({key: requests[key] for key in order}, keys)


def _look_up(texts: dict[tuple[str, str], tuple[Any, str]], prompt_id: str, policy: str) -> tuple[Any, str]:
    try:
        return texts[prompt_id, policy]
    except KeyError:
        raise NoOverlap(
            f"no response of policy {policy!r} to prompt {prompt_id!r}",
            fix="plan the pairs from these responses",
        ) from None


def _length(request: Request) -> int:
    prompt, first, second = request
    size = len(prompt) if isinstance(prompt, str) else sum(len(m["content"]) for m in prompt)
    return size + len(first) + len(second)
