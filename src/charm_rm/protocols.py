"""What a model has to be: one small protocol for scalar rewards, one for pairwise preferences, one for policies that answer prompts.

Anything that has these members will do: transformers, servers, judges, functions of one's own. Rewards and preferences both end in
:class:`~charm_rm.tables.Margins`, so everything after them is the same for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

# Text, or chat messages with ``role`` and ``content``.
Prompt = str | Sequence[Mapping[str, str]]


@runtime_checkable
class ScalarReward(Protocol):
    """One number per (prompt, response), higher is better."""

    @property
    def source(self) -> str:
        """What people call it: a path, a hub id, an address."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides a score besides the texts."""
        ...

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> NDArray[np.float64]:
        """(n,) finite rewards, in order."""
        ...


@runtime_checkable
class PairwisePreference(Protocol):
    """Which of two responses to a prompt is better, as a probability, in the order in which they are shown."""

    @property
    def source(self) -> str:
        """What people call it: a path, a hub id, an address."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides a preference besides the texts."""
        ...

    def __call__(
        self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> NDArray[np.float64]:
        """(n,) probabilities in [0, 1] that the response shown first is better; ½ is a tie, NaN no verdict."""
        ...


@dataclass(frozen=True)
class Sampling:
    """How a policy draws an answer.

    Args:
        temperature: 0: the likeliest token each time.
        top_p: draw among the likeliest tokens that hold this share of the probability; 1: among all.
        max_tokens: most tokens of an answer; a longer one is cut off.
        stop: texts at which an answer ends; they are no part of it.
    """

    temperature: float = 0.0
    top_p: float = 1.0
    max_tokens: int = 1024
    stop: tuple[str, ...] = ()

    @property
    def deciding(self) -> dict[str, Any]:
        """What of it decides an answer: nothing is drawn at temperature 0."""
        drawn = {"top_p": self.top_p} if self.temperature else {}
        return {
            "temperature": self.temperature,
            **drawn,
            "max_tokens": self.max_tokens,
            "stop": list(self.stop),
        }


@dataclass(frozen=True)
class Answer:
    """What a policy answered to one prompt.

    ``finish`` is why it ended: ``stop``, ``length`` (cut off at the limit), ``refusal`` (a server says so), ``too_long`` (the prompt
    does not fit; no text), ``error`` (no answer; no text), or a server's own word. Counts are of tokens, None where unknown.
    ``model`` is what a server calls the model that answered.
    """

    text: str
    finish: str | None = None
    prompt_tokens: int | None = None
    n_tokens: int | None = None
    model: str | None = None


# Of ``about``: true where the chat template has no place for a system message, whose words then go before the first request.
JOINS_SYSTEM = "system_message_joins_the_request"


@runtime_checkable
class AnsweringPolicy(Protocol):
    """A policy that can be asked: prompts in, texts out.

    It may have further members: ``streams`` (True: answers come one by one and all prompts are given at once), ``block`` (how many
    prompts it is given at once, otherwise), ``excess(prompt, sampling)`` (by how many tokens prompt and answer exceed what it
    takes), ``about`` (what the manifest says of it).
    """

    @property
    def source(self) -> str:
        """What people call it: a path, a hub id, a model at an address. Never holds a key."""
        ...

    @property
    def fingerprint(self) -> str:
        """Hash of all that decides an answer besides prompt, sampling and seed."""
        ...

    def answers(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer) in any order; an answer depends on its own prompt and seed, not on the others."""
        ...
