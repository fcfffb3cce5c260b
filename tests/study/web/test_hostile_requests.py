"""Requests that no browser sends, byte by byte: none of them opens a file, leads elsewhere, adds a header or fails the server."""

from __future__ import annotations

import contextlib
import secrets
import socket
from pathlib import Path
from urllib.parse import quote, urlsplit

import httpx
import pytest

from study.web.served import SECRETS, Served, hidden, serve

FORM = b"Content-Type: application/x-www-form-urlencoded\r\n"


def raw(served: Served, request: bytes) -> bytes:
    """Everything that the server answers to these bytes."""
    at = urlsplit(served.url)
    with socket.create_connection((at.hostname or "", at.port or 0), timeout=20) as line:
        line.sendall(request.replace(b"HOST", at.netloc.encode()))
        got = b""
        with contextlib.suppress(ConnectionResetError):  # a server may hang up on what is no request
            while part := line.recv(65536):
                got += part
    return got


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


def asked(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n".encode("latin-1")


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/app.py",
        "/static/%252e%252e/app.py",
        "/static/..\\app.py",
        "/static/....//app.py",
        "/static//etc/passwd",
        "/static/%00",
        "/static/study.css%00.py",
        "/static/" + "a" * 3000,
        "/i/../admin",
        "/i/%2e%2e%2fadmin",
        "/i/" + "%ed%a0%80" * 20,
        "/i/" + "%00" * 20,
        "/admin/export/..%2f..%2fstudy.db",
        "/admin/export/votes.exe",
    ],
)
def test_no_path_leads_out(served: Served, path: str) -> None:
    answer = raw(served, asked(path))
    assert status(answer) in (400, 403, 404), answer[:300]
    assert b"import" not in answer
    assert b"root:" not in answer
    assert b"Traceback" not in answer


@pytest.mark.parametrize(
    "path",
    ["//evil.example/", "//evil.example/rate", "/rate/", "/\\evil.example", "/rate?note=//evil.example"],
)
def test_no_answer_sends_the_browser_elsewhere(served: Served, path: str) -> None:
    head = raw(served, asked(path)).split(b"\r\n\r\n")[0].lower()
    places = [line.split(b":", 1)[1].strip() for line in head.split(b"\r\n") if line.startswith(b"location:")]
    assert all(urlsplit(place.decode()).netloc in ("", urlsplit(served.url).netloc) for place in places)
    assert not any(place.startswith((b"//", b"/\\")) for place in places)


@pytest.mark.parametrize("length", ["\u00b2", "-1", "+5", "1e3", "0x10", "9" * 5000, "65537", "5, 5", ""])
def test_a_length_that_is_none_is_refused(served: Served, length: str) -> None:
    request = b"POST /rate HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n" + FORM
    answer = raw(served, request + b"Content-Length: " + length.encode("latin-1") + b"\r\n\r\na=bcd")
    assert 400 <= status(answer) < 500, answer[:300]


def test_a_head_without_end_is_refused(served: Served) -> None:
    answer = raw(
        served,
        b"GET /rate HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nCookie: " + b"a" * 300_000 + b"\r\n\r\n",
    )
    assert answer == b"" or 400 <= status(answer) < 500


def test_fields_are_taken_as_they_are_or_refused(served: Served) -> None:
    """No field of a form makes the server fail, whatever is in it; and what is odd is no vote."""
    with httpx.Client(base_url=served.url) as client:
        client.get(served.link("bob"))
        form = {**hidden(client.get("/rate").text), "choice": "left"}
        odd = [
            "",
            "\0" * 20,
            "\r\nSet-Cookie: a=b",
            "'; DROP TABLE votes; --",
            "\ud7ff" * 30,
            "x" * 5000,
            "../../etc/passwd",
            "%00",
        ]
        for name in ("csrf", "assignment", "choice", "shown", "seconds", "note"):
            for value in odd:
                wrong = {} if name in ("csrf", "assignment", "choice") else {"choice": "none"}
                got = client.post("/rate", data={**form, name: value, **wrong})
                assert got.status_code in (303, 400, 403), (name, value, got.status_code)
                assert got.status_code != 303 or got.headers["location"] == "/rate?note=already"
                assert "set-cookie" not in got.headers
        assert client.post("/rate", data={"choice": ["left"] * 500}).status_code in (400, 403, 422)
        broken = f"csrf={form['csrf']}&choice=%ff%fe&assignment=%ed%a0%80".encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        assert client.post("/rate", content=broken, headers=kind).status_code == 400
        assert served.votes() == []
        for value in odd:
            got = client.post("/rate", data={**form, "request_id": value, "comment": value[:20]})
            assert got.status_code in (303, 400), (value, got.status_code)
        assert len(served.votes()) <= 1


def test_a_file_in_place_of_a_field_is_no_vote(served: Served) -> None:
    with httpx.Client(base_url=served.url) as client:
        client.get(served.link("cid"))
        form = {**hidden(client.get("/rate").text), "choice": "left"}
        for name in ("choice", "comment", "csrf", "request_id"):
            rest = {key: value for key, value in form.items() if key != name}
            got = client.post("/rate", data=rest, files={name: ("a.txt", b"left")})
            assert got.status_code in (400, 403), (name, got.status_code)
        assert served.votes() == []


def test_comments_and_names_come_back_as_text(tmp_path: Path) -> None:
    """What a rater writes is shown to the keeper and exported: as text, and in CSV as no formula."""
    evil = "=cmd|' /C calc'!A0<script>alert(1)</script>\u202e"
    with serve(tmp_path) as served, httpx.Client(base_url=served.url, follow_redirects=True) as client:
        name = "@SUM(1)<img src=x>"
        client.get(served.link(name))
        form = {**hidden(client.get("/rate").text), "choice": "left", "comment": evil}
        assert client.post("/rate", data=form).status_code == 200
        assert served.votes()[0]["comment"] == evil
        keeper = httpx.Client(base_url=served.url, follow_redirects=True)
        page = keeper.get(f"/admin/i/{served.database.new_admin_token()}")
        assert page.status_code == 200
        assert "<script>alert" not in page.text
        assert "<img src=x>" not in page.text
        assert "\u202e" not in page.text
        for what in ("comments", "votes", "battles"):
            table = keeper.get(f"/admin/export/{what}.csv")
            assert table.status_code == 200
            cells = [cell.strip('"') for line in table.text.splitlines() for cell in line.split(",")]
            assert not any(cell.startswith(("=cmd", "@SUM")) for cell in cells)
        assert "'=cmd" in keeper.get("/admin/export/comments.csv").text
        assert quote(name) not in str(page.headers)


def test_a_session_made_elsewhere_is_not_taken_over(served: Served) -> None:
    """Whatever cookie a browser had before, a link gives it a new session (no fixation); the old one's forms are void."""
    with httpx.Client(base_url=served.url) as client:
        client.get(served.link("dan"))
        before, form = dict(client.cookies), hidden(client.get("/rate").text)
        client.get(served.link("eve"))
        [session] = before
        assert client.cookies[session] != before[session]
        got = client.post("/rate", data={**form, "choice": "left", "request_id": secrets.token_hex(16)})
        assert got.status_code == 403
        assert served.votes() == []


def test_what_is_refused_tells_nothing_of_the_study(served: Served) -> None:
    for path in ("/", "/rate", "/admin", "/admin/live", "/admin/export/votes.csv", "/none"):
        answer = raw(served, asked(path)).decode("utf-8", "replace")
        assert not [word for word in SECRETS if word in answer]
