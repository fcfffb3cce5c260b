"""Which of a model's outputs is the reward: the option ``reward``, its words and their meaning.

==================  ===========================================================================
``output:3``        output number 3, counted from 0
``mean``            the mean of all outputs
``weights:0.2,1``   the sum of the outputs, each times its weight
a label             the output that config.json's ``id2label`` calls so
``head:KEY``        the linear layer KEY of the checkpoint, read at the last token
``token:ID``        the logit of this vocabulary entry (a number, or a token) as the next token
``like:NAME``       read the model as the registry's entry NAME says
==================  ===========================================================================
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ...errors import ConfigError, ModelError, did_you_mean, listing

_HELP = (
    "say which output is the reward: --reward output:N (reward= in Python; counted from 0), mean, weights:W,W,... "
    "or the name of an output"
)


@dataclass(frozen=True)
class Choice:
    """A parsed ``reward``: what kind of choice, and its argument."""

    kind: Literal["output", "mean", "weights", "label", "head", "token", "like"]
    argument: str = ""
    weights: tuple[float, ...] = ()

    def __str__(self) -> str:
        return f"{self.kind}:{self.argument}" if self.argument else self.kind

    @property
    def reduces(self) -> bool:
        """True where it chooses among the outputs of a head, False where it says where the head is."""
        return self.kind in ("output", "mean", "weights", "label")


def parse_reward(text: str) -> Choice:
    """Parse the option.

    Raises:
        ConfigError: it begins like one of the forms and goes on wrongly.
    """
    kind, colon, argument = text.strip().partition(":")
    if kind == "mean" and not colon:
        return Choice("mean")
    if not colon or kind not in ("output", "weights", "head", "token", "like"):
        return Choice("label", text.strip())
    if kind == "output" and not argument.isdecimal():
        raise ConfigError(f"reward {text!r}: {argument!r} is no number of an output", fix=_HELP)
    if not argument:
        raise ConfigError(f"reward {text!r} ends too early", fix=_HELP)
    weights = _weights(text, argument) if kind == "weights" else ()
    return Choice(kind, argument, weights)  # type: ignore[arg-type]


def reduce(
    choice: Choice | None, n_outputs: int, labels: Mapping[int, str] | None = None, *, where: str
) -> tuple[Sequence[float], str]:
    """Weights, one per output, whose sum with the outputs is the reward; and what that is, in words.

    Raises:
        ModelError: several outputs and no choice, or a choice that does not fit them.
    """
    names = [str((labels or {}).get(i, f"output {i}")) for i in range(n_outputs)]
    if choice is None:
        if n_outputs == 1:
            return [1.0], "the one output of the head"
        raise ModelError(
            f"the model has {n_outputs} outputs, a reward model has 1: {listing(names, limit=20)}",
            where=where,
            fix=_HELP,
        )
    if choice.kind == "mean":
        return [1 / n_outputs] * n_outputs, f"the mean of the {n_outputs} outputs"
    if choice.kind == "weights":
        if len(choice.weights) != n_outputs:
            raise ModelError(
                f"{len(choice.weights)} weights for {n_outputs} outputs: {listing(names, limit=20)}",
                where=where,
                fix="give one weight per output, in this order",
            )
        return choice.weights, f"the sum of the {n_outputs} outputs weighted {choice.argument}"
    index = _index(choice, names, where)
    return [float(i == index) for i in range(n_outputs)], f"output {index} of {n_outputs} ({names[index]})"


def _index(choice: Choice, names: list[str], where: str) -> int:
    if choice.kind == "output":
        if int(choice.argument) < len(names):
            return int(choice.argument)
        what = f"there is no output {choice.argument}"
    else:
        found = [i for i, name in enumerate(names) if name.casefold() == choice.argument.casefold()]
        if len(found) == 1:
            return found[0]
        what = f"no output is called {choice.argument!r}.{did_you_mean(choice.argument, names)}"
    raise ModelError(f"{what} Its {len(names)} outputs: {listing(names, limit=20)}", where=where, fix=_HELP)


def _weights(text: str, argument: str) -> tuple[float, ...]:
    try:
        weights = tuple(float(part) for part in argument.split(","))
    except ValueError:
        weights = ()
    if not weights or not all(math.isfinite(w) for w in weights) or not any(weights):
        raise ConfigError(
            f"reward {text!r} is no list of weights", fix="write numbers and commas: weights:0.2,0.8"
        )
    return weights
