"""Several processes that train one model: who this one is, what the first does for all, and how the pairs of a step are dealt out.

``accelerate launch`` starts them and tells each its number by the environment. All read the same pairs and draw the same steps; of
each step every process computes its part, and gradients are averaged. So the loss is that of one process, whatever their number.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ...errors import CharmError, ConfigError
from ...settings import TrainSettings
from ..extras import require

T = TypeVar("T")
_SHARDED = {"ACCELERATE_USE_FSDP": "fsdp", "ACCELERATE_USE_DEEPSPEED": "deepspeed"}


@dataclass(frozen=True)
class Processes:
    """This process among ``count``: number ``rank``, the first being 0. ``sharded``: fsdp or deepspeed, where weights are spread."""

    rank: int = 0
    count: int = 1
    sharded: str | None = None

    @property
    def first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    @property
    def alone(self) -> bool:
        """Whether there is no other."""
        return self.count == 1


ALONE = Processes()


def these_processes() -> Processes:
    """Who this process is, by what a launcher told it; one that was not launched is alone."""
    count = int(os.environ.get("WORLD_SIZE", "1"))
    if count <= 1:
        return ALONE
    sharded = next(
        (name for flag, name in _SHARDED.items() if os.environ.get(flag, "").lower() == "true"), None
    )
    return Processes(int(os.environ.get("RANK", "0")), count, sharded)


def join_processes() -> Processes:
    """:func:`these_processes`, connected to one another."""
    found = these_processes()
    if not found.alone:
        require("accelerate").PartialState(cpu=not require("torch").cuda.is_available())
    return found


def refuse_together(processes: Processes, settings: TrainSettings, *, anchored: bool) -> None:
    """Refuse what several processes cannot do together.

    Raises:
        ConfigError: an anchored training, fewer pairs in a step than processes, or adapters where weights are spread.
    """
    if processes.alone:
        return
    if anchored:
        raise ConfigError(
            f"an anchored training takes one process, and there are {processes.count}: its loss needs all rewards of a step in one place",
            fix="train without --launch, or without --anchor",
        )
    if settings.batch_size < processes.count:
        raise ConfigError(
            f"a step of {settings.batch_size} pairs is too small for {processes.count} processes",
            fix="raise --batch-size, or launch fewer processes",
        )
    if processes.sharded and settings.lora:
        raise ConfigError(
            f"adapters are not trained with weights spread over GPUs ({processes.sharded})",
            fix="adapters are small: train on one GPU, or by a configuration of distributed_type MULTI_GPU",
        )


def by_the_first(processes: Processes, work: Callable[[], T]) -> T:
    """What ``work`` gives, done by the first process for all; its error is everybody's."""
    if processes.alone:
        return work()
    told: list[Any] = [None, None]
    if processes.first:
        try:
            told[0] = work()
        except CharmError as error:
            told[1] = error
    require("torch").distributed.broadcast_object_list(told, src=0)
    if told[1] is not None:
        raise told[1]
    result: T = told[0]
    return result


def gathered(processes: Processes, value: T) -> list[T]:
    """The values of all processes, in their order."""
    if processes.alone:
        return [value]
    found: list[Any] = [None] * processes.count
    require("torch").distributed.all_gather_object(found, value)
    return found


def deal(
    order: NDArray[np.intp], *, at_once: int, processes: Processes
) -> list[tuple[NDArray[np.intp], int]]:
    """This process's groups of a step's pairs, each with how many of it count: 0 marks a stand-in, which has no weight.

    Every process has as many groups as every other, as a group is a forward and a backward pass that all take together. Groups lie in
    the order of the pairs, the longest first, and go round: what is computed at one time is of about one length.

    Args:
        order: numbers of the pairs, the longest first.
        at_once: most pairs in a group.
    """
    rounds = max(1, -(-len(order) // (at_once * processes.count)))
    groups = np.array_split(order, rounds * processes.count)
    mine: Sequence[NDArray[np.intp]] = groups[processes.rank :: processes.count]
    return [(group, len(group)) if len(group) else (order[-1:], 0) for group in mine]


def wait_to_be_ended(processes: Processes, *, expected: bool) -> None:
    """Give the launcher time to end this process before it tells of its error: of several, one is to speak.

    The first process tells of errors that are ``expected`` at once. Others wait a little: where all of them meet one error, they
    are ended meanwhile. What is unexpected is mostly another process that is gone.
    """
    if not processes.alone:
        time.sleep((0 if processes.first else 2) if expected else 6)
