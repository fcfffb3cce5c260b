"""A function of one's own as a reward or a judge: ``module:function``, checked on every call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .functions import OwnFunction, bad_answer, load_function
from .protocols import Prompt


@dataclass(frozen=True)
class CallableReward:
    """A :class:`~charm_rm.protocols.ScalarReward` of a function (prompts, responses) -> scores."""

    function: OwnFunction

    @property
    def source(self) -> str:
        """What people call it."""
        return self.function.source

    @property
    def fingerprint(self) -> str:
        """Hash of its name and its module's source."""
        return self.function.fingerprint

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
class CallableJudge:
    """A :class:`~charm_rm.protocols.PairwisePreference` of a function (prompts, first, second) -> probabilities."""

    function: OwnFunction

    @property
    def source(self) -> str:
        """What people call it."""
        return self.function.source

    @property
    def fingerprint(self) -> str:
        """Hash of its name and its module's source."""
        return self.function.fingerprint

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
