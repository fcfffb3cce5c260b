"""A real HTTP server on loopback whose answers, good and bad, the test scripts."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, Literal

# raw: the body is all that is sent, head and all; hold: and then nothing, with the connection open; endless: its last bytes
# again and again.
Fault = Literal["drop", "drop-after-headers", "cut", "drip", "not-http", "raw", "hold", "endless"]


@dataclass(frozen=True)
class Asked:
    """A request as it came in; ``number`` counts them from 0."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Any


@dataclass(frozen=True)
class Answer:
    """What goes back: ``body`` as JSON unless it is bytes, after ``delay`` seconds, spoilt by ``fault``."""

    body: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    fault: Fault | None = None


class FaultServer:
    """Answers each request with what ``script`` says; keeps what was asked and how many requests ran at once."""

    def __init__(self, script: Callable[[Asked], Answer]) -> None:
        self.script = script
        self.asked: list[Asked] = []
        self.at_once = 0
        self.most_at_once = 0
        self._lock = threading.Lock()
        self._http = _Quiet(("127.0.0.1", 0), type("Handler", (_Handler,), {"scripted": self}))
        self.port = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    @contextlib.contextmanager
    def running(self) -> Iterator[FaultServer]:
        thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            self._http.server_close()
            thread.join()

    @contextlib.contextmanager
    def counted(self) -> Iterator[None]:
        with self._lock:
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            yield
        finally:
            with self._lock:
                self.at_once -= 1

    def note(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Asked:
        value = json.loads(body) if body else None
        with self._lock:
            asked = Asked(len(self.asked), method, path, headers, value)
            self.asked.append(asked)
        return asked


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_: Any) -> None:
        """A client that went away is what some tests want."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    scripted: ClassVar[FaultServer]

    def do_GET(self) -> None:
        self._do()

    def do_POST(self) -> None:
        self._do()

    def log_message(self, *_: Any) -> None:
        pass

    def _do(self) -> None:
        server = self.scripted
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        headers = {k.lower(): v for k, v in self.headers.items()}
        with server.counted():
            asked = server.note(self.command, self.path, headers, body)
            answer = server.script(asked)
            time.sleep(answer.delay)
            # Counted as ended before the client can know of it.
        self._send(answer)

    def _send(self, answer: Answer) -> None:
        body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
        if answer.fault in ("raw", "hold", "endless"):
            return self._raw(body, answer.fault)
        if answer.fault in ("drop", "not-http"):
            self.wfile.write(b"SSH-2.0-OpenSSH_9.9\r\n" if answer.fault == "not-http" else b"")
            return self._hang_up()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if answer.fault == "drip":
            return self._drip(body)
        sent = {"drop-after-headers": 0, "cut": len(body) // 2}.get(answer.fault or "", len(body))
        self.wfile.write(body[:sent])
        return None if sent == len(body) else self._hang_up()

    def _raw(self, body: bytes, fault: Fault) -> None:
        """Write ``body`` as it is; a client that has had enough closes the connection."""
        with contextlib.suppress(OSError):
            self.wfile.write(body)
            self.wfile.flush()
            if fault == "hold":
                self.connection.settimeout(5)
                self.rfile.read(1)
            while fault == "endless":
                self.wfile.write(body[-4096:])
        self._hang_up()

    def _drip(self, body: bytes) -> None:
        for byte in body:
            self.wfile.write(bytes([byte]))
            time.sleep(0.05)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)


def closed_port() -> int:
    """A port of loopback on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
