"""What the tests of remote models share: patience that passes quickly, servers that end with the test, a canary key."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator

import pytest

pytest.importorskip("httpx", reason="needs the [api] extra")
pytest.importorskip("tenacity", reason="needs the [api] extra")

from charm_rm.remote.limits import Clock
from charm_rm.remote.patience import Patience
from remote.fault_server import Answer, Asked, FaultServer

CANARY = "sk-canary-8f3b1c2d9e7a6f50"


class FastClock(Clock):
    """A clock that runs so many times faster than the wall's, and remembers how long it was asked to sleep."""

    def __init__(self, factor: float = 100.0) -> None:
        self.factor = factor
        self.slept: list[float] = []

    def now(self) -> float:
        return time.monotonic() * self.factor

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        await asyncio.sleep(seconds / self.factor)


@pytest.fixture
def clock() -> FastClock:
    return FastClock()


@pytest.fixture
def patience(clock: FastClock) -> Patience:
    """Six retries that take a hundredth of their time."""
    return Patience(clock=clock)


@pytest.fixture
def serve() -> Iterator[Callable[[Callable[[Asked], Answer]], FaultServer]]:
    """Start a server with a script; it ends with the test."""
    with contextlib.ExitStack() as stack:
        yield lambda script: stack.enter_context(FaultServer(script).running())


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A key in CHARM_TEST_KEY that must never be seen anywhere but in the authorization header."""
    monkeypatch.setenv("CHARM_TEST_KEY", CANARY)
    return CANARY
