"""How often and how long a request is tried."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Iterator
from dataclasses import dataclass, field

import tenacity

from ..errors import ConfigError, RemoteError
from .limits import Clock
from .problems import Transient


@dataclass(frozen=True)
class Patience:
    """How often and how long a request is tried: the pause starts at ``first`` seconds, doubles up to ``longest``.

    ``total`` seconds is all that one request may take, pauses included; a server that asks for a longer wait than
    is left has failed.
    """

    retries: int = 6
    first: float = 0.5
    longest: float = 30.0
    total: float = 900.0
    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        if self.retries < 0 or self.first < 0 or self.longest < self.first or self.total <= 0:
            raise ConfigError("retries and times to wait must not be negative", fix="give at least 0 retries")


class Tries:
    """The tries of one request: how long they and the pauses between them took, and what the last one met.

    Waiting for a place among the others is not counted: it is no sign that the server fails.
    """

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._grow = tenacity.wait_exponential(multiplier=patience.first, max=patience.longest)
        self._count = 0
        self._spent = 0.0
        self.last = Transient("")

    @contextlib.contextmanager
    def timed(self) -> Iterator[None]:
        """Count the block as one try and its time as spent."""
        started = self._patience.clock.now()
        self._count += 1
        try:
            yield
        finally:
            self._spent += self._patience.clock.now() - started

    async def sleep(self, seconds: float) -> None:
        """Pause between two tries."""
        self._spent += seconds
        await self._patience.clock.sleep(seconds)

    def wait(self, state: tenacity.RetryCallState) -> float:
        """A growing pause, less up to half of it, so that many who failed together do not come back together; longer
        where the server asks for longer (clocks differ, so it may ask for none at all)."""
        grown = self._grow(state) * (0.5 + random.random() / 2)
        asked = self.last.wait
        return grown if asked is None else max(grown, asked + random.random() * self._patience.first / 10)

    def stop(self, state: tenacity.RetryCallState) -> bool:
        """Whether the patience is at its end, or would be after the pause that comes next."""
        too_long = self._spent + state.upcoming_sleep > self._patience.total
        return state.attempt_number > self._patience.retries or too_long

    def exhausted(self, where: str) -> RemoteError:
        """The error at the end of the patience."""
        asked = self.last.wait
        wait = f"; it asks to wait {asked:.0f} s" if asked and asked > 1 else ""
        wait = "; it asks to wait for more than a day" if asked and asked > 86400 else wait
        tries = "1 try" if self._count == 1 else f"{self._count} tries"
        return RemoteError(
            f"no usable answer after {tries} in {self._spent:.0f} s; the last one: {self.last}{wait}",
            where=where,
            fix="check that the server runs and has room, or lower --concurrency, and run again; in Python timeout= and "
            "retries= can be raised, too",
        )
