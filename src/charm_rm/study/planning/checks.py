"""Attention checks: comparisons whose better answer anyone who reads them sees, and that look like all others."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ...protocols import Prompt
from ...tables import Responses, as_messages
from ..nouns import CHECK, Comparisons

_WORD = re.compile(r"[^\W\d_]{4,}")
_LIST = re.compile(r"^\s*([-*]|\d+[.)]) ", re.MULTILINE)
_HEADING = re.compile(r"^#", re.MULTILINE)
_WORDS = 4  # of the prompt, at least
_SHORTEST, _LONGEST, _LONGEST_PROMPT = 200, 2000, 800
# Of the prompt's words, the right answer has at least this share, the other one at most that.
_ON_TOPIC, _OFF_TOPIC = 0.6, 0.1
_ALIKE = 0.2  # and the two prompts share at most that much: words such as "write" and "please"
_LENGTHS = 1.2  # the longer of the two answers is at most so many times as long
_TRIES = 400  # prompts looked at, for each check


def attention_checks(responses: Responses, *, n: int, votes_wanted: int, seed: int) -> pl.DataFrame:
    """Up to ``n`` checks as rows of :class:`..nouns.Comparisons`, each on another prompt; fewer where the texts give fewer.

    The right answer has most of the prompt's words. The other is an answer of another policy to another prompt (``answered_a`` or
    ``answered_b`` names it) which has next to none of them, is about as long and has code, lists and headings as the right one
    has or has not. Which policy's name comes first, and so which side is right, is as chance has it.
    """
    rng = np.random.default_rng([seed, 1])
    answers = _looked_at(responses, rng, most=max(n, 1) * _TRIES)
    rows: list[dict[str, object]] = []
    prompts: set[str] = set()
    for right in answers:
        if len(rows) == n:
            break
        if right.prompt_id in prompts or not right.is_sound:
            continue
        if others := [other for other in answers if other.is_wrong_beside(right)]:
            wrong = others[int(rng.integers(len(others)))]
            rows.append(check_row(right.key, wrong.key, number=len(rows) + 1, votes_wanted=votes_wanted))
            prompts.add(right.prompt_id)
    return checks_table(rows)


def checks_table(rows: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Rows of :func:`check_row` as rows of :class:`..nouns.Comparisons`."""
    return pl.DataFrame(rows, schema=Comparisons.dtypes())


@dataclass(frozen=True)
class _Answer:
    """An answer by its words and form, with the words of what was asked."""

    prompt_id: str
    policy: str
    length: int
    asked_length: int
    asked: frozenset[str]
    said: frozenset[str]
    form: tuple[bool, ...]

    @property
    def key(self) -> tuple[str, str]:
        """(prompt_id, policy)."""
        return self.prompt_id, self.policy

    @property
    def is_sound(self) -> bool:
        """Whether it speaks of what was asked, in a prompt that says enough to tell, and is quick to read."""
        telling = self.asked_length <= _LONGEST_PROMPT and len(self.asked) >= _WORDS
        return telling and _share(self, self.asked) >= _ON_TOPIC

    def is_wrong_beside(self, right: _Answer) -> bool:
        """Whether it answers something quite different from what ``right`` answers, and has the same form."""
        if self.policy == right.policy or self.prompt_id == right.prompt_id or self.form != right.form:
            return False
        short, long = sorted((self.length, right.length))
        return (
            long <= _LENGTHS * short
            and len(self.asked & right.asked) <= _ALIKE * len(right.asked)
            and _share(self, right.asked) <= _OFF_TOPIC
        )


def _looked_at(responses: Responses, rng: np.random.Generator, *, most: int) -> list[_Answer]:
    """Answers of middling length in random order."""
    length = pl.col("response").str.len_chars()
    frame = responses.frame.filter(length.is_between(_SHORTEST, _LONGEST)).sort("prompt_id", "policy")
    frame = frame[rng.permutation(frame.height)[:most].tolist()]
    return [_described(*row) for row in frame.select("prompt_id", "prompt", "policy", "response").iter_rows()]


def _described(prompt_id: str, prompt: Prompt, policy: str, said: str) -> _Answer:
    asked = as_messages(prompt)[-1]["content"]
    return _Answer(prompt_id, policy, len(said), len(asked), _words(asked), _words(said), form_of(said))


def form_of(said: str) -> tuple[bool, bool, bool]:
    """Whether an answer has code, a list, a heading."""
    return "```" in said, bool(_LIST.search(said)), bool(_HEADING.search(said))


def _words(text: str) -> frozenset[str]:
    return frozenset(word.casefold() for word in _WORD.findall(text))


def _share(answer: _Answer, asked: frozenset[str]) -> float:
    """The share of what was asked that comes up in the answer, word by word."""
    return len(asked & answer.said) / len(asked)


def check_row(
    right: tuple[str, str], wrong: tuple[str, str], *, number: int, votes_wanted: int
) -> dict[str, object]:
    """A check as a row: the (prompt_id, policy) of the right answer, whose prompt is shown, and of one to another prompt."""
    first, second = sorted((right[1], wrong[1]))
    expected = "a" if first == right[1] else "b"
    return {
        "comparison_id": f"check{number:03d}",
        "prompt_id": right[0],
        "policy_a": first,
        "policy_b": second,
        "kind": CHECK,
        "inclusion": None,
        "votes_wanted": votes_wanted,
        "expected": expected,
        "answered_a": None if expected == "a" else wrong[0],
        "answered_b": None if expected == "b" else wrong[0],
    }
