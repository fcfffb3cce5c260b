"""A wire between browser and server that keeps every byte that comes from the server."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass
class Wire:
    """What the server has sent, all connections together."""

    url: str
    received: bytearray = field(default_factory=bytearray)


@contextlib.contextmanager
def tapped(url: str) -> Iterator[Wire]:
    """A port that leads to ``url``, until the end of the block."""
    target = ("127.0.0.1", int(url.rpartition(":")[2]))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        wire = Wire(f"http://127.0.0.1:{listening.getsockname()[1]}")
        threading.Thread(target=_accept, args=(listening, target, wire.received), daemon=True).start()
        yield wire


def _accept(listening: socket.socket, target: tuple[str, int], kept: bytearray) -> None:
    with contextlib.suppress(OSError):  # the block has ended
        while True:
            browser, _ = listening.accept()
            server = socket.create_connection(target)
            threading.Thread(target=_pass_on, args=(browser, server, None), daemon=True).start()
            threading.Thread(target=_pass_on, args=(server, browser, kept), daemon=True).start()


def _pass_on(giver: socket.socket, taker: socket.socket, kept: bytearray | None) -> None:
    with contextlib.suppress(OSError), giver, taker:
        while chunk := giver.recv(65_536):
            if kept is not None:
                kept += chunk
            taker.sendall(chunk)
