"""How hard to press a server: what its headers ask for, and a gate that narrows, widens and pauses."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import email.utils
import math
import re
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field

# A header that asks for a longer pause before a limit is hit is not followed further than this: a 429 will say.
LONGEST_PAUSE = 60.0
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_PART = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ms|us|µs|ns|d|h|m|s)")
_REMAINING = "x-ratelimit-remaining"
# A duration or a date is shorter; searching a header of 60,000 digits for units takes minutes.
_LONGEST = 100


class Clock:
    """Time, so that tests can have it run faster."""

    def now(self) -> float:
        """Seconds from some moment on, never backwards."""
        return time.monotonic()

    def wall(self) -> float:
        """Seconds since 1970."""
        return time.time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)


# --- headers ------------------------------------------------------------------------------------


def retry_after(headers: Mapping[str, str], *, wall: float) -> float | None:
    """Seconds that the answer asks to wait: ``retry-after-ms``, else ``Retry-After`` in seconds or as a date.

    None where it says nothing that can be understood.
    """
    milliseconds = _number(headers.get("retry-after-ms"))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    text = headers.get("retry-after")
    seconds = _number(text)
    if seconds is None and text:
        moment = _http_date(text)
        seconds = None if moment is None else moment - wall
    return None if seconds is None else max(0.0, seconds)


def used_up_for(headers: Mapping[str, str], *, size: int, wall: float) -> float:
    """Seconds until there is room again, 0 where there is: from ``x-ratelimit-remaining-*`` and ``-reset-*``.

    ``size`` is about how many tokens the next request takes; a budget of tokens below that counts as used up.
    """
    pause = 0.0
    for name, text in headers.items():
        if not name.lower().startswith(_REMAINING):
            continue
        remaining = _number(text)
        needed = size if "token" in name.lower() else 1
        if remaining is None or remaining >= needed:
            continue
        reset = reset_in(headers.get(name.lower().replace("remaining", "reset", 1)), wall=wall)
        pause = max(pause, min(reset or 0.0, LONGEST_PAUSE))
    return pause


def reset_in(text: str | None, *, wall: float) -> float | None:
    """Seconds until a limit starts anew: ``6m0s``, ``120ms``, seconds, a moment in Unix time, or an ISO date."""
    if not text or len(text) > _LONGEST:
        return None
    number = _number(text)
    if number is not None:
        if number > 1e11:
            number /= 1000
        return max(0.0, number - wall if number > 1e9 else number)
    parts = _PART.findall(text)
    if parts and "".join(n + u for n, u in parts) == text.strip():
        return sum(float(n) * _UNITS[u] for n, u in parts)
    with contextlib.suppress(ValueError):
        moment = datetime.datetime.fromisoformat(text.strip())
        if moment.tzinfo is not None:
            return max(0.0, moment.timestamp() - wall)
    return None


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _http_date(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None


# --- the gate -----------------------------------------------------------------------------------


@dataclass
class Gate:
    """Lets at most ``most`` requests run at once; fewer after the server said that it is too much, then more again.

    One step down halves the number, each request that went well adds a share of one. Requests that were under way
    when it stepped down do not make it step down again. A pause holds all requests back, whoever met the limit.
    """

    most: int
    clock: Clock
    limit: float = 0.0
    running: int = 0
    _paused_until: float = -math.inf
    _step: int = 0
    _freed: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self.limit = self.limit or float(self.most)

    @contextlib.asynccontextmanager
    async def slot(self) -> AsyncIterator[int]:
        """Wait for a place and hold it for the block; yields the step at which it started."""
        await self._enter()
        try:
            yield self._step
        finally:
            self.running -= 1
            self._freed.set()

    def pause(self, seconds: float) -> None:
        """Start no request for so long."""
        self._paused_until = max(self._paused_until, self.clock.now() + seconds)

    def narrow(self, step: int) -> None:
        """Halve what may run, where nobody has since the request of ``step`` started."""
        if step == self._step:
            self._step += 1
            self.limit = max(1.0, self.limit / 2)

    def widen(self) -> None:
        """A request went well."""
        self.limit = min(float(self.most), self.limit + 1 / self.limit)

    async def _enter(self) -> None:
        while True:
            wait = self._paused_until - self.clock.now()
            if wait > 0:
                await self.clock.sleep(wait)
            elif self.running < int(self.limit):
                break
            else:
                self._freed.clear()
                await self._freed.wait()
        self.running += 1
