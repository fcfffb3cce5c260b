"""Policies with known behaviour, and prompts for them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from charm_rm.generation import PolicyPlan
from charm_rm.protocols import Answer, Prompt, Sampling


def prompts_of(*texts: Any) -> pl.DataFrame:
    """Prompts p0, p1 ... with these texts."""
    return pl.DataFrame({"prompt_id": [f"p{i}" for i in range(len(texts))], "prompt": list(texts)})


def many_prompts(n: int) -> pl.DataFrame:
    """Different prompts of different lengths."""
    return prompts_of(*(f"Question {i}" + " why" * (i * 7 % 11) for i in range(n)))


def parrot(prompt: Prompt, seed: int) -> Answer:
    """An answer that depends on prompt and seed."""
    text = prompt if isinstance(prompt, str) else " / ".join(f"{m['role']}: {m['content']}" for m in prompt)
    return Answer(f"{text} [{seed}]", "stop", prompt_tokens=len(text), n_tokens=3)


@dataclass
class FakePolicy:
    """Answers by a function of prompt and seed, in a shuffled order; counts, and may fail midway."""

    answer: Callable[[Prompt, int], Answer] = parrot
    source: str = "fake"
    fingerprint: str = "fake"
    streams: bool = True
    block: int = 4
    fail_after: int | None = None
    room: int | None = None
    asked: list[tuple[Prompt, int]] = field(default_factory=list)
    calls: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        if self.room is not None:
            self.excess = lambda prompt, sampling: len(prompt) + sampling.max_tokens - self.room

    def answers(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Answer]]:
        self.calls.append(len(prompts))
        order = list(range(len(prompts)))
        random.Random(0).shuffle(order)
        for index in order:
            if self.fail_after is not None and len(self.asked) >= self.fail_after:
                raise ConnectionError("the line is cut")
            self.asked.append((prompts[index], seeds[index]))
            yield index, self.answer(prompts[index], seeds[index])


def plan_of(policy: Any, name: str = "oak", **more: Any) -> PolicyPlan:
    """A plan whose sampling is told by its own words."""
    sampling = {k: more.pop(k) for k in ("temperature", "top_p", "max_tokens", "stop") if k in more}
    return PolicyPlan(name, policy, Sampling(**sampling), **more)
