"""Many raters at once, over HTTP, against a real server process; each keeps its own books of what the server has told it is saved."""

from __future__ import annotations

import json
import os
import queue
import random
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx

from study.web.served import hidden

CHOICES = ("left", "right", "tie", "both_bad")


# --- the server -----------------------------------------------------------------------------------


@dataclass
class Server:
    """`charm study serve` in a process of its own; after a kill it is started again at the same port."""

    arguments: list[str]
    port: int
    nursery: subprocess.Popen[str]
    pid: int = 0
    lines: queue.Queue[str] = field(default_factory=queue.Queue)

    def __post_init__(self) -> None:
        """Read what the server says, always: where nobody reads, it waits for room in the pipe once it has said 64 kB."""
        threading.Thread(target=self.listen, daemon=True).start()

    def listen(self) -> None:
        assert self.nursery.stdout is not None
        for line in self.nursery.stdout:
            self.lines.put(line)
        self.lines.put("")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        words = ["study", "serve", *self.arguments, "--port", str(self.port), "--no-admin-link"]
        assert self.nursery.stdin is not None
        self.nursery.stdin.write(json.dumps(words) + "\n")
        self.nursery.stdin.flush()
        self.pid, said = 0, ""
        while not self.pid or self.url not in said:
            line = self.lines.get(timeout=60)
            assert line, f"the server did not start: {said}"
            said += line
            self.pid = int(line[4:]) if line.startswith("pid ") else self.pid

    def end(self, number: int = signal.SIGKILL) -> None:
        """Kill the server, or send it another signal, and wait until it is gone. SIGKILL: nothing is finished, nothing is closed."""
        os.kill(self.pid, number)
        until = time.monotonic() + 60
        while _lives(self.pid):
            assert time.monotonic() < until, "the server does not end"
            time.sleep(0.005)


@contextmanager
def server(arguments: list[str], **environment: str) -> Iterator[Server]:
    """`charm study serve ARGUMENTS` on a free port, until the end of the block."""
    nursery = subprocess.Popen(
        [sys.executable, str(Path(__file__).with_name("nursery.py"))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, **environment},
    )
    running = Server(arguments, _free_port(), nursery)
    try:
        running.start()
        yield running
        running.end(signal.SIGTERM)
    finally:
        if running.pid and _lives(running.pid):
            running.end()
        nursery.kill()
        nursery.wait()


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def _free_port() -> int:
    """Below those that the system gives to clients: while the server is down, no rater's own connection may take its port."""
    draw = random.SystemRandom()
    while True:
        port = draw.randrange(20_000, 30_000)
        with socket.socket() as tried:
            try:
                tried.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


# --- raters ---------------------------------------------------------------------------------------


@dataclass
class Crowd:
    """What all raters know: the server, how many votes each is to give, and what goes wrong how often."""

    url: str
    votes_each: int
    seed: int = 0
    doubled: float = 0.0
    lost: float = 0.0
    undone: float = 0.0
    patience: float = 60.0
    database_ends: bool = False
    goes_on: Callable[[], bool] = lambda: True
    latencies: list[float] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def count(self, what: str) -> None:
        with self.lock:
            self.counts[what] = self.counts.get(what, 0) + 1

    def vote(self, tokens: dict[str, str]) -> dict[str, dict[str, str]]:
        """Let all vote at once; by rater, the assignments whose votes were acknowledged, and what was pressed."""
        raters = [Rater(self, name, token) for name, token in tokens.items()]
        threads = [threading.Thread(target=rater.run) for rater in raters]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if broken := [rater.error for rater in raters if rater.error]:
            raise AssertionError(f"{len(broken)} raters could not go on") from broken[0]
        return {rater.name: rater.books for rater in raters}


