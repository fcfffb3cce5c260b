"""Connections that keep the server waiting: each has its time, and all together their number.

uvicorn by itself waits for ever for a request that is never finished, and for a browser that never takes its answer. A few thousand such
connections would use up the files that a process may open, and nobody could vote any more.
"""

from __future__ import annotations

import asyncio
import resource

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

# Seconds that a client has for the whole of a request, from the connection or from the answer before on. Votes are 1 kB.
PATIENCE = 30.0
# Of an answer that waits to be taken, so many bytes have to be taken in that time.
LEAST_TAKEN = 16 * 1024
# 50 browsers open 300 at most, and those that do nothing are closed after 5 seconds.
MOST_CONNECTIONS = 500
# How many may wait to be let in; they are let in all at once.
BACKLOG = 100
# In the state of a request on a connection for which there was no room.
CROWDED = "crowded"


def most_connections() -> int:
    """How many connections may be open: half of the files that this process may open, and :data:`MOST_CONNECTIONS` at most."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return MOST_CONNECTIONS if files == resource.RLIM_INFINITY else min(MOST_CONNECTIONS, files // 2)


class Impatient(H11Protocol):
    """HTTP/1.1 as uvicorn has it, with an end to waiting for the client.

    Where there is no room for a connection the one that has been waited for longest goes; where the study is at work for all of them, the
    new one is let in to be told so (:data:`CROWDED`).
    """

    _clock: asyncio.TimerHandle | None = None
    _untaken = 0

    # --- what uvicorn and asyncio call ------------------------------------------------------------

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Let the client in, in another's place where that is needed."""
        super().connection_made(transport)
        if len(self.connections) > most_connections():
            self._make_room()
        self._look()

    def data_received(self, data: bytes) -> None:
        """Read on."""
        super().data_received(data)
        self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request anew."""
        self._stop()
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        """The client is slow to take its answer."""
        super().pause_writing()
        self._look()

    def resume_writing(self) -> None:
        """The client has taken what there was."""
        super().resume_writing()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop()
        super().connection_lost(exc)

    # --- the clock --------------------------------------------------------------------------------

    def _look(self) -> None:
        """Have the clock go while the client is waited for, and not while the study is at work for it."""
        if self._at_work():
            self._stop()
        elif self._clock is None:
            self._start()

    def _at_work(self) -> bool:
        """Whether a request is here as a whole, its answer is not complete, and the client has taken what there is of it."""
        here = self.conn.their_state not in (h11.IDLE, h11.SEND_BODY)
        unanswered = self.cycle is not None and not self.cycle.response_complete
        return here and unanswered and not self.flow.write_paused

    def _start(self) -> None:
        self._untaken = self.transport.get_write_buffer_size()
        self._clock = self.loop.call_later(PATIENCE, self._expire)

    def _stop(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _expire(self) -> None:
        """Hang up, unless the client is taking a long answer."""
        self._clock = None
        if 0 < self.transport.get_write_buffer_size() <= self._untaken - LEAST_TAKEN:
            self._start()
        else:
            self.transport.abort()

    # --- room -------------------------------------------------------------------------------------

    def _make_room(self) -> None:
        waiting = {
            one: one._clock.when()
            for one in self.connections
            if isinstance(one, Impatient) and one._clock is not None
        }
        if not waiting:
            self.app_state = {**self.app_state, CROWDED: True}
            return
        longest = min(waiting, key=waiting.__getitem__)
        self.connections.discard(
            longest
        )  # it is lost in the next turn of the loop, and others may come in this one
        longest.transport.abort()


__all__ = [
    "BACKLOG",
    "CROWDED",
    "LEAST_TAKEN",
    "MOST_CONNECTIONS",
    "PATIENCE",
    "Impatient",
    "most_connections",
]
