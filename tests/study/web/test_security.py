"""Sessions, forms, hosts, headers, limits: by plain HTTP against the real server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest

from charm_rm.errors import BadSetting
from charm_rm.settings import ServeSettings
from charm_rm.study.web.guards import HEADERS
from study.web.served import Served, hidden, serve, study
from study.web.served import cookie as session_cookie


def visitor(served: Served, **headers: str) -> httpx.Client:
    return httpx.Client(verify=False, base_url=served.url, headers=headers)


def enter(served: Served, name: str = "ann", **headers: str) -> httpx.Client:
    client = visitor(served, **headers)
    assert client.get(served.link(name)).status_code == 303
    return client


def post(client: httpx.Client, fields: dict[str, str], **headers: str) -> httpx.Response:
    return client.post("/rate", data={**fields, "choice": "left"}, headers=headers)


# --- headers --------------------------------------------------------------------------------------


def test_every_response_has_the_headers(served: Served) -> None:
    client = enter(served)
    paths = {
        "/": 200,
        "/rate": 200,
        "/none": 404,
        "/i/none": 404,
        "/undo": 405,
        "/static/study.js": 200,
        "/static/none": 404,
    }
    paths |= {
        "/docs": 404,
        "/redoc": 404,
        "/openapi.json": 404,
        "/static/../app.py": 404,
        "/static/%2e%2e/app.py": 404,
    }
    for path, status in paths.items():
        got = client.get(path)
        assert got.status_code == status, path
        assert {name: got.headers[name] for name in HEADERS} == HEADERS
        assert got.headers["cache-control"] == (
            "public, max-age=86400" if path == "/static/study.js" else "no-store"
        )
        assert "server" not in got.headers
        assert "x-powered-by" not in got.headers
    policy = HEADERS["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert "http" not in policy


def test_pages_have_nothing_inline_and_nothing_from_elsewhere(served: Served) -> None:
    client = enter(served)
    for path in ("/", "/rate", "/none"):
        page = client.get(path).text
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick" not in page
        assert "://" not in page
        assert page.count("<script") == page.count('<script src="/static/study.js')


# --- sessions -------------------------------------------------------------------------------------


def test_the_cookie_is_kept_from_scripts_and_other_sites_and_has_no_number_of_the_database(
    served: Served,
) -> None:
    opened = visitor(served).get(served.link())
    cookie = opened.headers["set-cookie"]
    assert cookie.startswith("rater-")
    assert {"HttpOnly", "SameSite=lax", "Path=/"} <= set(cookie.split("; "))
    assert "Secure" not in cookie
    assert opened.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("cookie", ["", "x", "WyJhIiwiYiJd.aaaa.bbbb", "."])
def test_a_cookie_that_we_did_not_sign_is_none(served: Served, cookie: str) -> None:
    name, _ = session_cookie(enter(served), "rater")
    for path in ("/", "/rate"):
        got = visitor(served, cookie=f"{name}={cookie}").get(path)
        assert got.status_code == 403
        assert "Open your invitation link first" in got.text


def test_two_studies_on_one_machine_leave_each_others_raters_signed_in(
    served: Served, tmp_path: Path
) -> None:
    """Browsers send the cookies of a host to all of its ports."""
    (tmp_path / "other").mkdir()
    with serve(tmp_path / "other") as other:
        here, there = enter(served), enter(other)
        both = "; ".join("=".join(session_cookie(client, "rater")) for client in (here, there))
        for one in (served, other):
            assert visitor(one, cookie=both).get("/rate").status_code == 200


def test_a_raters_session_opens_no_admin_page_and_the_other_way_round(served: Served) -> None:
    client = enter(served)
    rater, raters = session_cookie(client, "rater")
    token = served.database.new_admin_token()
    assert visitor(served).get(f"/i/{token}").status_code == 404
    assert visitor(served).get(f"/admin/i/{served.link('bob').rpartition('/')[2]}").status_code == 404
    admin = visitor(served)
    opened = admin.get(f"/admin/i/{token}")
    assert (opened.status_code, opened.headers["location"]) == (303, "/admin")
    name, value = session_cookie(admin, "admin")
    for path, cookie in (("/rate", f"{rater}={value}"), ("/admin", f"{name}={raters}")):
        assert visitor(served, cookie=cookie).get(path).status_code == 403


def test_a_new_admin_link_ends_the_sessions_of_the_old(served: Served) -> None:
    from fastapi import FastAPI, Request

    from charm_rm.study.web.refusals import Refused
    from charm_rm.study.web.security import require_admin
    from charm_rm.study.web.serving import Serving

    admin = visitor(served)
    admin.get(f"/admin/i/{served.database.new_admin_token()}")
    app = FastAPI()
    settings = ServeSettings()
    app.state.serving = Serving(served.database, settings, served.database.secret(), None)  # type: ignore[arg-type]
    headers = [(b"cookie", "=".join(session_cookie(admin, "admin")).encode())]
    request = Request({"type": "http", "app": app, "headers": headers, "path": "/admin"})
    require_admin(request)
    served.database.new_admin_token()
    with pytest.raises(Refused, match="Open the admin link first"):
        require_admin(request)


# --- forms ----------------------------------------------------------------------------------------


def test_a_form_without_this_sessions_token_is_refused(served: Served) -> None:
    ann, bob = enter(served, "ann"), enter(served, "bob")
    fields = hidden(ann.get("/rate").text)
    foreign = hidden(bob.get("/rate").text)["csrf"]
    again = hidden(enter(served, "cem").get("/rate").text)["csrf"]
    for token in ("", "0" * 64, foreign, again, fields["csrf"].upper(), "ä"):
        assert post(ann, {**fields, "csrf": token}).status_code == 403
    assert ann.post("/undo", data={"request_id": "x" * 20}).status_code == 403
    assert visitor(served).post("/rate", data={**fields, "choice": "left"}).status_code == 403
    assert served.votes() == []
    assert post(ann, fields).status_code == 303


def test_where_a_form_comes_from(served: Served) -> None:
    client = enter(served)
    fields = hidden(client.get("/rate").text)
    refused: tuple[dict[str, Any], ...] = (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": served.url + ".evil.example"},
        {"origin": "http://127.0.0.1:1"},
        {"sec-fetch-site": "cross-site", "origin": served.url},
    )
    for headers in refused:
        assert post(client, fields, **headers).status_code == 403, headers
    assert served.votes() == []
    passed: tuple[dict[str, Any], ...] = (
        {"sec-fetch-site": "same-origin", "origin": "null"},
        {"origin": "null"},
        {"origin": served.url},
        {},
    )
    for headers in passed:  # the same form each time: one vote
        assert post(client, fields, **headers).status_code == 303, headers
    assert len(served.votes()) == 1


def test_a_body_beyond_the_limit_is_refused_announced_or_not(served: Served) -> None:
    client = enter(served)
    fields = hidden(client.get("/rate").text)
    assert post(client, {**fields, "comment": "x" * 100_000}).status_code == 413

    def parts() -> Any:
        yield b"choice=left"
        for _ in range(100):
            yield b"&comment=" + b"x" * 1000

    kind = {"content-type": "application/x-www-form-urlencoded"}
    assert client.post("/rate", content=parts(), headers=kind).status_code == 413
    assert served.votes() == []


# --- hosts and proxies ----------------------------------------------------------------------------


def test_only_names_of_the_study_are_answered(served: Served, tmp_path: Path) -> None:
    for host in ("localhost", "127.0.0.1:9", "[::1]:80", "LOCALHOST:8321", "localhost."):
        assert visitor(served, host=host).get("/").status_code == 403, host
    for host in ("evil.example", "localhost.evil.example", "10.0.0.7", "a b", "127.0.0.1.nip.io"):
        got = visitor(served, host=host).get("/")
        assert got.status_code == 400, host
        assert "not at this address" in got.text
    (tmp_path / "second").mkdir()
    with serve(tmp_path / "second", study(1), public_url="https://votes.example") as public:
        assert visitor(public, host="votes.example").get("/").status_code == 403
        assert visitor(public, host="other.example").get("/").status_code == 400
        cookie = (
            visitor(public, host="votes.example")
            .get(public.link().replace(public.url, ""))
            .headers["set-cookie"]
        )
        assert "Secure" in cookie
    (tmp_path / "third").mkdir()
    with serve(tmp_path / "third", study(1), expose=True) as exposed:
        assert visitor(exposed, host="10.0.0.7:8321").get("/").status_code == 403
        assert visitor(exposed, host="evil.example").get("/").status_code == 400


def test_who_asks_is_what_a_trusted_proxy_says_and_no_other(tmp_path: Path) -> None:
    """Limits of links count by address: those of one that a proxy names do not hold for another."""
    tries = {"public_url": "https://votes.example", "failed_links_per_minute": 2}
    for believed in (True, False):
        folder = tmp_path / str(believed)
        folder.mkdir()
        with serve(folder, study(1), behind_proxy=believed, **tries) as served:

            def ask(address: str, path: str = "/i/none", *, served: Served = served) -> int:
                return (
                    visitor(served, host="votes.example")
                    .get(path, headers={"x-forwarded-for": address})
                    .status_code
                )

            assert [ask("192.0.2.1") for _ in range(3)] == [404, 404, 429]
            assert ask("192.0.2.2") == (404 if believed else 429)


# --- limits ---------------------------------------------------------------------------------------


def test_too_many_votes_of_one_rater_wait_and_others_do_not(tmp_path: Path) -> None:
    with serve(tmp_path, study(4), votes_per_minute=2) as served:
        ann, bob = enter(served, "ann"), enter(served, "bob")
        for client in (ann, bob):  # from one address
            answers = [post(client, hidden(client.get("/rate").text)) for _ in range(3)]
            assert [a.status_code for a in answers] == [303, 303, 429]
            assert 1 <= int(answers[-1].headers["retry-after"]) <= 60
            assert "A little too fast" in answers[-1].text
        assert len(served.votes()) == 4


def test_fifty_raters_of_one_address_open_their_links_at_once(served: Served) -> None:
    links = [
        f"/i/{i.token}" for i in served.database.invite_all([f"r{i}" for i in range(50)], now=served.now())
    ]
    client = visitor(served)
    assert {client.get(link).status_code for link in links} == {303}


def test_guessing_links_ends_after_a_few(tmp_path: Path) -> None:
    with serve(tmp_path, study(1), failed_links_per_minute=3) as served:
        client = visitor(served)
        codes = [
            client.get(path).status_code for path in ("/i/a", "/admin/i/b", "/i/c", "/i/d", "/admin/i/e")
        ]
        assert codes == [404, 404, 404, 429, 429]


# --- failures -------------------------------------------------------------------------------------


def test_a_failure_is_a_page_without_a_traceback(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    client = enter(served)

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("a secret word")

    monkeypatch.setattr(type(served.database), "next_assignment", fail)
    got = client.get("/rate")
    assert got.status_code == 500
    assert "Something went wrong here" in got.text
    assert "secret word" not in got.text
    assert "Traceback" not in got.text
    assert {name: got.headers[name] for name in HEADERS} == HEADERS


# --- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["votes.example", "ftp://votes.example", "https://", "https://u:p@votes.example", "https://votes.example?x", "https://[",
     "https://votes.example:99999", "https://votes.example/rate", "https://a b.example"],
)  # fmt: skip
def test_a_public_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(BadSetting) as refused:
        ServeSettings(public_url=url)
    assert refused.value.setting == "public_url"


def test_ports(served: Served) -> None:
    assert served.url.startswith("http://127.0.0.1:")
    for port in (-1, 65_536):
        with pytest.raises(BadSetting):
            ServeSettings(port=port)
