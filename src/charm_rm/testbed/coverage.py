"""A stated quality of real answers, by which votes on them are simulated: words of the prompt that are covered, less repetition."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from scipy.special import expit

from ..statistics import FloatArray
from ..tables import Battles, Preferences, Responses
from .arena import draw_votes
from .preferences import as_preferences

RULE = (
    "P(a beats b) = sigmoid(4 (q_a - q_b)), q the share of the prompt's content words that an answer has, less the share of its "
    "three-word runs that repeat an earlier one, at least 0; neither length nor style is rewarded"
)
ANNOTATORS = "P(a chosen) = sigmoid(8 (q_a - q_b) + ln(words_a / words_b)), q as voters have it: they read closely, and they like longer answers"
_STEM = 5  # letters by which words are compared: explain, explains, explanation
_SHORTEST = 4  # letters of a content word
_EMPTY = frozenset(
    [
        "about",
        "after",
        "again",
        "also",
        "been",
        "before",
        "between",
        "both",
        "could",
        "does",
        "each",
        "from",
        "give",
        "have",
        "into",
        "just",
        "like",
        "list",
        "make",
        "many",
        "more",
        "most",
        "much",
        "name",
        "only",
        "over",
        "people",
        "should",
        "some",
        "such",
        "tell",
        "than",
        "that",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "three",
        "what",
        "when",
        "where",
        "which",
        "while",
        "with",
        "would",
        "write",
        "your",
        "explain",
        "describe",
        "sentence",
        "sentences",
        "short",
    ]
)
_WORD = re.compile(r"[^\W\d_]+")


def covered(prompt: str, response: str) -> float:
    """Share of the prompt's content words (four letters and more, no function words) that the response has; 0 where it has none."""
    wanted = {w[:_STEM] for w in _words(prompt) if len(w) >= _SHORTEST and w not in _EMPTY}
    found = {w[:_STEM] for w in _words(response)}
    return len(wanted & found) / len(wanted) if wanted else 0.0


def repeated(response: str) -> float:
    """Share of the response's runs of three words that are there before."""
    words = _words(response)
    runs = list(zip(words, words[1:], words[2:], strict=False))
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def quality_of(prompt: str, response: str) -> float:
    """What simulated voters go by, in [0, 1]: :func:`covered` less :func:`repeated`, at least 0."""
    return max(0.0, covered(prompt, response) - repeated(response))


def vote_on(responses: Responses, *, n: int, seed: int, policies: Sequence[str] | None = None) -> Battles:
    """Simulate ``n`` votes on real responses by the stated :data:`RULE`, of random pairs of policies on random prompts.

    Args:
        responses: one of every policy to every prompt, the prompts as text.
        n: votes.
        seed: of the draws.
        policies: those that are voted on; default: all.
    """
    answers = _Answers.of(responses, policies)
    rng = np.random.default_rng([seed, 3])
    votes = draw_votes(answers.prompt_ids, answers.policies, answers.quality, n=n, rng=rng)
    provenance: dict[str, Any] = {"simulated": True, "rule": RULE, "seed": seed}
    return Battles(votes, provenance)


def annotate(responses: Responses, *, n: int, seed: int) -> Preferences:
    """Simulate ``n`` choices between real responses by the stated rule of :data:`ANNOTATORS`, of random policies on random prompts.

    Args:
        responses: one of every policy to every prompt, the prompts as text; blank ones are not shown to anybody.
        n: choices; some fewer where a response is blank or both are the same.
        seed: of the draws.
    """
    frame = responses.frame.sort("prompt_id", "policy")
    k, rng = len(responses.policies), np.random.default_rng([seed, 4])
    prompt, first = rng.integers(frame.height // k, size=n), rng.integers(k, size=n)
    second = (first + rng.integers(1, k, size=n)) % k
    a, b = frame[prompt * k + first], frame[prompt * k + second]
    shown = (_n_words(a) > 0) & (_n_words(b) > 0)
    a, b = a.filter(shown), b.filter(shown)
    odds = 8 * (_qualities(a) - _qualities(b)) + np.log(_n_words(a) / _n_words(b))
    takes_a = rng.random(a.height) < expit(odds)
    return as_preferences(a, b, takes_a, {"simulated": True, "rule": ANNOTATORS, "seed": seed})


def _n_words(frame: pl.DataFrame) -> FloatArray:
    return np.array([len(response.split()) for response in frame["response"]], dtype=np.float64)


def _qualities(frame: pl.DataFrame) -> FloatArray:
    rows = frame.select("prompt", "response").iter_rows()
    return np.array([quality_of(str(prompt), response) for prompt, response in rows])


@dataclass(frozen=True, eq=False)
class _Answers:
    """(prompts, policies) qualities, with the names of both."""

    prompt_ids: list[str]
    policies: list[str]
    quality: FloatArray

    @classmethod
    def of(cls, responses: Responses, policies: Sequence[str] | None) -> _Answers:
        names = sorted(policies or responses.policies)
        frame = responses.frame.filter(pl.col("policy").is_in(names)).sort("prompt_id", "policy")
        quality = _qualities(frame)
        ids = frame["prompt_id"].unique(maintain_order=True).to_list()
        return cls(ids, names, quality.reshape(len(ids), len(names)))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.lower())
