"""The command as a process of its own: what it prints, what it logs, how it ends."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import httpx
import pytest
import uvicorn
from click.testing import Result

from charm_rm.errors import ConfigError
from charm_rm.settings import ServeSettings
from charm_rm.study.database import create_study, open_study
from charm_rm.study.web.app import create_app
from charm_rm.study.web.server import PortTaken, base_url, check_exposure, configuration, listen
from study.web.served import Served, hidden, study
from study.web.served import cookie as session_cookie

Charm = Callable[..., Result]


@contextmanager
def running(db: Path, log: Path, *options: str) -> Iterator[tuple[subprocess.Popen[str], str, str]]:
    """``charm study serve`` in a process: it, its address, and the admin link (empty where none is printed)."""
    program = "from charm_rm.cli import main; main()"
    command = [sys.executable, "-c", program, "study", "serve", str(db), "--port", "0", *options]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with log.open("w") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, env=environment)
        try:
            assert process.stdout is not None
            url = _line(process.stdout, "Page for raters: ")
            admin = "" if "--no-admin-link" in options else _line(process.stdout, "Admin: ")
            yield process, url, admin
        finally:
            if process.poll() is None:
                process.kill()
            process.wait(10)


def _line(stream: IO[str], start: str) -> str:
    line = stream.readline()
    assert line.startswith(start), line
    return line.removeprefix(start).strip()


@pytest.fixture
def db(tmp_path: Path) -> Path:
    create_study(tmp_path / "study.db", study(2)).close()
    return tmp_path / "study.db"


@pytest.mark.parametrize("stop", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_it_serves_finishes_and_ends_cleanly_and_no_log_has_a_token(
    db: Path, tmp_path: Path, stop: int
) -> None:
    log = tmp_path / "log.txt"
    with open_study(db) as database:
        token = database.invite("ann", now=time.time()).token
    with running(db, log) as (process, url, admin):
        assert re.fullmatch(rf"{url}/admin/i/[\w-]{{20,}}", admin)
        client = httpx.Client(verify=False, base_url=url)
        assert client.get(f"/i/{token}").status_code == 303
        assert client.get("/i/not-a-link-at-all").status_code == 404
        assert client.get(admin.removeprefix(url)).status_code == 303
        fields = hidden(client.get("/rate").text)
        assert client.post("/rate", data={**fields, "choice": "left"}).status_code == 303
        process.send_signal(stop)
        assert process.wait(20) == 0
        rest = process.stdout.read() if process.stdout else ""
    said = log.read_text() + rest
    secrets = (
        token,
        admin.rpartition("/")[2],
        "not-a-link-at-all",
        fields["csrf"],
        session_cookie(client, "rater")[1],
    )
    assert not [one for one in secrets if one in said]
    assert "GET /" not in said
    assert "Traceback" not in said
    assert "stopped" in said
    with open_study(db) as database:
        assert len(database.read().votes) == 1
        with pytest.raises(httpx.ConnectError):
            client.get("/")


def test_a_vote_under_way_is_finished_when_the_server_stops(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = httpx.Client(verify=False, base_url=served.url)
    client.get(served.link())
    fields = hidden(client.get("/rate").text)
    real = type(served.database).vote

    def slow_vote(*arguments: Any, **more: Any) -> Any:
        served.stop()
        time.sleep(0.5)
        return real(*arguments, **more)

    monkeypatch.setattr(type(served.database), "vote", slow_vote)
    assert client.post("/rate", data={**fields, "choice": "tie"}).status_code == 303
    assert len(served.votes()) == 1


def test_two_servers_on_one_study_know_each_others_raters_and_double_nothing(served: Served) -> None:
    with listen(ServeSettings(port=0)) as listening, open_study(served.database.where) as database:
        app = create_app(database, ServeSettings(port=0))
        server = uvicorn.Server(configuration(app, ServeSettings(port=0)))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        second = f"http://127.0.0.1:{listening.getsockname()[1]}"
        client = httpx.Client(verify=False)
        client.get(served.link())
        for page_of, sent_to in ((served.url, second), (second, served.url)):
            fields = {**hidden(client.get(f"{page_of}/rate").text), "choice": "tie"}
            for url in (sent_to, page_of):
                assert client.post(f"{url}/rate", data=fields).headers["location"] == "/rate"
        server.should_exit = True
        thread.join(20)
    assert len(served.votes()) == 2


@pytest.mark.slow
def test_a_start_without_an_admin_link_keeps_the_one_before(db: Path, tmp_path: Path) -> None:
    with open_study(db) as database:
        token = database.new_admin_token()
        with running(db, tmp_path / "log.txt", "--no-admin-link"):
            assert database.check_admin(token)
        with running(db, tmp_path / "log.txt"):
            assert not database.check_admin(token)


def test_a_port_in_use_is_told(db: Path, charm: Charm) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = charm("study", "serve", db, "--port", port)
        assert result.exit_code == 2
        assert f"127.0.0.1 port {port}: cannot listen: Address already in use" in result.stderr
        assert "--port 0" in result.stderr
        assert "Admin" not in result.stdout
    with pytest.raises(PortTaken, match="no address of this machine"):
        listen(ServeSettings(host="no.such.host.invalid"))


def test_a_network_is_not_reached_by_accident(db: Path, charm: Charm) -> None:
    result = charm("study", "serve", db, "--host", "0.0.0.0")
    assert result.exit_code == 2
    assert "everyone on the network could reach the study" in result.stderr
    assert "--expose" in result.stderr
    for fine in (
        {"host": "0.0.0.0", "expose": True},
        {"host": "0.0.0.0", "public_url": "https://votes.example"},
        {"host": "::1"},
    ):
        check_exposure(ServeSettings(**fine))
    with pytest.raises(ConfigError):
        check_exposure(ServeSettings(host="192.168.1.5"))


def test_the_address_that_is_printed() -> None:
    with listen(ServeSettings(port=0)) as here:
        port = here.getsockname()[1]
        assert base_url(ServeSettings(), here) == f"http://127.0.0.1:{port}"
        assert base_url(ServeSettings(host="::1"), here) == f"http://[::1]:{port}"
        assert (
            base_url(ServeSettings(public_url="https://votes.example/study/"), here)
            == "https://votes.example/study"
        )


def test_what_does_not_go_together_is_refused(db: Path, tmp_path: Path, charm: Charm) -> None:
    assert charm("study", "serve").exit_code == 2
    both = charm("study", "serve", db, "--open", "--no-admin-link")
    assert both.exit_code == 2
    assert "--open needs the admin link" in both.stderr
    missing = charm("study", "serve", tmp_path / "none.db")
    assert missing.exit_code == 2
    assert "does not exist" in missing.stderr
    assert "Traceback" not in missing.output
