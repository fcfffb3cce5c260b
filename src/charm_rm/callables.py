"""A function of one's own as a reward, a judge or a policy: ``module:function``, checked on every call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import counted
from .functions import OwnFunction, bad_answer, load_function
from .protocols import Answer, Prompt, Sampling


@dataclass(frozen=True)
class _OfFunction:
    """What all of them have: the function, and its name and hash."""

    function: OwnFunction

    @property
    def source(self) -> str:
        """What people call it."""
        return self.function.source

    @property
    def fingerprint(self) -> str:
        """Hash of its name and its module's source."""
        return self.function.fingerprint


@dataclass(frozen=True)
class CallableReward(_OfFunction):
    """A :class:`~charm_rm.protocols.ScalarReward` of a function (prompts, responses) -> scores."""

    def __call__(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> NDArray[np.float64]:
        """(n,) finite rewards.

        Raises:
            ModelError: the function fails, or its answer is no array of so many finite numbers.
        """
        scores = _numbers(self.function, list(prompts), list(responses))
        if not np.isfinite(scores).all():
            raise bad_answer(
                self.source, f"{int((~np.isfinite(scores)).sum())} of {len(scores)} scores are not finite"
            )
        return scores


@dataclass(frozen=True)
class CallableJudge(_OfFunction):
    """A :class:`~charm_rm.protocols.PairwisePreference` of a function (prompts, first, second) -> probabilities."""

    def __call__(
        self, prompts: Sequence[Prompt], first: Sequence[str], second: Sequence[str]
    ) -> NDArray[np.float64]:
        """(n,) probabilities that the first is better; NaN: no verdict.

        Raises:
            ModelError: the function fails, or its answer is no array of so many probabilities.
        """
        preferences = _numbers(self.function, list(prompts), list(first), list(second))
        outside = (preferences < 0) | (preferences > 1)
        if outside.any():
            raise bad_answer(self.source, f"{preferences[outside][0]:g} is not between 0 and 1")
        return preferences


@dataclass(frozen=True)
class CallablePolicy(_OfFunction):
    """An :class:`~charm_rm.protocols.AnsweringPolicy` of a function (prompts) -> texts, or (prompts, seeds=...) -> texts.

    A prompt is text or messages, as in the table; with a system prompt it is messages. Only a function that takes ``seeds`` can
    give several samples.
    """

    @property
    def draws(self) -> bool:
        """Whether it is given seeds."""
        return self.function.takes("seeds")

    @property
    def own_sampling(self) -> bool:
        """True: how it samples, and how long its answers are, is its own affair."""
        return True

    def answers(
        self, prompts: Sequence[Prompt], sampling: Sampling, seeds: Sequence[int]
    ) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer), in order.

        Raises:
            ModelError: the function fails, or does not return one text per prompt.
        """
        more = {"seeds": list(seeds)} if self.draws else {}
        texts = self.function.call(list(prompts), **more)
        if isinstance(texts, str) or not isinstance(texts, Sequence):
            raise bad_answer(
                self.source, f"{type(texts).__name__} is no list of texts", wanted="text per prompt"
            )
        if len(texts) != len(prompts):
            raise bad_answer(
                self.source,
                f"{counted(len(prompts), 'prompt')} went in, {counted(len(texts), 'text')} came out",
                wanted="text per prompt",
            )
        for index, text in enumerate(texts):
            if not isinstance(text, str):
                raise bad_answer(
                    self.source,
                    f"answer {index} is {type(text).__name__}, not text",
                    wanted="text per prompt",
                )
            if _half_character(text):
                raise bad_answer(
                    self.source,
                    f"answer {index} holds half a surrogate pair, which is no character",
                    wanted="text per prompt",
                )
            yield index, Answer(text)


def _half_character(text: str) -> bool:
    """Whether a text cannot be written as UTF-8."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def load_callable_policy(spec: str) -> CallablePolicy:
    """The function named by ``module:function`` as a policy."""
    return CallablePolicy(load_function(spec))


def load_callable_reward(spec: str) -> CallableReward:
    """The function named by ``module:function`` as a reward model."""
    return CallableReward(load_function(spec))


def load_callable_judge(spec: str) -> CallableJudge:
    """The function named by ``module:function`` as a judge."""
    return CallableJudge(load_function(spec))


# --- details ------------------------------------------------------------------------------------


def _numbers(function: OwnFunction, *texts: list[Any]) -> NDArray[np.float64]:
    values = function(*texts)
    if values.shape != (len(texts[0]),):
        raise bad_answer(
            function.source, f"{len(texts[0])} texts went in, an array of shape {values.shape} came out"
        )
    return values
