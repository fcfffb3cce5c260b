"""The client against a real server that fails in every way: what is retried, what is not, what is given away."""

from __future__ import annotations

import email.utils
import gzip
import itertools
import json
import logging
import threading
import time
import traceback
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("httpx", reason="needs the [api] extra")

from charm_rm.errors import CharmError, CharmWarning, ConfigError, RemoteError, RemoteRefused
from charm_rm.remote.client import Client, Session
from charm_rm.remote.patience import Patience
from charm_rm.remote.problems import BadRequest, Malformed
from charm_rm.remote.running import each, streamed
from remote.conftest import CANARY, FastClock
from remote.fault_server import Answer, Asked, FaultServer, closed_port

Serve = Callable[[Callable[[Asked], Answer]], FaultServer]
SECRET = "the quick brown fox told nobody about the treasure"


def echo(asked: Asked) -> Answer:
    return Answer({"number": asked.body["number"]})


def read(answer: Any) -> int:
    if not isinstance(answer, dict) or not isinstance(answer.get("number"), int):
        raise Malformed("no number in it")
    number: int = answer["number"]
    return number


def ask(client: Client, n: int = 1) -> dict[int, int]:
    """Send n numbered requests; what came back, by number."""

    async def main(emit: Callable[[tuple[int, int]], None]) -> None:
        async with client.session() as session:

            async def one(number: int) -> None:
                body = {"model": "m", "number": number, "text": SECRET}
                emit((number, await session.post("/echo", body, read)))

            await each(range(n), one, workers=client.concurrency)

    found = list(streamed(main))
    assert len({number for number, _ in found}) == len(found), "a request was answered twice"
    return dict(found)


def spoiling(*faults: Answer | None) -> Callable[[Asked], Answer]:
    """The first requests get these answers (None: the right one), all later ones the right one."""
    return lambda asked: (faults[asked.number] if asked.number < len(faults) else None) or echo(asked)


# --- what passes --------------------------------------------------------------------------------

