"""A rater's way by plain HTTP, as a browser without JavaScript goes it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from study.web.served import Served, hidden, serve, study


def enter(served: Served, name: str = "ann", **more: Any) -> Any:
    client = httpx.Client(verify=False, base_url=served.url, follow_redirects=True)
    assert client.get(served.link(name, **more)).status_code == 200
    return client


def vote(client: Any, choice: str = "left", **more: Any) -> Any:
    fields = hidden(client.get("/rate").text)
    return client.post("/rate", data={**fields, "choice": choice, **more}, follow_redirects=False)


def texts(page: str) -> list[str]:
    """What stands in the two answers, left and right."""
    return re.findall(r'id="answer-\w+".*?<div class="text">(.*?)</section>', page, re.DOTALL)


def test_a_session_from_link_to_thanks(served: Served) -> None:
    client = enter(served)
    start = client.get("/").text
    assert "4 comparisons" in start
    assert "made out to ann" in start
    for n in range(1, 5):
        page = client.get("/rate").text
        assert f"<title>Comparison {n} of 4</title>" in page
        sent = vote(client, "left" if n % 2 else "both_bad", comment="  because\r\nof the moon ")
        assert (sent.status_code, sent.headers["location"]) == (303, "/rate")
    assert "Thank you" in client.get("/rate").text
    votes = served.votes()
    assert sorted(v["winner"] for v in votes if v["winner"] == "both_bad") == ["both_bad"] * 2
    assert [v["winner"] for v in votes if v["winner"] != "both_bad"] == [
        v["left"] for v in votes if v["winner"] != "both_bad"
    ]
    assert {v["comment"] for v in votes} == {"because\nof the moon"}
    assert {v["rater"] for v in votes} == {"ann"}


def test_the_token_leaves_the_address(served: Served) -> None:
    opened = httpx.get(served.link(), verify=False)
    assert (opened.status_code, opened.headers["location"]) == (303, "/")
    assert opened.headers["referrer-policy"] == "no-referrer"


def test_loading_again_keeps_comparison_and_sides(served: Served) -> None:
    client = enter(served)
    first, again = client.get("/rate").text, client.get("/rate").text
    assert len(texts(first)) == 2
    assert texts(first) == texts(again)
    assert hidden(first)["assignment"] == hidden(again)["assignment"]


def test_a_form_that_is_sent_twice_is_one_vote(served: Served) -> None:
    client = enter(served)
    fields = hidden(client.get("/rate").text)
    for _ in range(3):
        sent = client.post("/rate", data={**fields, "choice": "left"}, follow_redirects=False)
        assert (sent.status_code, sent.headers["location"]) == (303, "/rate")
    assert len(served.votes()) == 1
    assert "Comparison 2 of 4" in client.get("/rate").text


def test_an_old_page_that_votes_otherwise_changes_nothing_and_says_so(served: Served) -> None:
    client = enter(served)
    old, new = hidden(client.get("/rate").text), hidden(client.get("/rate").text)
    client.post("/rate", data={**new, "choice": "left"})
    said = client.post("/rate", data={**old, "choice": "right"})
    assert "the first one stands" in said.text
    (only,) = served.votes()
    assert only["winner"] == only["left"]


def test_undo_brings_the_comment_back(served: Served) -> None:
    client = enter(served)
    vote(client, "left", comment="a <b>slip</b>")
    page = client.get("/rate").text
    assert "slip" not in page
    again = client.post("/undo", data=hidden(page, "undo")).text
    assert "\na &lt;b&gt;slip&lt;/b&gt;</textarea>" in again


def test_undo_opens_the_last_one_again_with_its_sides(served: Served) -> None:
    client = enter(served)
    assert "disabled" in re.search(r'<button form="undo"[^>]*>', client.get("/rate").text)[0]  # type: ignore[index]
    before = client.get("/rate").text
    vote(client)
    page = client.get("/rate").text
    said = client.post("/undo", data=hidden(page, "undo"))
    assert "taken back" in said.text
    assert texts(said.text) == texts(before)
    assert client.post("/undo", data=hidden(page, "undo")).status_code == 200  # sent twice: nothing more
    assert served.votes() == []
    assert "no vote that could be undone" in client.post("/undo", data=hidden(said.text, "undo")).text


def test_while_the_study_pauses_nothing_is_shown_and_an_open_vote_is_kept(served: Served) -> None:
    client = enter(served)
    fields = hidden(client.get("/rate").text)
    served.database.pause(True)
    assert "The study is paused" in client.get("/rate").text
    assert "The study is paused" in client.post("/rate", data={**fields, "choice": "tie"}).text
    assert len(served.votes()) == 1
    served.database.pause(False)
    assert "Comparison 2 of 4" in client.get("/rate").text


def test_an_expired_or_revoked_link_is_told_and_votes_stay(served: Served) -> None:
    client, other = enter(served, "ann", days=1), enter(served, "bob")
    vote(client)
    fields = hidden(client.get("/rate").text)
    served.clock[0] = 2 * 86_400.0
    for ended in (client.get("/rate"), client.post("/rate", data={**fields, "choice": "left"})):
        assert ended.status_code == 403
        assert "Your invitation has ended" in ended.text
    served.database.revoke("bob", now=served.now())
    assert other.get("/rate").status_code == 403
    assert len(served.votes()) == 1


def test_a_newer_link_ends_the_sessions_of_the_older(served: Served) -> None:
    client = enter(served)
    served.database.invite("ann", now=served.now(), renew=True)
    assert client.get("/rate").status_code == 403


def test_a_field_that_no_page_has_is_refused(served: Served) -> None:
    client = enter(served)
    fields = {**hidden(client.get("/rate").text), "choice": "left"}
    for field in ("assignment", "request_id", "choice"):
        for value in ("", "x" * 65, "left'--", "ein schönes Wort ist das", "\0" * 20):
            sent = client.post("/rate", data={**fields, field: value})
            assert sent.status_code == 400, (field, value)
    assert (
        client.post("/rate", content=b"\xff%zz", headers={"content-type": "multipart/form-data"}).status_code
        == 400
    )
    assert served.votes() == []


def test_another_raters_comparison_cannot_be_voted_on(served: Served) -> None:
    ann, bob = enter(served, "ann"), enter(served, "bob")
    theirs = hidden(bob.get("/rate").text)["assignment"]
    fields = hidden(ann.get("/rate").text)
    sent = ann.post("/rate", data={**fields, "assignment": theirs, "choice": "left"})
    assert "the first one stands" in sent.text
    assert served.votes() == []


def test_a_comment_is_kept_as_written_or_refused(served: Served) -> None:
    client = enter(served)
    odd = "<script>alert(1)</script> \u202e\u200b é 🙂 " + "x" * 1900
    assert vote(client, comment=odd).status_code == 303
    too_long = vote(client, comment="y" * 2001)
    assert too_long.status_code == 400
    assert "2,001 characters" in too_long.text
    assert vote(client, comment="a\0b").status_code == 400
    assert [v["comment"] for v in served.votes()] == [odd.strip()]


def test_time_is_the_scripts_within_reason_else_the_servers(tmp_path: Path) -> None:
    said = {"7.5": 7.5, "1e9": 86_400.0, "nan": None, "-3": None, "soon": None, "": None}
    with serve(tmp_path, study(len(said))) as served:
        client = enter(served)
        for value, kept in said.items():
            fields = hidden(client.get("/rate").text)
            served.clock[0] += 42.0
            client.post(
                "/rate", data={**fields, "choice": "left", "seconds": value, "comment": value or "none"}
            )
            mine = next(v for v in served.votes() if v["comment"] == (value or "none"))
            assert mine["seconds"] == (pytest.approx(42, abs=9) if kept is None else kept), value


def test_a_time_of_another_page_or_a_forged_one_is_none(served: Served) -> None:
    client = enter(served)
    first = hidden(client.get("/rate").text)["shown"]
    vote(client, "tie")
    for shown in (first, "WzEsMl0.AAAA", ""):
        vote(client, "both_bad", shown=shown)
    assert [v["seconds"] for v in served.votes() if v["winner"] == "both_bad"] == [None] * 3


def test_a_script_that_asks_for_json_is_told_where_to_go(served: Served) -> None:
    client = enter(served)
    fields = hidden(client.get("/rate").text)
    sent = client.post("/rate", data={**fields, "choice": "left"}, headers={"accept": "application/json"})
    assert sent.json() == {"next": "/rate"}


def test_below_a_path_every_address_and_cookie_is_below_it(tmp_path: Path) -> None:
    """A proxy at https://votes.example/study that hands on the path, and one that strips it."""
    with serve(tmp_path, study(2), public_url="https://votes.example/study", behind_proxy=True) as served:
        token = served.link().rpartition("/")[2]
        for prefix in ("", "/study"):
            client = httpx.Client(
                verify=False,
                base_url=served.url,
                headers={"host": "votes.example", "x-forwarded-proto": "https"},
            )
            opened = client.get(f"{prefix}/i/{token}")
            assert opened.headers["location"] == "/study/"
            cookie = opened.headers["set-cookie"]
            assert "Path=/study/;" in cookie
            assert "Secure" in cookie
            sent = {"cookie": cookie.partition(";")[0]}
            page = client.get(f"{prefix}/rate", headers=sent).text
            assert set(re.findall(r'(?:href|src|action)="(/[^"?]*)', page)) == {
                *("/study/rate", "/study/undo", "/study/static/study.css", "/study/static/study.js"),
                *(
                    "/study/static/icon.svg",
                    "/study/static/content.css",
                    "/study/static/code.css",
                    "/study/static/noscript.css",
                ),
            }
            fields = hidden(page)
            voted = client.post(f"{prefix}/rate", data={**fields, "choice": "tie"}, headers=sent)
            assert voted.headers["location"] == "/study/rate"
            assert client.get(f"{prefix}/static/study.css").status_code == 200
        assert len(served.votes()) == 2
