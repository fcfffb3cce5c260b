"""Asynchronous work behind an ordinary iterator: results come as they are ready, and closing it ends everything."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator, Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
J = TypeVar("J")
Q = TypeVar("Q")

# How long closing waits for the thread. It is a daemon: what hangs beyond that (a name server) holds up no exit.
_JOIN_SECONDS = 5.0
_WAKE_SECONDS = 0.2


@dataclass(frozen=True)
class _Failed:
    error: BaseException


@dataclass(frozen=True)
class _Result(Generic[T]):
    value: T


class _Ended:
    pass


def streamed(main: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]]) -> Generator[T, None, None]:
    """Run ``main(emit)`` in an event loop of its own, in a thread, and yield what it emits, as it does.

    The loop goes on while the caller works on a result. What ``main`` raises comes after all that it emitted before.
    Closing the iterator, or an exception in the caller's thread (KeyboardInterrupt), cancels ``main`` and waits for it.
    It works inside a running event loop too, as in a notebook.
    """
    out: queue.SimpleQueue[_Result[T] | _Failed | _Ended] = queue.SimpleQueue()
    runner = _Runner(main, out)
    runner.thread.start()
    try:
        while not isinstance(item := _next(out), _Ended):
            if isinstance(item, _Failed):
                raise item.error
            yield item.value
    finally:
        runner.stop()


def _next(out: queue.SimpleQueue[Q]) -> Q:
    """The next item. A thread that waits without end may sleep through Ctrl-C: look up now and then."""
    while True:
        with contextlib.suppress(queue.Empty):
            return out.get(timeout=_WAKE_SECONDS)


class _Runner(Generic[T]):
    def __init__(
        self,
        main: Callable[[Callable[[T], None]], Coroutine[Any, Any, None]],
        out: queue.SimpleQueue[_Result[T] | _Failed | _Ended],
    ) -> None:
        self._main, self._out = main, out
        self._ready = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self.thread = threading.Thread(target=self._run, name="charm-remote", daemon=True)

    def stop(self) -> None:
        """Cancel what still runs, and wait for its end."""
        self._ready.wait(_JOIN_SECONDS)
        if self.thread.is_alive() and self._loop is not None and self._task is not None:
            with contextlib.suppress(RuntimeError):  # it ended in this very moment
                self._loop.call_soon_threadsafe(self._task.cancel)
        self.thread.join(_JOIN_SECONDS)

    def _run(self) -> None:
        try:
            asyncio.run(self._hold())
        except asyncio.CancelledError:
            pass
        except BaseException as error:
            self._out.put(_Failed(error))
        finally:
            self._ready.set()
            self._out.put(_Ended())

    async def _hold(self) -> None:
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        self._ready.set()
        await self._main(lambda value: self._out.put(_Result(value)))


async def each(jobs: Iterable[J], work: Callable[[J], Awaitable[None]], *, workers: int) -> None:
    """Do ``work`` for every job, at most ``workers`` at once, taking jobs in order and only when there is room.

    The first failure cancels the others and is raised.
    """
    waiting = iter(jobs)

    async def worker() -> None:
        for job in waiting:
            await work(job)

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(workers):
                group.create_task(worker())
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0] from None