PASSING = {
    "408": Answer({"error": "slow"}, status=408),
    "409": Answer({"error": "busy"}, status=409),
    "429": Answer({"error": {"message": "rate limit"}}, status=429),
    "500": Answer(b"<html>oops", status=500),
    "502": Answer(b"", status=502),
    "503": Answer({"error": "starting"}, status=503),
    "529": Answer({"error": "overloaded"}, status=529),
    "dropped before the headers": Answer({"number": 0}, fault="drop"),
    "dropped after the headers": Answer({"number": 0}, fault="drop-after-headers"),
    "cut short": Answer({"number": 0, "more": "x" * 500}, fault="cut"),
    "cut JSON": Answer(b'{"number": 0, "mo'),
    "no JSON": Answer(b"<html>hello"),
    "empty": Answer(b""),
    "not HTTP": Answer({}, fault="not-http"),
    "another schema": Answer({"numbers": [0]}),
    "a list": Answer([0]),
    "deep nesting": Answer(b"[" * 100_000),
    "an error with status 200": Answer({"error": {"code": 502, "message": "upstream"}}),
    "broken compression": Answer(b"\x1f\x8b\x00garbage", headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("fault", PASSING.values(), ids=PASSING.keys())
def test_what_passes_is_tried_again(serve: Serve, patience: Patience, fault: Answer) -> None:
    server = serve(spoiling(fault, fault))
    client = Client(server.url, patience=patience)
    assert ask(client) == {0: 0}
    assert len(server.asked) == 3
    assert (client.requests, client.retries) == (3, 2)
    assert len({json.dumps(a.body) for a in server.asked}) == 1, "each try sends the same"


def test_a_server_that_is_too_slow_is_asked_again(serve: Serve, patience: Patience) -> None:
    server = serve(spoiling(Answer({"number": 0}, delay=0.6)))
    assert ask(Client(server.url, patience=patience, timeout=0.15)) == {0: 0}
    assert len(server.asked) == 2


def test_a_slow_drip_does_not_hold_a_request_up_for_ever(serve: Serve, patience: Patience) -> None:
    server = serve(spoiling(Answer({"number": 0, "more": "x" * 100}, fault="drip")))
    started = time.monotonic()
    assert ask(Client(server.url, patience=patience, timeout=0.3)) == {0: 0}
    assert time.monotonic() - started < 3


def test_nobody_listens(clock: FastClock) -> None:
    client = Client(f"http://127.0.0.1:{closed_port()}", patience=Patience(retries=3, clock=clock))
    with pytest.raises(
        RemoteError, match=r"no usable answer after 4 tries in \d+ s.*no connection"
    ) as caught:
        ask(client)
    assert caught.value.exit_code == 1
    assert len(clock.slept) == 3


def test_pauses_grow_and_vary(serve: Serve) -> None:
    clock = FastClock(factor=1000)
    server = serve(lambda _: Answer(b"", status=500))
    patience = Patience(retries=8, first=1.0, longest=16.0, clock=clock)
    with pytest.raises(RemoteError, match="after 9 tries.*status 500"):
        ask(Client(server.url, patience=patience))
    tops = [1.0, 2.0, 4.0, 8.0, 16.0, 16.0, 16.0, 16.0]
    assert all(top / 2 <= slept <= top for slept, top in zip(clock.slept, tops, strict=True))
    assert len(set(clock.slept)) == len(clock.slept)


def test_the_total_time_is_bounded(serve: Serve) -> None:
    clock = FastClock(factor=1000)
    server = serve(lambda _: Answer(b"", status=500))
    patience = Patience(retries=1000, first=1.0, longest=8.0, total=60.0, clock=clock)
    with pytest.raises(RemoteError, match="no usable answer"):
        ask(Client(server.url, patience=patience))
    assert sum(clock.slept) <= 60
    assert len(server.asked) < 30


def test_the_time_of_the_tries_counts(serve: Serve) -> None:
    """Each try takes 20 of the 50 seconds that there are."""
    clock = FastClock(factor=100)
    server = serve(lambda _: Answer({}, status=500, delay=0.2))
    with pytest.raises(RemoteError, match="no usable answer"):
        ask(Client(server.url, patience=Patience(retries=50, first=0.1, longest=0.1, total=50, clock=clock)))
    assert 2 <= len(server.asked) <= 3


def test_an_error_with_status_200_is_quoted(serve: Serve, clock: FastClock) -> None:
    server = serve(lambda _: Answer({"error": {"code": 502, "message": "upstream is gone"}}))
    with pytest.raises(RemoteError, match="an error in place of an answer: upstream is gone"):
        ask(Client(server.url, patience=Patience(retries=1, clock=clock)))


def test_waiting_for_a_place_is_not_the_servers_fault(serve: Serve) -> None:
    """One place, twelve workers, each request a tenth of what one may take in all: the last ones wait longer than that."""
    clock = FastClock(factor=100)
    server = serve(lambda asked: Answer({}, status=500) if asked.number == 10 else echo_late(asked))
    client = Client(server.url, concurrency=12, patience=Patience(total=30.0, clock=clock))
    client._limit = 1.0
    assert ask(client, n=20) == {i: i for i in range(20)}


def echo_late(asked: Asked) -> Answer:
    return Answer({"number": asked.body["number"]}, delay=0.1)


@pytest.mark.parametrize(
    ("headers", "least"),
    [
        ({"retry-after": "3"}, 3.0),
        ({"retry-after-ms": "2500"}, 2.5),
        ({}, 3000.0),  # a date, an hour from when the test runs
    ],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_waited_for(serve: Serve, headers: dict[str, str], least: float, status: int) -> None:
    clock = FastClock(factor=20_000 if least > 100 else 50)
    in_an_hour = {"retry-after": email.utils.formatdate(time.time() + 3600, usegmt=True)}
    server = serve(spoiling(Answer({}, status=status, headers=headers or in_an_hour)))
    assert ask(Client(server.url, patience=Patience(total=1e9, clock=clock))) == {0: 0}
    assert max(clock.slept) >= least


@pytest.mark.parametrize("wait", ["0", "Tue, 24 Nov 2020 12:00:00 GMT"])
def test_a_wait_of_nothing_is_no_reason_to_hurry(serve: Serve, wait: str) -> None:
    """Clocks differ: a date that has passed here asks for no pause, and the growing one holds."""
    clock = FastClock(factor=1000)
    server = serve(lambda _: Answer({}, status=429, headers={"retry-after": wait}))
    with pytest.raises(RemoteError, match="after 7 tries"):
        ask(Client(server.url, patience=Patience(total=1e9, clock=clock)))
    assert sum(clock.slept) > 10


def test_a_wait_beyond_the_patience_is_an_error_at_once(serve: Serve, patience: Patience) -> None:
    server = serve(lambda _: Answer({}, status=429, headers={"retry-after": "86400"}))
    with pytest.raises(RemoteError, match="asks to wait 86400 s"):
        ask(Client(server.url, patience=patience))
    assert len(server.asked) == 1


def test_a_429_pauses_all_workers(serve: Serve) -> None:
    clock = FastClock(factor=10)
    times: list[float] = []

    def script(asked: Asked) -> Answer:
        times.append(time.monotonic())
        if asked.number == 0:
            return Answer({}, status=429, headers={"retry-after": "5"})
        return Answer({"number": asked.body["number"]}, delay=0.05)

    server = serve(script)
    assert ask(Client(server.url, concurrency=2, patience=Patience(clock=clock)), n=12).keys() == set(
        range(12)
    )
    # Whoever was under way at the 429 ends; nobody starts until its 5 s (half a second here) are over.
    pause = max(b - a for a, b in itertools.pairwise(times))
    assert pause > 0.4
    assert sum(t < times[0] + 0.3 for t in times) <= 3


def test_a_limit_is_waited_for_before_it_is_hit(serve: Serve) -> None:
    clock = FastClock(factor=10)
    window: list[float] = []
    refused = 0

    def script(asked: Asked) -> Answer:
        nonlocal refused
        now = time.monotonic()
        recent = [t for t in window if t > now - 0.2]
        if len(recent) >= 3:
            refused += 1
            return Answer({}, status=429)
        window.append(now)
        left = 2 - len(recent)
        headers = {"x-ratelimit-remaining-requests": str(left), "x-ratelimit-reset-requests": "2s"}
        return Answer({"number": asked.body["number"]}, headers=headers)

    server = serve(script)
    assert len(ask(Client(server.url, concurrency=1, patience=Patience(clock=clock)), n=9)) == 9
    assert refused == 0


def test_concurrency_is_bounded_and_nothing_is_lost_or_doubled(serve: Serve, patience: Patience) -> None:
    def script(asked: Asked) -> Answer:
        n = asked.number
        if n % 7 == 3:
            return Answer({}, status=(500, 429, 503)[n % 3], headers={"retry-after-ms": "5"})
        if n % 11 == 5:
            return Answer({"number": 1}, fault="drop" if n % 2 else "cut")
        return Answer({"number": asked.body["number"]}, delay=0.002)

    server = serve(script)
    client = Client(server.url, concurrency=5, patience=Patience(retries=20, clock=patience.clock))
    assert ask(client, n=60) == {i: i for i in range(60)}
    assert 2 <= server.most_at_once <= 5


def test_concurrency_falls_when_the_server_is_crowded_and_rises_again(
    serve: Serve, patience: Patience
) -> None:
    lock, running = threading.Lock(), 0

    def script(asked: Asked) -> Answer:
        nonlocal running
        with lock:
            running += 1
            crowded = running > 3
        time.sleep(0.005)
        with lock:
            running -= 1
        return Answer({}, status=429) if crowded else echo(asked)

    server = serve(script)
    client = Client(
        server.url, concurrency=16, patience=Patience(retries=30, first=0.1, clock=patience.clock)
    )
    assert ask(client, n=80) == {i: i for i in range(80)}
    assert client._limit < 16, "what was learnt is kept for the next session"
    refused = sum(1 for _ in server.asked) - 80
    assert refused < 70


# --- what does not pass -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "CHARM_TEST_KEY"),
        (402, "balance"),
        (403, "what the key may use"),
        (404, "base URL"),
        (405, "base URL"),
        (501, "does not offer"),
        (418, "turned the request down"),
    ],
)
def test_what_does_not_pass_is_an_error_at_once(
    serve: Serve, patience: Patience, status: int, words: str
) -> None:
    server = serve(lambda _: Answer({"error": {"message": "no such thing here"}}, status=status))
    with pytest.raises(RemoteRefused) as caught:
        ask(Client(server.url, api_key_env="CHARM_TEST_KEY", patience=patience))
    assert caught.value.status == status
    assert words in str(caught.value)
    assert server.url + "/echo" in str(caught.value)
    assert ("no such thing here" in str(caught.value)) == (status != 401)
    assert len(server.asked) == 1


@pytest.mark.parametrize("status", [400, 413, 422])
def test_what_one_request_is_to_blame_for_is_told_apart(
    serve: Serve, patience: Patience, status: int
) -> None:
    server = serve(lambda _: Answer({"message": "too long"}, status=status))
    with pytest.raises(BadRequest, match="too long") as caught:
        ask(Client(server.url, patience=patience))
    assert caught.value.error.status == status
    assert len(server.asked) == 1


def test_an_empty_account_is_not_waited_for(serve: Serve, patience: Patience) -> None:
    body = {"error": {"code": "insufficient_quota", "message": "You exceeded your current quota"}}
    server = serve(lambda _: Answer(body, status=429))
    with pytest.raises(RemoteRefused, match="quota"):
        ask(Client(server.url, patience=patience))
    assert len(server.asked) == 1


def test_an_answer_without_end_is_cut_off(serve: Serve, patience: Patience) -> None:
    server = serve(lambda _: Answer(b'"' + b"x" * 3_000_000 + b'"'))
    with pytest.raises(RemoteError, match="longer than 1,000,000 bytes"):
        ask(Client(server.url, patience=patience, max_bytes=1_000_000))
    assert len(server.asked) == 1


def test_a_compressed_bomb_is_measured_unpacked(serve: Serve, patience: Patience) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert len(bomb) < 100_000
    server = serve(lambda _: Answer(bomb, headers={"content-encoding": "gzip"}))
    with pytest.raises(RemoteError, match="longer than"):
        ask(Client(server.url, patience=patience, max_bytes=1_000_000))


# --- redirects ----------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_elsewhere_gets_neither_key_nor_texts(
    serve: Serve, patience: Patience, key: str, status: int
) -> None:
    other = serve(echo)
    target = f"{other.url}/echo?token={SECRET.split()[0]}"
    server = serve(lambda _: Answer({}, status=status, headers={"location": target}))
    with pytest.raises(RemoteRefused, match=f"redirects to {other.url}") as caught:
        ask(Client(server.url, api_key_env="CHARM_TEST_KEY", patience=patience))
    assert other.asked == []
    assert server.asked[0].headers["authorization"] == f"Bearer {key}"
    assert "token" not in str(caught.value)


