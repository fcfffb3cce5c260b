"""Clients that keep the server waiting: each is given up after its time, and all together take no rater's place."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from charm_rm.settings import ServeSettings
from charm_rm.study.web import connections
from charm_rm.study.web.server import configuration, listen
from study.web.served import Served, hidden, serve

PATIENCE = 0.3
LARGE = 12_000_000


class Small:
    """An application: it answers a POST with its body, /large with much at once, /stream in parts."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", scope["method"] == "POST"
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        parts = {"/large": [bytes(LARGE)], "/stream": [bytes(LARGE // 100)] * 100}.get(scope["path"], [body])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for part in parts:
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    """Where the small application is served."""
    with listen(ServeSettings(port=0)) as listening:
        server = uvicorn.Server(configuration(Small(), ServeSettings(port=0)))  # type: ignore[arg-type]
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        server.should_exit = True
        thread.join(20)


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "PATIENCE", PATIENCE)


def opened(port: int, said: bytes = b"", *, window: int | None = None) -> socket.socket:
    """A connection on which ``said`` was sent; ``window``: the bytes that the system takes of an answer before we read."""
    line = socket.socket()
    if window is not None:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    line.settimeout(20)
    line.connect(("127.0.0.1", port))
    line.sendall(said)
    return line


HEAD = b"POST / HTTP/1.1\r\nHost: a\r\n"
# What is sent at once, and then now and then.
NEVER_FINISHED = [
    (b"", b""),
    (b"", b"G"),
    (HEAD, b"a"),
    (HEAD + b"Content-Length: 60000\r\n\r\n", b"a"),
    (HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n"),
    (
        b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 60000\r\n\r\n",
        b"a",
    ),  # answered at once; its body never comes
    (HEAD + b"Content-Length: 1\r\n\r\na" + HEAD, b"a"),
]


def test_who_never_finishes_a_request_is_given_up(port: int) -> None:
    started, borne = time.monotonic(), dict.fromkeys(range(len(NEVER_FINISHED)), 0.0)
    with contextlib.ExitStack() as stack:
        lines = {i: stack.enter_context(opened(port, said)) for i, (said, _) in enumerate(NEVER_FINISHED)}
        while lines and time.monotonic() < started + 20:
            time.sleep(PATIENCE / 20)
            for i in [i for i, line in lines.items() if hung_up(line, NEVER_FINISHED[i][1])]:
                borne[i] = time.monotonic() - started
                del lines[i]
    assert min(borne.values()) > 0.9 * PATIENCE, borne
    assert not lines


def hung_up(line: socket.socket, trickling: bytes) -> bool:
    """Whether the server has hung up; if not, it is sent some more."""
    line.setblocking(False)
    try:
        line.sendall(trickling)
        while line.recv(100_000):
            pass
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


@pytest.mark.parametrize("path", ["/large", "/stream"])
def test_who_never_takes_an_answer_is_given_up(port: int, path: str) -> None:
    with opened(port, f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), window=4096) as line:
        time.sleep(PATIENCE * 3)
        assert len(taken(line)) < LARGE


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/large", "/stream"])
def test_who_takes_a_long_answer_slowly_gets_all_of_it(
    port: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 2.0)
    asked = f"GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n".encode()
    with opened(port, asked, window=65_536) as line:
        assert len(taken(line, pause=0.1)) > LARGE


def taken(line: socket.socket, *, pause: float = 0.0) -> bytes:
    """What comes until the server hangs up; ``pause``: seconds between looks, of which there are some sixty."""
    got = bytearray()
    with contextlib.suppress(OSError):
        while part := line.recv(200_000, socket.MSG_WAITALL):
            got += part
            time.sleep(pause)
    return bytes(got)


# --- the clock ------------------------------------------------------------------------------------


class Line(asyncio.Transport):
    """A connection that is none: what was sent on it, and how much of that the client has not taken."""

    def __init__(self) -> None:
        super().__init__()
        self.sent, self.untaken, self.aborted = b"", 0, False

    def write(self, data: Any) -> None:
        self.sent += data

    def get_write_buffer_size(self) -> int:
        return self.untaken

    def is_closing(self) -> bool:
        return self.aborted

    def close(self) -> None:
        """It is never really closed here."""

    def abort(self) -> None:
        self.aborted = True


def spoken(app: Any) -> tuple[connections.Impatient, Line]:
    config = configuration(app, ServeSettings(port=0))
    config.load()
    line = Line()
    protocol = connections.Impatient(config, uvicorn.server.ServerState(), {})
    protocol.connection_made(line)
    return protocol, line


async def until(true: Callable[[], Any]) -> None:
    for _ in range(1000):
        if true():
            return
        await asyncio.sleep(0)
    raise AssertionError


def test_the_clock_goes_while_the_client_is_waited_for_and_begins_anew_after_an_answer() -> None:
    async def talk() -> None:
        done = asyncio.Event()

        async def app(_scope: Any, _receive: Any, send: Any) -> None:
            await done.wait()
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"answer"})

        protocol, line = spoken(app)
        clocks: list[Any] = []
        for piece in (HEAD, b"Content-Length: 2\r\n\r\n", b"a"):  # in pieces: no more time by that
            clocks.append(protocol._clock)
            protocol.data_received(piece)
        assert len({*clocks, protocol._clock}) == 1
        assert clocks[0] is not None
        protocol.data_received(b"b")
        assert protocol._clock is None  # however long the study is at work for it
        done.set()
        await until(lambda: b"answer" in line.sent)
        assert protocol._clock not in (None, clocks[0])
        protocol.connection_lost(None)
        assert protocol._clock is None

    asyncio.run(talk())


