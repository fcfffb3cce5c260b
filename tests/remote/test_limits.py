"""What servers' headers ask for, and the gate that listens to it."""

from __future__ import annotations

import asyncio
import datetime
import email.utils
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

pytest.importorskip("httpx", reason="needs the [api] extra")

from charm_rm.remote.limits import LONGEST_PAUSE, Clock, Gate, reset_in, retry_after, used_up_for

NOW = 1_795_000_000.0


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after-ms": "250"}, 0.25),
        ({"retry-after-ms": "250", "retry-after": "7"}, 0.25),
        ({"retry-after": email.utils.formatdate(NOW + 30, usegmt=True)}, 30.0),
        ({"retry-after": email.utils.formatdate(NOW - 30, usegmt=True)}, 0.0),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "Fri, 99 Foo 2026 25:61:00 GMT"}, None),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, wall=NOW) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("6m0s", 360.0),
        ("1h2m3.5s", 3723.5),
        ("120ms", 0.12),
        ("2m59.56s", 179.56),
        ("12", 12.0),
        ("0.5", 0.5),
        (str(NOW + 9), 9.0),
        (str((NOW + 9) * 1000), 9.0),
        (datetime.datetime.fromtimestamp(NOW + 20, tz=datetime.UTC).isoformat(), 20.0),
        (datetime.datetime.fromtimestamp(NOW - 20, tz=datetime.UTC).isoformat(), 0.0),
        ("6 minutes", None),
        ("m", None),
        ("", None),
        (None, None),
        ("2026-11-24T10:00:00", None),  # of no known zone
    ],
)
def test_reset(text: str | None, seconds: float | None) -> None:
    assert reset_in(text, wall=NOW) == (seconds if seconds is None else pytest.approx(seconds, abs=1e-3))


def test_a_header_of_digits_alone_takes_no_time() -> None:
    started = time.monotonic()
    assert reset_in("1" * 60_000, wall=NOW) is None
    assert reset_in("1m" * 60, wall=NOW) is None
    assert time.monotonic() - started < 1


@given(st.text(max_size=30))
def test_no_header_breaks_the_reading(text: str) -> None:
    for seconds in (retry_after({"retry-after": text}, wall=NOW), reset_in(text, wall=NOW)):
        assert seconds is None or seconds >= 0


def test_a_limit_that_is_used_up_asks_for_a_pause() -> None:
    headers = {"x-ratelimit-remaining-requests": "0", "x-ratelimit-reset-requests": "2s"}
    assert used_up_for(headers, size=10, wall=NOW) == 2.0
    assert used_up_for(headers | {"x-ratelimit-remaining-requests": "1"}, size=10, wall=NOW) == 0.0


def test_tokens_count_against_the_size_of_the_next_request() -> None:
    headers = {"x-ratelimit-remaining-tokens": "500", "x-ratelimit-reset-tokens": "3s"}
    assert used_up_for(headers, size=500, wall=NOW) == 0.0
    assert used_up_for(headers, size=501, wall=NOW) == 3.0


def test_the_longest_of_several_pauses_wins_and_none_is_endless() -> None:
    headers = {
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-requests": "2s",
        "x-ratelimit-remaining-tokens": "0",
        "x-ratelimit-reset-tokens": "10h",
        "x-ratelimit-remaining-images": "lots",
    }
    assert used_up_for(headers, size=1, wall=NOW) == LONGEST_PAUSE


# --- the gate -----------------------------------------------------------------------------------


class StillClock(Clock):
    """Time that passes by sleeping alone."""

    def __init__(self) -> None:
        self.time = 0.0

    def now(self) -> float:
        return self.time

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)
        self.time = max(self.time, self.time + seconds)


def test_the_gate_holds_its_bound() -> None:
    async def main() -> int:
        gate = Gate(3, StillClock())
        most = 0

        async def one() -> None:
            nonlocal most
            async with gate.slot():
                most = max(most, gate.running)
                await asyncio.sleep(0)
                await asyncio.sleep(0)

        await asyncio.gather(*(one() for _ in range(30)))
        assert gate.running == 0
        return most

    assert asyncio.run(main()) == 3


def test_the_gate_narrows_once_for_all_that_was_under_way_and_widens_again() -> None:
    gate = Gate(16, StillClock())
    for _ in range(10):
        gate.narrow(0)
    assert gate.limit == 8
    gate.narrow(1)
    assert gate.limit == 4
    for _ in range(4):
        gate.widen()
    assert 4.8 < gate.limit <= 5
    for _ in range(1000):
        gate.widen()
    assert gate.limit == 16


def test_the_gate_never_closes() -> None:
    gate = Gate(2, StillClock())
    for step in range(10):
        gate.narrow(step)
    assert gate.limit == 1


def test_a_pause_holds_everybody_back() -> None:
    async def main() -> list[float]:
        clock = StillClock()
        gate = Gate(4, clock)
        gate.pause(5)
        gate.pause(2)  # a shorter one does not shorten it

        async def one() -> float:
            async with gate.slot():
                return clock.now()

        return await asyncio.gather(*(one() for _ in range(4)))

    assert all(started >= 5 for started in asyncio.run(main()))