def test_a_redirect_on_the_same_server_is_followed(serve: Serve, patience: Patience) -> None:
    def script(asked: Asked) -> Answer:
        return echo(asked) if asked.path == "/new" else Answer({}, status=307, headers={"location": "/new"})

    assert ask(Client(serve(script).url, patience=patience)) == {0: 0}


def test_redirects_in_a_circle_end(serve: Serve, patience: Patience) -> None:
    server = serve(lambda _: Answer({}, status=308, headers={"location": "/echo"}))
    with pytest.raises(RemoteError, match="circle"):
        ask(Client(server.url, patience=patience))
    assert len(server.asked) == 4


@pytest.mark.parametrize(
    "where", ["http://[::bad/", "http://h:99999999/", "javascript:alert(1)", "", "http://"]
)
def test_a_redirect_to_no_address_is_a_typed_error(serve: Serve, patience: Patience, where: str) -> None:
    server = serve(lambda _: Answer({}, status=307, headers={"location": where}))
    with pytest.raises(RemoteError):
        ask(Client(server.url, patience=patience))


def test_a_user_name_in_a_redirect_does_not_take_the_keys_place(
    serve: Serve, patience: Patience, key: str
) -> None:
    server = serve(
        lambda asked: Answer(
            {}, status=307, headers={"location": f"http://me:pw@{asked.headers['host']}/new"}
        )
    )
    with pytest.raises(RemoteRefused, match="with a user name; neither key nor texts") as caught:
        ask(Client(server.url, api_key_env="CHARM_TEST_KEY", patience=patience))
    assert "pw" not in str(caught.value)
    assert [a.headers["authorization"] for a in server.asked] == [f"Bearer {key}"]


