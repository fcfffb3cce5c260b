"""What a judge's answer says: a probability that the first response is better, or openly nothing.

First by the probabilities of the first token, P(first) = p(A) / (p(A) + p(B)); else by the last label in the text; else
there is no verdict. An answer that cannot be read is never a tie.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, Self

from .chat import Reply
from .templates import LabelReading, Template, TokenReading

How = Literal["logprobs", "text", "refused", "unread", "failed", "model"]
# Why an answer ended, where the model or its server would not answer.
_REFUSALS = frozenset({"refusal", "content_filter", "safety"})
# How a chat says that there was no answer at all, where it was told to go on without.
_FAILED = "error"
# What may surround a label without being part of it.
_DECORATION = " \t\r\n*_`\"'.:!()[]{}"
_EXCERPT = 160
# The least probability that anything is given.
_LEAST = 1e-12


@dataclass(frozen=True)
class Verdict:
    """P(the response shown first is better), NaN for none, and how it was found.

    ``how``: by ``logprobs``, by ``text``, straight from a ``model`` that answers in numbers; or there is none, as the
    judge ``refused``, its answer was ``unread`` (then ``answer`` holds the end of it), or the call ``failed``. ``mass`` is the probability that the first
    token had on the two names. ``truncated``: the judge saw the texts shortened.
    """

    p_first: float
    how: How = "model"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    mass: float | None = None
    truncated: bool = False
    answer: str | None = None

    def to_json(self) -> dict[str, Any]:
        """What is worth keeping, as JSON has it."""
        fields = {k: v for k, v in vars(self).items() if v is not None and v is not False}
        return fields | {"p_first": None if math.isnan(self.p_first) else self.p_first}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Self:
        """The verdict that :meth:`to_json` wrote."""
        p = value["p_first"]
        return cls(**{**value, "p_first": math.nan if p is None else float(p)})


def read_verdict(reply: Reply, template: Template, *, truncated: bool = False) -> Verdict:
    """Read an answer as its template says."""
    p, how, mass = _read(reply, template)
    return Verdict(
        p,
        how,
        reply.prompt_tokens,
        reply.completion_tokens,
        mass=mass,
        truncated=truncated,
        answer=reply.text.strip()[-_EXCERPT:] if how in ("unread", "refused") else None,
    )


def _read(reply: Reply, template: Template) -> tuple[float, How, float | None]:
    if reply.finish == _FAILED:
        return math.nan, "failed", None
    if reply.finish in _REFUSALS:
        return math.nan, "refused", None
    if template.tokens is not None and reply.top_logprobs:
        found = first_token_preference(reply.top_logprobs, template.tokens)
        if found is not None:
            return found[0], "logprobs", found[1]
    if template.verdict is not None:
        p = last_label(reply.text, template.verdict, cut_off=reply.finish == "length")
        if p is not None:
            return p, "text", None
    return math.nan, "unread", None


def first_token_preference(
    logprobs: Mapping[str, float], reading: TokenReading
) -> tuple[float, float] | None:
    """(p(first) / (p(first) + p(second)), p(first) + p(second)); None where neither side is among the candidates.

    The variants of a name are summed. A side that is not among the candidates gets the probability of the least
    likely of them, the most it can have.
    """
    finite = {token: value for token, value in logprobs.items() if math.isfinite(value)}
    first, second = (_log_total(finite, names, reading) for names in (reading.first, reading.second))
    if first is None and second is None:
        return None
    # What is not listed is no likelier than the least of what is, nor than all that the list leaves over.
    rest = 1.0 - math.fsum(math.exp(value) for value in finite.values())
    floor = min(*finite.values(), math.log(max(rest, _LEAST)))
    first, second = (floor if side is None else side for side in (first, second))
    mass = math.exp(first) + math.exp(second)
    return _logistic(first - second), min(mass, 1.0)


def last_label(text: str, reading: LabelReading, *, cut_off: bool = False) -> float | None:
    """The probability behind the last label in ``text``; None where there is none.

    In an answer that was ``cut_off`` by its token limit a label counts at its very end alone: before that it may be one
    that the judge was only quoting.
    """
    pattern = _label_pattern(reading.open, reading.close, tuple(reading.labels), reading.ignore_case)
    found = max(pattern.finditer(text), key=re.Match.start, default=None)
    if found is None or (cut_off and text[found.end() :].strip(_DECORATION)):
        return None
    by_name = {_plain(k, reading.ignore_case): v for k, v in reading.labels.items()}
    return by_name[_plain(found["label"], reading.ignore_case)]


# --- details ------------------------------------------------------------------------------------


def _log_total(logprobs: Mapping[str, float], names: Iterable[str], reading: TokenReading) -> float | None:
    """Log of the summed probability of the tokens that spell one of ``names``."""
    wanted = {n.casefold() if reading.ignore_case else n for n in names}
    found = [value for token, value in logprobs.items() if _bare(token, reading) in wanted]
    if not found:
        return None
    top = max(found)
    return top + math.log(math.fsum(math.exp(value - top) for value in found))


def _bare(token: str, reading: TokenReading) -> str:
    """A token without the white space and the marks around it (byte-level and sentencepiece spaces too)."""
    bare = token.strip().strip("▁Ġ").strip().strip(reading.strip).strip()
    return bare.casefold() if reading.ignore_case else bare


def _logistic(x: float) -> float:
    """1 / (1 + exp(-x)) for any x; :func:`_logistic` (x) + (-x) is 1 to the last bit or two."""
    if x >= 0:
        return 1.0 / (1.0 + math.exp(-x))
    return math.exp(x) / (1.0 + math.exp(x))


@lru_cache(maxsize=64)
def _label_pattern(opening: str, closing: str, labels: tuple[str, ...], ignore_case: bool) -> re.Pattern[str]:
    """Labels between their brackets, the longest first; without brackets they must stand apart from other words."""
    spaced = (
        r"\s*".join(re.escape(c) for c in _plain(k, False)) for k in sorted(labels, key=len, reverse=True)
    )
    start = rf"{re.escape(opening)}\s*" if opening else r"(?<![\w>=<])"
    end = rf"\s*{re.escape(closing)}" if closing else r"(?![\w>=<])"
    return re.compile(f"{start}(?P<label>{'|'.join(spaced)}){end}", re.IGNORECASE if ignore_case else 0)


def _plain(label: str, ignore_case: bool) -> str:
    """A label without white space, which judges put in at will."""
    bare = "".join(label.split())
    return bare.casefold() if ignore_case else bare
