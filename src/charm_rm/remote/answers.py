"""What comes back from ``/chat/completions`` -> a :class:`~charm_rm.judging.chat.Reply`; servers differ, so nothing is taken on trust."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..judging.chat import Reply
from .problems import Malformed
from .reading import LONGEST_NAME, as_float

# Models that think aloud inside their answer, where the server does not take it out.
_THOUGHT = re.compile(r"\A\s*<think>.*?(</think>\s*|\Z)", re.DOTALL)
# What says that there were more is no count.
_MOST_TOKENS = 10**9
_REASONING = ("reasoning_content", "reasoning")


@dataclass(frozen=True)
class Answered:
    """A reply, and what else the server told about it."""

    reply: Reply
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    system_fingerprint: str | None = None


def read_answer(value: Any) -> Answered:
    """Read a whole answer.

    Raises:
        Malformed: it is not of the form; an answer without text and without a refusal is none.
    """
    answer = _mapping(value, "the answer")
    choices = answer.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Malformed("the answer has no choices")
    choice = _mapping(choices[0], "choices[0]")
    message = _mapping(choice.get("message"), "choices[0].message")
    told = answer.get("usage")
    usage: Mapping[str, Any] = told if isinstance(told, Mapping) else {}
    text, thought = _text(message)
    refused = message.get("refusal")
    finish, model = choice.get("finish_reason"), answer.get("model")
    reply = Reply(
        text=refused if isinstance(refused, str) and refused and not text else text,
        # The first token of an answer that began with thoughts is the thoughts' first.
        top_logprobs=None if thought else first_candidates(choice.get("logprobs")),
        prompt_tokens=_count(usage, "prompt_tokens"),
        completion_tokens=_count(usage, "completion_tokens"),
        finish="refusal" if refused else finish if isinstance(finish, str) and finish else "stop",
        model=model
        if isinstance(model, str) and model.isprintable() and 0 < len(model) <= LONGEST_NAME
        else None,
    )
    system = answer.get("system_fingerprint")
    return Answered(
        reply,
        cached_tokens=_count(usage.get("prompt_tokens_details"), "cached_tokens") or 0,
        reasoning_tokens=_count(usage.get("completion_tokens_details"), "reasoning_tokens") or 0,
        system_fingerprint=system if isinstance(system, str) and system else None,
    )


def first_candidates(logprobs: Any) -> dict[str, float] | None:
    """The candidates for the first token with their natural log-probabilities, by text; None where none were given.

    Different tokens of one text count together: log Σ exp.

    Raises:
        Malformed: they are there, but no numbers, or not log-probabilities.
    """
    content = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(content, list) or not content:
        return None
    first = _mapping(content[0], "logprobs.content[0]")
    candidates = first.get("top_logprobs")
    if not isinstance(candidates, list) or not candidates:
        return None
    found: dict[str, float] = {}
    for candidate in candidates:
        token, value = _candidate(_mapping(candidate, "top_logprobs[]"))
        if value > -math.inf:
            found[token] = _log_add(found.get(token), value)
    return found or None


def _candidate(candidate: Mapping[str, Any]) -> tuple[str, float]:
    token, value = candidate.get("token"), candidate.get("logprob")
    number = math.nan if isinstance(value, bool) or not isinstance(value, (int, float)) else as_float(value)
    # A little above 0 is rounding.
    if not isinstance(token, str) or math.isnan(number) or number > 0.01:
        raise Malformed("top_logprobs holds what is no token with a log-probability")
    return token, min(number, 0.0)


def _log_add(one: float | None, other: float) -> float:
    if one is None:
        return other
    high, low = max(one, other), min(one, other)
    return min(0.0, high + math.log1p(math.exp(low - high)))


def _text(message: Mapping[str, Any]) -> tuple[str, bool]:
    """The message's text without its thoughts, and whether there were any."""
    thought = any(bool(message.get(name)) for name in _REASONING)
    content = message.get("content")
    if isinstance(content, list):
        parts = [part for part in content if isinstance(part, Mapping)]
        thought = thought or any(part.get("type") == "thinking" for part in parts)
        texts = [p["text"] for p in parts if p.get("type") == "text" and "text" in p]
        content = "".join(texts) if all(isinstance(text, str) for text in texts) else 0
    if content is None and (thought or "content" in message or message.get("refusal")):
        content = ""
    if not isinstance(content, str):
        raise Malformed("choices[0].message has no content")
    shown = _THOUGHT.sub("", content)
    return shown, thought or shown != content


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise Malformed(f"{name} is not an object")
    return value


def _count(usage: Any, name: str) -> int | None:
    value = usage.get(name) if isinstance(usage, Mapping) else None
    counted = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= _MOST_TOKENS
    return value if counted else None