def test_a_redirect_shows_the_server_alone(serve: Serve, patience: Patience, key: str) -> None:
    place = f"http://other.example:81/{key}/{SECRET.split()[0]}?q={key}"
    server = serve(lambda _: Answer({}, status=302, headers={"location": place}))
    with pytest.raises(RemoteRefused, match="redirects to http://other.example:81; neither") as caught:
        ask(Client(server.url, api_key_env="CHARM_TEST_KEY", patience=patience))
    assert key not in str(caught.value)


# --- what is given away -------------------------------------------------------------------------


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 429, 500, 200])
def test_neither_key_nor_texts_reach_an_error_or_a_log(
    serve: Serve, key: str, caplog: pytest.LogCaptureFixture, status: int
) -> None:
    caplog.set_level(logging.DEBUG)

    def script(asked: Asked) -> Answer:
        said = (
            f"Bad key {asked.headers['authorization']} (...{key[-8:]}) for {asked.body['text']}\x1b[31m\u202e"
        )
        return Answer(
            {"error": {"message": said}, "detail": [{"msg": said, "input": asked.body}]}, status=status
        )

    server = serve(script)
    patience = Patience(retries=1, clock=FastClock())
    with pytest.raises((CharmError, BadRequest)) as caught:
        ask(Client(server.url, api_key_env="CHARM_TEST_KEY", patience=patience))
    assert server.asked[0].headers["authorization"] == f"Bearer {key}"
    shown = "".join(traceback.format_exception(caught.value)) + caplog.text
    if isinstance(caught.value, BadRequest):
        shown = str(caught.value) + str(caught.value.error) + caplog.text
    assert CANARY not in shown
    assert CANARY[-8:] not in shown
    assert SECRET not in shown
    assert "brown fox told" not in shown
    assert "\x1b" not in shown
    assert "\u202e" not in shown


