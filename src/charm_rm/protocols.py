"""What a preference model has to be: one small protocol for scalar rewards, one for pairwise preferences.

Anything that has these members will do: transformers, servers, judges, functions of one's own. Both end in
:class:`~charm_rm.tables.Margins`, so everything after them is the same for all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol, runtime_checkable

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
