"""Judges and chats with known behaviour, and small tables of responses, for the tests of judging."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from charm_rm.judging import Messages, Reply
from charm_rm.tables import Responses


def responses_of(texts: dict[str, dict[str, str]]) -> Responses:
    """Responses of {prompt_id: {policy: text}}; the prompt's text is made of its id."""
    rows = [
        {"prompt_id": prompt, "prompt": f"Question {prompt}?", "policy": policy, "response": text}
        for prompt, answers in texts.items()
        for policy, text in answers.items()
    ]
    return Responses(pl.DataFrame(rows))


def many_responses(n_prompts: int = 6, policies: Sequence[str] = ("a", "b", "c")) -> Responses:
    """Different texts of different lengths."""
    return responses_of(
        {
            f"q{q:03d}": {
                p: f"{p} says " + f"word{q} " * (1 + (q * 7 + 3 * k) % 11) for k, p in enumerate(policies)
            }
            for q in range(n_prompts)
        }
    )


# How much better than the baseline each policy of the annotations is, in log-odds.
ANNOTATED_LEVELS = {"oak": 0.5, "reed": -0.2, "elm": 0.9, "fir": -0.6}


def write_annotations(folder: Path) -> Path:
    """Write AlpacaEval's annotations of four policies against a baseline by two judges, with responses and ratings, into ``folder``."""
    rng = np.random.default_rng(0)
    rows = [
        {
            "instruction": f"Ask {i}",
            "output_1": f"base {i}",
            "output_2": f"{policy} {i}",
            "generator_1": "base",
            "generator_2": policy,
            "annotator": judge,
            "preference": 1 + float(1 / (1 + np.exp(-level - rng.logistic()))),
        }
        for judge in ("mild", "stern")
        for policy, level in ANNOTATED_LEVELS.items()
        for i in range(60)
    ]
    (folder / "annotations.json").write_text(json.dumps(rows))
    said = [
        {"instruction": f"Ask {i}", "output": f"{p} {i}" + " so" * (i % (k + 2)), "generator": p}
        for k, p in enumerate(("base", *ANNOTATED_LEVELS))
        for i in range(60)
    ]
    (folder / "responses.json").write_text(json.dumps(said))
    ratings = "policy,rating,std_err\nbase,1100,5\noak,1150,5\nreed,1080,5\nelm,1120,5\nfir,1000,5\n"
    (folder / "ratings.csv").write_text(ratings)
    return folder


@dataclass
class RuleJudge:
    """A plain judge: any function (prompt, first, second) -> P(first is better); counts what it is asked."""

    rule: Callable[[Any, str, str], float]
    source: str = "rule"
    fingerprint: str = "rule"
    asked: list[tuple[Any, str, str]] = field(default_factory=list)

    def __call__(self, prompts: Sequence[Any], first: Sequence[str], second: Sequence[str]) -> np.ndarray:
        rows = list(zip(prompts, first, second, strict=True))
        self.asked += rows
        return np.array([self.rule(*row) for row in rows])


def hashed(prompt: Any, first: str, second: str) -> float:
    """A preference that depends on everything, order included, and on nothing sensible."""
    digest = hashlib.sha256(repr((prompt, first, second)).encode()).digest()
    return digest[0] / 255


@dataclass
class FakeChat:
    """A chat that answers by a function of the conversation, in a shuffled order; counts and may fail midway."""

    answer: Callable[[Messages], Reply]
    source: str = "fake"
    fingerprint: str = "fake"
    fail_after: int | None = None
    asked: list[Messages] = field(default_factory=list)
    limits: list[tuple[int, int]] = field(default_factory=list)

    def replies(
        self, conversations: Sequence[Messages], *, max_tokens: int, top_logprobs: int
    ) -> Iterator[tuple[int, Reply]]:
        self.limits.append((max_tokens, top_logprobs))
        order = list(range(len(conversations)))
        random.Random(0).shuffle(order)
        for index in order:
            if self.fail_after is not None and len(self.asked) >= self.fail_after:
                raise ConnectionError("the line is cut")
            self.asked.append(conversations[index])
            yield index, self.answer(conversations[index])
