"""Asynchronous work behind an iterator: it comes as it is ready, and ends however it ends."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from charm_rm.remote.running import each, streamed

Emit = Callable[[int], None]


def threads() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name == "charm-remote"]


def test_results_come_as_they_are_ready() -> None:
    async def main(emit: Emit) -> None:
        async def one(n: int) -> None:
            await asyncio.sleep(0.05 * (3 - n))
            emit(n)

        await each(range(3), one, workers=3)

    assert list(streamed(main)) == [2, 1, 0]
    assert threads() == []


def test_the_work_goes_on_while_the_caller_is_busy() -> None:
    ended = threading.Event()

    async def main(emit: Emit) -> None:
        for n in range(4):
            await asyncio.sleep(0)
            emit(n)
        ended.set()

    results = streamed(main)
    assert next(results) == 0
    assert ended.wait(60), "the loop stood still while the caller held a result"
    assert list(results) == [1, 2, 3]


def test_what_was_emitted_comes_before_the_error() -> None:
    async def main(emit: Emit) -> None:
        emit(1)
        emit(2)
        raise ValueError("broken")

    results = streamed(main)
    assert [next(results), next(results)] == [1, 2]
    with pytest.raises(ValueError, match="broken"):
        next(results)
    assert threads() == []


def test_the_first_failure_cancels_the_rest() -> None:
    cancelled = []

    async def main(_: Emit) -> None:
        async def one(n: int) -> None:
            if n == 1:
                raise ValueError("one")
            try:
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                cancelled.append(n)
                raise

        await each(range(4), one, workers=4)

    started = time.monotonic()
    with pytest.raises(ValueError, match="one"):
        list(streamed(main))
    assert time.monotonic() - started < 5
    assert sorted(cancelled) == [0, 2, 3]


def test_jobs_are_taken_when_there_is_room_and_in_order() -> None:
    taken: list[int] = []

    def jobs() -> object:
        for n in range(20):
            taken.append(n)
            yield n

    async def main(emit: Emit) -> None:
        async def one(n: int) -> None:
            assert len(taken) <= n + 4
            await asyncio.sleep(0)
            emit(n)

        await each(jobs(), one, workers=4)  # type: ignore[arg-type]

    assert sorted(streamed(main)) == list(range(20))
    assert taken == list(range(20))


@pytest.mark.parametrize("how", ["close", "error", "forget"])
def test_leaving_early_ends_everything(how: str) -> None:
    ended = threading.Event()

    async def main(emit: Emit) -> None:
        try:
            emit(1)
            await asyncio.sleep(60)
        finally:
            ended.set()

    results = streamed(main)
    assert next(results) == 1
    started = time.monotonic()
    if how == "close":
        results.close()
    elif how == "error":
        with pytest.raises(KeyboardInterrupt):
            results.throw(KeyboardInterrupt())
    else:
        del results
    assert ended.wait(2)
    assert time.monotonic() - started < 2
    assert threads() == []


def test_nothing_starts_before_it_is_asked_for() -> None:
    async def main(emit: Emit) -> None:
        emit(1)

    results = streamed(main)
    assert threads() == []
    results.close()


def test_it_works_inside_a_running_loop() -> None:
    async def main(emit: Emit) -> None:
        await asyncio.sleep(0)
        emit(7)

    async def notebook() -> list[int]:
        return list(streamed(main))

    assert asyncio.run(notebook()) == [7]


# Where tests run in the background, SIGINT is ignored from birth; a person's terminal does not do that.
PROGRAM = """
    import signal, sys
    signal.signal(signal.SIGINT, signal.default_int_handler)
    from charm_rm.remote import OpenAIChat
    chat = OpenAIChat("m", base_url=sys.argv[1], api_key_env=None, concurrency=4, timeout=600)
    talks = [[{"role": "user", "content": str(i)}] for i in range(50)]
    for index, reply in chat.replies(talks, max_tokens=1, top_logprobs=0):
        print("got", index, flush=True)
"""


def test_control_c_ends_a_run_that_waits_for_a_silent_server() -> None:
    pytest.importorskip("httpx", reason="needs the [api] extra")
    from remote.fault_server import Answer, Asked, FaultServer

    answer = {"choices": [{"message": {"content": "A"}, "finish_reason": "stop"}]}
    silent = threading.Event()

    def script(asked: Asked) -> Answer:
        if asked.number > 0:
            silent.wait(20)
        return Answer(answer)

    source = str(Path(__file__).resolve().parents[2] / "src")
    with FaultServer(script).running() as server:
        run = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(PROGRAM), server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": source},
        )
        try:
            assert run.stdout is not None
            assert run.stdout.readline().startswith("got ")  # whichever of the four was asked first
            run.send_signal(signal.SIGINT)
            _, errors = run.communicate(timeout=8)
        finally:
            run.kill()
            silent.set()
    assert "KeyboardInterrupt" in errors
    assert run.returncode == -signal.SIGINT