def test_long_complaints_are_cut_short(serve: Serve, patience: Patience) -> None:
    server = serve(lambda _: Answer(("no " * 5000).encode(), status=403))
    with pytest.raises(RemoteRefused) as caught:
        ask(Client(server.url, patience=patience))
    assert len(str(caught.value)) < 600


def test_a_missing_key_is_named(serve: Serve, patience: Patience, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CHARM_TEST_KEY", raising=False)
    server = serve(lambda _: Answer({}, status=401))
    with pytest.raises(RemoteRefused, match="CHARM_TEST_KEY is not set"):
        ask(Client(server.url, api_key_env="CHARM_TEST_KEY", patience=patience))
    assert "authorization" not in server.asked[0].headers
    with pytest.raises(RemoteRefused, match="none was named"):
        ask(Client(server.url, patience=patience))


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("https://llm.example.org/v1", "CHARM_TEST_KEY"),
        ("http://gpu-box:8000", "CHARM_TEST_KEY"),
    ],
)
def test_a_key_that_is_not_set_is_said_before_anything_is_asked(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str
) -> None:
    monkeypatch.delenv(variable, raising=False)
    with pytest.raises(ConfigError, match=f"{variable}, which should hold the key, is not set"):
        Client(url, api_key_env=variable)


@pytest.mark.parametrize(
    ("url", "variable"),
    [
        ("http://localhost:8000/v1", "CHARM_TEST_KEY"),
        ("https://llm.example.org/v1", "OPENAI_API_KEY"),
        ("https://llm.example.org/v1", ""),
        ("https://api.openai.com/v1", None),
    ],
)
def test_servers_that_may_want_none_are_asked(
    monkeypatch: pytest.MonkeyPatch, url: str, variable: str | None
) -> None:
    if variable:
        monkeypatch.delenv(variable, raising=False)
    Client(url, api_key_env=variable)


@pytest.mark.parametrize("bad", ["two words", "line\nend", "clé"])
def test_a_key_that_no_header_can_hold_is_refused_unshown(monkeypatch: pytest.MonkeyPatch, bad: str) -> None:
    monkeypatch.setenv("CHARM_TEST_KEY", bad)
    with pytest.raises(ConfigError, match="CHARM_TEST_KEY") as caught:
        Client("http://localhost:1", api_key_env="CHARM_TEST_KEY")
    assert bad not in str(caught.value)


def test_a_key_in_place_of_a_variable_is_refused_unshown() -> None:
    with pytest.raises(ConfigError, match="the name of an environment variable") as caught:
        Client("http://localhost:1", api_key_env=CANARY)
    assert CANARY not in str(caught.value)


@pytest.mark.usefixtures("key")
def test_a_key_in_the_clear_is_warned_of() -> None:
    with pytest.warns(CharmWarning, match="unencrypted"):
        Client("http://gpu-box.example:8000", api_key_env="CHARM_TEST_KEY")
    Client("https://gpu-box.example", api_key_env="CHARM_TEST_KEY")
    Client("http://localhost:8000", api_key_env="CHARM_TEST_KEY")


@pytest.mark.parametrize(
    "url",
    [
        *("localhost:8000", "ftp://host", "http://", "http://ho st", "http://host:99999", "http://host:x"),
        *("http://user:pw@host", "http://host?key=1", "http://host#x", "", "http://host:0"),
    ],
)
def test_unusable_addresses(url: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Client(url)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize(
    "options", [{"concurrency": 0}, {"timeout": 0.0}, {"timeout": -1.0}], ids=lambda o: str(o)
)
def test_unusable_options(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Client("http://localhost", **options)
    with pytest.raises(ConfigError):
        Patience(retries=-1)


def test_a_proxy_from_the_environment_is_not_for_loopback(
    serve: Serve, patience: Patience, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert ask(Client(serve(echo).url, patience=patience)) == {0: 0}


def test_texts_that_are_no_unicode_are_sent(serve: Serve, patience: Patience) -> None:
    server = serve(lambda _: Answer({"number": 1}))

    async def main(emit: Callable[[int], None]) -> None:
        client = Client(server.url, patience=patience)
        async with client.session() as session:
            assert isinstance(session, Session)
            emit(await session.post("/echo", {"text": "half \ud800 é 你"}, read))

    assert list(streamed(main)) == [1]
    assert server.asked[0].body == {"text": "half \ud800 é 你"}