def test_who_takes_enough_of_an_answer_in_each_time_is_waited_for_on() -> None:
    async def talk() -> None:
        protocol, line = spoken(Small())
        protocol.data_received(HEAD.replace(b"POST", b"GET") + b"\r\n")
        line.untaken = 100_000
        protocol.pause_writing()
        taken = [connections.LEAST_TAKEN, 70_000, connections.LEAST_TAKEN - 1]
        for n, hung_up in zip(taken, (False, False, True), strict=True):
            assert protocol._clock is not None
            protocol._stop()
            line.untaken -= n
            protocol._expire()
            assert line.aborted is hung_up
        protocol.connection_lost(None)  # which lets the application end
        await until(lambda: not protocol.tasks)

    asyncio.run(talk())


# --- how many -------------------------------------------------------------------------------------


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for three connections, which have much time."""
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 3)
    monkeypatch.setattr(connections, "PATIENCE", 60.0)


def open_ones(lines: Sequence[socket.socket], n: int) -> list[int]:
    """Which of these the server has not hung up on, once there are ``n``."""
    until, found = time.monotonic() + 20, list(range(len(lines)))
    while len(found) > n and time.monotonic() < until:
        time.sleep(0.02)
        found = [i for i in found if not hung_up(lines[i], b"")]
    return found


@pytest.mark.usefixtures("three")
def test_whom_the_server_waited_for_longest_makes_room(port: int) -> None:
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(opened(port, HEAD)) for _ in range(6)]
        assert open_ones(lines, 3) == [3, 4, 5]
        assert httpx.post(f"http://127.0.0.1:{port}/", content=b"here", verify=False).text == "here"
        assert open_ones(lines[3:], 2) == [1, 2]


@pytest.mark.usefixtures("three")
def test_a_rater_goes_on_among_many_that_never_finish(tmp_path: Path) -> None:
    with serve(tmp_path) as served, contextlib.ExitStack() as stack:
        client = stack.enter_context(httpx.Client(base_url=served.url, follow_redirects=True, verify=False))
        client.get(served.link())
        port = urlsplit(served.url).port or 0
        for _ in range(4):
            for _ in range(5):
                stack.enter_context(opened(port, HEAD))
            page = httpx.get(f"{served.url}/rate", cookies=client.cookies, verify=False)
            form = {**hidden(page.text), "choice": "left"}
            answer = httpx.post(f"{served.url}/rate", data=form, cookies=client.cookies, verify=False)
            assert answer.headers["location"] == "/rate"
        assert len(served.votes()) == 4


@pytest.mark.usefixtures("three")
def test_where_all_are_being_served_the_next_is_told_to_come_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve(tmp_path) as served:
        links = [served.link(name) for name in ("ann", "bob", "cid", "dee")]
        with contextlib.ExitStack() as stack:
            clients = [stack.enter_context(httpx.Client(verify=False)) for _ in links]
            go_on = held_back(served, monkeypatch)
            asking = [
                threading.Thread(target=c.get, args=(link,))
                for c, link in zip(clients, links[:3], strict=False)
            ]
            for thread in asking:
                thread.start()
            assert go_on.inside.wait(20)
            refused = clients[3].get(links[3])
            go_on.set()
            for thread in asking:
                thread.join(20)
            assert refused.status_code == 503
            assert "Too many are here at once" in refused.text
            assert int(refused.headers["retry-after"]) > 0
            assert refused.headers["connection"] == "close"
            assert "default-src 'none'" in refused.headers["content-security-policy"]
            assert all(client.cookies for client in clients[:3])
            assert clients[3].get(links[3]).status_code == 303


class Held(threading.Event):
    """Set by the test; ``inside`` is set once three wait for it."""

    def __init__(self) -> None:
        super().__init__()
        self.inside, self._count, self._lock = threading.Event(), 0, threading.Lock()

    def pass_through(self) -> None:
        with self._lock:
            self._count += 1
            if self._count == 3:
                self.inside.set()
        assert self.wait(20)


def held_back(served: Served, monkeypatch: pytest.MonkeyPatch) -> Held:
    """Have every link wait until the test says so."""
    held, real = Held(), type(served.database).rater_by_token

    def slowly(*arguments: Any, **more: Any) -> Any:
        held.pass_through()
        return real(*arguments, **more)

    monkeypatch.setattr(type(served.database), "rater_by_token", slowly)
    return held


def test_room_is_left_for_the_files_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections.resource, "getrlimit", lambda _: (256, 4096))
    assert connections.most_connections() == 128
    monkeypatch.setattr(
        connections.resource, "getrlimit", lambda _: (connections.resource.RLIM_INFINITY,) * 2
    )
    assert connections.most_connections() == 500
