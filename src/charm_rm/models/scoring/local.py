"""What runs on this machine's devices: what the engine has to know of it, and nothing more.

A model says that it runs here by having these members. It then is computed in batches of similar length under a token
budget, by all its devices, in smaller batches where memory runs out (:mod:`.engine`); and a reward model's scores come with
their token counts (:mod:`.responses`). Reward models, DPO policies, pair rankers and judges do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

from ...protocols import Prompt, ScalarReward


class TokenRow(Protocol):
    """What a model reads at once, as tokens: ``len`` is how many, ``truncated`` whether text was left out."""

    @property
    def truncated(self) -> bool: ...

    def __len__(self) -> int: ...


class Pending(Protocol):
    """Results on their way: of a GPU, while the next batch is begun."""

    def wait(self) -> Iterable[Any]:
        """The results, one per row, in order, once they are there."""
        ...


class LocalModel(Protocol):
    """Rows of tokens in, one result per row out. The kind of row and of result is each model's own."""

    @property
    def source(self) -> str:
        """What people call it."""
        ...

    @property
    def device(self) -> str:
        """Where it lives: ``cpu``, ``cuda``, ``cuda:1``."""
        ...

    @property
    def token_budget(self) -> int:
        """A sane number of tokens per batch for the device."""
        ...

    @property
    def unpadded(self) -> bool:
        """True where rows lie end to end, so that a batch's tokens are the sum of its rows'."""
        ...

    @property
    def replicas(self) -> Sequence[LocalModel]:
        """The same model on further devices."""
        ...

    def launch(self, batch: Sequence[Any]) -> Pending:
        """Start one forward pass over the rows; a device without memory for it raises."""
        ...


@runtime_checkable
class LocalReward(LocalModel, ScalarReward, Protocol):
    """A :class:`~charm_rm.protocols.ScalarReward` that runs here."""

    @property
    def layout(self) -> str:
        """How texts become rows."""
        ...

    @property
    def max_length(self) -> int:
        """Most tokens per row."""
        ...

    @property
    def numerics(self) -> Mapping[str, str]:
        """All besides model and text that a score depends on: a little, in its last digits."""
        ...

    def encode_many(self, prompts: Sequence[Prompt], responses: Sequence[str]) -> Sequence[TokenRow]:
        """The rows of these texts, shortened to ``max_length`` where they are longer."""
        ...


@dataclass
class Memory:
    """The token budget that a model's devices turned out to hold, for all calls to come; None: not met yet."""

    limit: int | None = None