class Rater:
    """One rater with a browser of its own: a page, a vote, the next page; now and then a double click, a lost answer, an undo."""

    def __init__(self, crowd: Crowd, name: str, token: str) -> None:
        self.crowd, self.name, self.token = crowd, name, token
        self.books: dict[str, str] = {}
        self.order: list[str] = []
        self.error: Exception | None = None
        self.draw = random.Random(f"{crowd.seed} {name}")

    def run(self) -> None:
        try:
            with httpx.Client(base_url=self.crowd.url, timeout=20) as self.browser:
                self.again(lambda: self.browser.get(f"/i/{self.token}"), 303)
                while len(self.books) < self.crowd.votes_each and self.crowd.goes_on():
                    self.turn()
        except Exception as error:
            self.error = error

    def again(self, ask: Callable[[], httpx.Response], status: int) -> httpx.Response:
        """Ask until the server answers: while it is down, as the page's script does. Any other status than the expected is a failure."""
        until = time.monotonic() + self.crowd.patience
        while True:
            try:
                answer = ask()
            except httpx.TransportError:
                self.crowd.count("asked again")
                if time.monotonic() > until:
                    raise
                time.sleep(0.02 + 0.1 * self.draw.random())
                continue
            if answer.status_code == 503 and self.crowd.database_ends and time.monotonic() < until:
                assert "does not answer just now" in answer.text
                assert int(answer.headers["retry-after"]) > 0
                self.crowd.count("told to wait")
                time.sleep(0.05 + 0.1 * self.draw.random())
                continue
            assert answer.status_code == status, (answer.status_code, answer.text[-600:])
            return answer

    def turn(self) -> None:
        """A look at the page, and a vote; sometimes the vote before is undone."""
        page = self.again(lambda: self.timed(lambda: self.browser.get("/rate")), 200).text
        if self.order and self.draw.random() < self.crowd.undone:
            self.undo(hidden(page, "undo"))
            return
        form = {**hidden(page), "choice": self.draw.choice(CHOICES)}
        chance = self.draw.random()
        if chance < self.crowd.lost:
            self.send_and_leave(form)
        elif chance < self.crowd.lost + self.crowd.doubled:
            self.send_twice(form)
        answer = self.again(lambda: self.timed(lambda: self.browser.post("/rate", data=form)), 303)
        # After a lost answer or a double click the same form is known again, and is no other vote.
        assert answer.headers["location"] == "/rate", answer.headers["location"]
        self.books[form["assignment"]] = form["choice"]
        self.order.append(form["assignment"])
        self.crowd.count("votes")

    def undo(self, form: dict[str, str]) -> None:
        answer = self.again(lambda: self.browser.post("/undo", data=form), 303)
        assert answer.headers["location"] == "/rate?note=undone"
        del self.books[self.order.pop()]
        self.crowd.count("undone")

    def send_twice(self, form: dict[str, str]) -> None:
        """A double click: two requests under way at once, besides the one that is waited for."""
        self.crowd.count("double clicks")

        def click() -> None:
            with suppress(httpx.TransportError):
                httpx.post(
                    f"{self.crowd.url}/rate", data=form, cookies=dict(self.browser.cookies), timeout=20
                )

        for thread in [threading.Thread(target=click) for _ in range(2)]:
            thread.start()

    def send_and_leave(self, form: dict[str, str]) -> None:
        """Send the vote and hang up without reading the answer."""
        self.crowd.count("lost answers")
        body = urlencode(form).encode()
        cookies = "; ".join(f"{name}={value}" for name, value in self.browser.cookies.items())
        head = (
            f"POST /rate HTTP/1.1\r\nHost: {urlsplit(self.crowd.url).netloc}\r\nCookie: {cookies}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        try:
            with socket.create_connection(
                ("127.0.0.1", urlsplit(self.crowd.url).port or 80), timeout=5
            ) as line:
                line.sendall(head.encode() + body)
                if self.draw.random() < 0.5:
                    line.setsockopt(
                        socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0"
                    )  # a reset, not a good-bye
        except OSError:
            pass

    def timed(self, ask: Callable[[], httpx.Response]) -> httpx.Response:
        started = time.perf_counter()
        answer = ask()
        with self.crowd.lock:
            self.crowd.latencies.append(time.perf_counter() - started)
        return answer


# --- the books and the database ------------------------------------------------------------------


def standing(database: Any) -> list[dict[str, Any]]:
    """Every assignment: rater, public_id, comparison, repeat, and what was pressed; None where it is open."""
    from sqlalchemy import select

    from charm_rm.study.database import schema

    a, v, r, c = schema.assignments.c, schema.votes.c, schema.raters.c, schema.comparisons.c
    query = (
        select(r.name, a.public_id, a.comparison_id, a.repeat, a.left, v.choice, c.kind, c.votes_wanted)
        .join_from(schema.assignments, schema.raters, a.rater_id == r.id)
        .join(schema.comparisons, a.comparison_id == c.id)
        .outerjoin(schema.votes, a.vote_id == v.id)
    )
    with database._store.reading() as connection:
        rows = [dict(row._mapping) for row in connection.execute(query)]
    for row in rows:
        sides = {row["left"]: "left", "ba"["ab".index(row["left"])]: "right"}
        row["pressed"] = sides.get(row["choice"], row["choice"])
    return rows


def saved(database: Any) -> dict[str, dict[str, str]]:
    """By rater, the assignments that have a vote, and what was pressed: as :meth:`Crowd.vote` gives it."""
    found: dict[str, dict[str, str]] = {}
    for row in standing(database):
        if row["pressed"] is not None:
            found.setdefault(row["name"], {})[row["public_id"]] = row["pressed"]
    return found


def tokens(database: Any, n: int) -> dict[str, str]:
    """New raters and their links' tokens."""
    names = [f"rater {i} {secrets.token_hex(2)}" for i in range(n)]
    return {i.rater.name: i.token for i in database.invite_all(names, now=time.time())}
