"""The admin's page by requests: who gets in, what each form does, what never is in a page, what is downloaded."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

pytest.importorskip("httpx", reason="the test client needs httpx")

from starlette.testclient import TestClient

from charm_rm.settings import ServeSettings
from charm_rm.study import live_findings
from charm_rm.study.database import create_study
from charm_rm.study.export import as_battles
from charm_rm.study.live_findings import RaterMark
from charm_rm.study.nouns import Comparisons, Study, StudyVotes
from charm_rm.study.results import CARELESS, OTHER_TASTE
from charm_rm.study.web import admin
from charm_rm.study.web.app import create_app
from charm_rm.tables import Battles
from study.studies import simulated
from study.web.served import cookie as session_cookie

HOME = "http://127.0.0.1:8321"
HOSTILE = "<script>alert(1)</script>"
POSTS = [
    ("/admin/invite", {"name": "Zoe", "days": "3"}),
    ("/admin/renew", {"rater": "rater 1", "sure": "yes"}),
    ("/admin/revoke", {"rater": "Ann", "sure": "yes"}),
    ("/admin/pause", {"paused": "yes"}),
    ("/admin/token", {"sure": "yes"}),
    ("/admin/leave", {}),
]
GETS = ["/admin", "/admin/live", "/admin/export/votes.csv", "/admin/export/nothing.exe"]


@dataclass
class Served:
    """A study that is served, its admin's token, and a clock that tests can turn."""

    database: Any
    app: Any
    token: str
    clock: list[float]

    def browser(self) -> TestClient:
        return TestClient(self.app, base_url=HOME)

    def admin(self) -> TestClient:
        client = self.browser()
        assert client.get(f"/admin/i/{self.token}").url.path == "/admin"
        return client

    def rater(self, name: str = "Ann") -> TestClient:
        made = self.database.invite(name, now=self.clock[0], renew=True)
        client = self.browser()
        assert client.get(f"/i/{made.token}").status_code == 200
        return client

    def state(self) -> tuple[Any, ...]:
        """All that a form could change."""
        rows = self.database.raters(now=self.clock[0])
        return (
            self.database.facts().paused,
            self.database.check_admin(self.token),
            [(r.name, r.status) for r in rows],
        )


def serve(path: Path, study: Study) -> Served:
    database = create_study(path / "study.db", study)
    clock = [1.8e9]
    app = create_app(database, ServeSettings(), now=lambda: clock[0])
    return Served(database, app, database.new_admin_token(), clock)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    here = serve(tmp_path, simulated(prompts=30, votes_each=20))
    yield here
    here.database.close()


@pytest.fixture(scope="module")
def untouched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A study for tests of what changes nothing, one for all of them."""
    here = serve(tmp_path_factory.mktemp("untouched"), simulated(prompts=30, votes_each=20))
    yield here
    here.database.close()


def csrf(client: TestClient) -> str:
    found = re.search(r'name="csrf" value="(\w+)"', client.get("/admin").text)
    assert found
    return found[1]


def post(client: TestClient, path: str, **fields: str) -> Any:
    return client.post(path, data={"csrf": csrf(client), **fields})


# --- who gets in --------------------------------------------------------------------------------------


def test_every_route_of_the_page_is_closed_without_its_session(served: Served) -> None:
    """Nobody, a rater, and a session that somebody made up see one and the same page, wherever they knock."""
    listed = {(next(iter(r.methods)), r.path) for r in admin.router.routes}
    tried = {("POST", path) for path, _ in POSTS} | {
        ("GET", p) for p in ("/admin", "/admin/live", "/admin/export/{name}")
    }
    assert listed == tried, "a new route belongs into this test"
    forged, rater, exchanged = served.browser(), served.rater(), served.browser()
    name, value = session_cookie(rater, "rater")
    forged.cookies.set(name.replace("rater", "admin"), "made.up.cookie")
    exchanged.cookies.set(name.replace("rater", "admin"), value)
    before = served.state()
    seen = set()
    for client in (served.browser(), rater, forged, exchanged):
        for path in GETS:
            answer = client.get(path)
            seen.add((answer.status_code, answer.text))
        for path, fields in POSTS:
            answer = client.post(path, data={**fields, "csrf": "0" * 64})
            seen.add((answer.status_code, answer.text))
    assert len(seen) == 1
    assert next(iter(seen))[0] == 403
    assert served.state() == before


def test_the_admin_cannot_vote_and_the_page_for_raters_tells_the_admin_nothing(served: Served) -> None:
    client = served.admin()
    before = served.database.read().votes.frame.height
    for answer in (
        client.get("/rate"),
        client.get("/"),
        post(client, "/rate", choice="left"),
        post(client, "/undo"),
    ):
        assert answer.status_code == 403
        assert "invitation link" in answer.text
    served.database.invite("Ann", now=served.clock[0])
    swapped = served.browser()
    name, value = session_cookie(client, "admin")
    swapped.cookies.set(name.replace("admin", "rater"), value)
    assert swapped.get("/rate").status_code == 403
    assert served.database.read().votes.frame.height == before


def test_wrong_links_look_alike_and_are_counted(served: Served) -> None:
    client = served.browser()
    tokens = ["x", served.token[:-1], served.token + "x", "é" * 32, served.token.lower()]
    pages = {(a.status_code, a.text) for a in (client.get(f"/admin/i/{token}") for token in tokens)}
    assert len(pages) == 1
    assert next(iter(pages))[0] == 404
    for _ in range(80):
        last = client.get("/admin/i/guess")
    assert last.status_code == 429
    assert client.get(f"/admin/i/{served.token}").status_code == 429, (
        "the right one waits, too: it tells nothing"
    )


def test_a_form_without_its_token_changes_nothing(served: Served) -> None:
    client = served.admin()
    served.database.invite("Ann", now=served.clock[0])
    before, good = served.state(), csrf(client)
    for path, fields in POSTS:
        for wrong in ({}, {"csrf": "0" * 64}):
            assert client.post(path, data={**fields, **wrong}).status_code == 403, path
        elsewhere = {"Sec-Fetch-Site": "cross-site"}
        other = client.post(path, data={**fields, "csrf": good}, headers=elsewhere)
        assert other.status_code == 403, path
        assert served.state() == before, path
        assert client.get("/admin").status_code == 200, path


# --- what the forms do --------------------------------------------------------------------------------


def test_an_invitation_is_shown_once_and_works(served: Served) -> None:
    client = served.admin()
    answer = post(client, "/admin/invite", name="Zoë Ω", days="3", quota="5")
    link = re.search(rf'value="{HOME}(/i/[\w-]+)"', answer.text)
    assert link
    assert answer.headers["cache-control"] == "no-store"
    row = next(r for r in served.database.raters(now=served.clock[0]) if r.name == "Zoë Ω")
    assert (row.status, row.quota, row.expires_at) == ("open", 5, served.clock[0] + 3 * 86400)
    rater = served.browser()
    assert "Zoë Ω" in rater.get(link[1]).text
    token = link[1].removeprefix("/i/")
    later = client.get("/admin").text
    assert token not in later
    assert "open until" in later
    again = post(client, "/admin/invite", name="Zoë Ω", days="3")
    assert again.status_code == 400
    assert "has a link already" in again.text


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": "", "days": "3"}, "no name for a rater"),
        ({"name": "a\u202eb", "days": "3"}, "no name for a rater"),
        ({"name": "Zoe", "days": "0"}, "a whole number from 1 to 365"),
        ({"name": "Zoe", "days": "1e3"}, "a whole number from 1 to 365"),
        ({"name": "Zoe", "days": "9" * 400}, "a whole number from 1 to 365"),
        ({"name": "Zoe", "days": "3", "quota": "-1"}, "a whole number from 1 to 100,000"),
        ({"name": "Zoe", "days": "3", "quota": "１２"}, "a whole number from 1 to 100,000"),
    ],
)
def test_a_malformed_invitation_is_refused_with_the_reason(
    untouched: Served, fields: dict[str, str], words: str
) -> None:
    answer = post(untouched.admin(), "/admin/invite", **fields)
    assert answer.status_code == 400
    assert words in answer.text
    assert all(row.status == "imported" for row in untouched.database.raters(now=untouched.clock[0]))


def test_what_ends_something_asks_first(served: Served) -> None:
    client, rater = served.admin(), served.rater()
    before = served.state()
    for path, fields in (
        ("/admin/revoke", {"rater": "Ann"}),
        ("/admin/renew", {"rater": "Ann"}),
        ("/admin/token", {}),
    ):
        answer = post(client, path, **fields)
        assert answer.status_code == 200
        assert "No, go back" in answer.text
    assert served.state() == before
    assert post(client, "/admin/revoke", rater="Ann", sure="yes").url.path == "/admin"
    assert "Your invitation has ended" in rater.get("/rate").text
    assert "revoked" in client.get("/admin").text
    assert post(client, "/admin/revoke", rater="Nobody", sure="yes").status_code == 400


def test_a_new_link_for_a_rater_ends_the_old_one_and_keeps_the_quota(served: Served) -> None:
    client = served.admin()
    served.database.invite("Ann", now=served.clock[0], quota=7)
    answer = post(client, "/admin/renew", rater="Ann", sure="yes")
    assert "at most 7 comparisons" in answer.text
    link = re.search(rf'value="{HOME}(/i/[\w-]+)"', answer.text)
    assert link
    assert served.browser().get(link[1]).status_code == 200


def test_pause_and_resume(served: Served) -> None:
    client, rater = served.admin(), served.rater()
    assert "The study is paused" in post(client, "/admin/pause", paused="yes").text
    assert served.database.facts().paused
    assert 'name="choice"' not in rater.get("/rate").text
    assert "Pause the study" in post(client, "/admin/pause", paused="no").text
    assert not served.database.facts().paused
    assert post(client, "/admin/pause", paused="perhaps").status_code == 400


def test_a_new_admin_link_signs_all_others_out(served: Served) -> None:
    client, other = served.admin(), served.admin()
    answer = post(client, "/admin/token", sure="yes")
    link = re.search(rf'value="{HOME}(/admin/i/[\w-]+)"', answer.text)
    assert link
    assert client.get("/admin").status_code == 200
    assert other.get("/admin").status_code == 403
    assert served.browser().get(f"/admin/i/{served.token}").status_code == 404
    assert served.browser().get(link[1]).status_code == 200
    assert post(client, "/admin/leave").status_code == 200
    assert client.get("/admin").status_code == 403


# --- what is in the page ------------------------------------------------------------------------------


def test_no_secret_is_in_the_page(served: Served) -> None:
    client = served.admin()
    made = served.database.invite("Ann", now=served.clock[0])
    for path in ("/admin", "/admin/live"):
        page = client.get(path)
        for secret in (served.token, made.token, served.database.secret()):
            assert secret not in page.text
        assert page.headers["cache-control"] == "no-store"
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert not re.search(r"<script(?! src=)|\son\w+=|\sstyle=|javascript:", page.text)


def hostile_study() -> Study:
    study = simulated(prompts=30, votes_each=20)
    named = {"alpha": f"a{HOSTILE}", "beta": "=b()", "gamma": "g\u202eevil"}
    sides = [pl.col(side).replace(named) for side in ("policy_a", "policy_b")]
    assert study.responses is not None
    answers = study.responses.frame.with_columns(pl.col("policy").replace(named))
    told = study.votes.frame.with_columns(
        rater=pl.col("rater").replace({"rater 1": f"r{HOSTILE}"}),
        comment=pl.when(pl.col("rater") == "rater 2").then(pl.lit(f"=1+1 {HOSTILE} \x1b[2J")),
    )
    frame = study.comparisons.frame.with_columns(sides)
    swapped = pl.col("policy_a") > pl.col("policy_b")
    frame = frame.with_columns(
        pl.when(swapped).then("policy_b").otherwise("policy_a").alias("policy_a"),
        pl.when(swapped).then("policy_a").otherwise("policy_b").alias("policy_b"),
    )
    return replace(
        study,
        comparisons=Comparisons(frame),
        votes=StudyVotes(told),
        models=(),
        responses=type(study.responses)(answers),
    )


def test_hostile_names_and_comments_are_text(tmp_path: Path) -> None:
    here = serve(tmp_path, hostile_study())
    client = here.admin()
    page = client.get("/admin").text
    assert HOSTILE not in page
    for shown in ("a&lt;script&gt;", "r&lt;script&gt;", "=1+1 &lt;script&gt;", "g\\u202eevil", "\\x1b[2J"):
        assert shown in page, shown
    assert "\u202e" not in page
    sure = post(client, "/admin/revoke", rater=f"r{HOSTILE}").text
    assert HOSTILE not in sure
    assert f'value="r{HOSTILE}"'.replace("<", "&lt;").replace(">", "&gt;") in sure
    here.database.close()


def test_behind_a_proxy_every_address_is_below_the_public_one(tmp_path: Path) -> None:
    public = "https://votes.example/rm"
    with create_study(tmp_path / "study.db", simulated(prompts=30, votes_each=20)) as database:
        app = create_app(database, ServeSettings(public_url=public), now=lambda: 1.8e9)
        client = TestClient(app, base_url="https://votes.example", root_path="/rm")
        assert (
            client.get(f"/admin/i/{database.new_admin_token()}", follow_redirects=False).headers["location"]
            == "/rm/admin"
        )
        [(name, value)] = client.cookies.items()
        client.cookies.set(name, value, path="/")
        page = client.get("/admin").text
        addresses = re.findall(r'(?:href|src|action|data-source)="(/[^"]*)"', page)
        assert addresses
        assert all(address.startswith("/rm/") for address in addresses), addresses
        token = re.search(r'name="csrf" value="(\w+)"', page)
        assert token
        made = client.post("/admin/invite", data={"csrf": token[1], "name": "Zoe", "days": "2"})
        assert re.search(rf'value="{public}/i/[\w-]+"', made.text)


def test_figures_are_made_once_for_each_state_of_the_votes(served: Served) -> None:
    client = served.admin()
    for _ in range(5):
        client.get("/admin/live")
    assert served.app.state.figures.made == 1
    rater = served.rater()
    page = rater.get("/rate").text
    fields = dict(re.findall(r'name="(csrf|assignment|request_id)" value="([^"]+)"', page))
    assert rater.post("/rate", data={**fields, "choice": "tie", "comment": "hard"}).status_code == 200
    live = client.get("/admin/live").text
    assert served.app.state.figures.made == 2
    assert "hard" in live
    assert "Ann" in live
    assert client.get("/admin/live").text == live
    assert served.app.state.figures.made == 2


def test_the_page_counts_as_the_database_does(served: Served) -> None:
    """`charm study progress` asks the database, the page a Study: they say the same."""
    client = served.admin()
    client.get("/admin")
    live = served.app.state.figures.of(served.database, served.database.raters(now=served.clock[0])).live
    mine = {row["rater"]: row for row in live.raters.iter_rows(named=True)}
    rows = served.database.raters(now=served.clock[0])
    assert len(rows) == len(mine) == 4
    for row in rows:
        got = mine[row.name]
        assert (row.votes, row.repeats, row.checks, row.checks_passed) == (
            got["votes"],
            got["repeats"],
            got["checks"],
            got["passed"],
        )
    policies = {row["policy"]: row for row in live.policies.iter_rows(named=True)}
    for row in served.database.policies():
        assert (row.votes, row.votes_wanted) == (
            policies[row.policy]["votes"],
            policies[row.policy]["wanted"],
        )


def test_a_study_that_nobody_has_voted_in(tmp_path: Path) -> None:
    study = simulated(prompts=30)
    here = serve(tmp_path, replace(study, votes=StudyVotes(study.votes.frame.clear())))
    client = here.admin()
    page = client.get("/admin").text
    assert "Nobody has been invited yet" in page
    assert "0 votes on 3 policies are too few" in page
    assert client.get("/admin/export/votes.parquet").status_code == 200
    refused = client.get("/admin/export/battles.csv")
    assert refused.status_code == 400
    assert "no votes that count" in refused.text
    here.database.close()


# --- downloads ----------------------------------------------------------------------------------------


def test_downloads_hold_every_vote(served: Served) -> None:
    client, study = served.admin(), served.database.read()
    battles = pl.read_parquet(io.BytesIO(client.get("/admin/export/battles.parquet").content))
    assert Battles(battles).frame.drop("comment", strict=False).equals(as_battles(study).frame)
    answer = client.get("/admin/export/votes.jsonl")
    assert answer.headers["content-disposition"] == 'attachment; filename="study-votes.jsonl"'
    rows = [json.loads(line) for line in answer.text.splitlines()]
    assert len(rows) == len(study.votes)
    counts = [row for row in rows if row["counts"]]
    assert len(counts) == len(as_battles(study))
    # Each comparison's votes weigh 1 / inclusion together.
    weights: dict[str, float] = {}
    for row in counts:
        weights[row["comparison_id"]] = (
            weights.get(row["comparison_id"], 0.0) + row["weight"] * row["inclusion"]
        )
    assert all(abs(total - 1) < 1e-9 for total in weights.values())
    assert all(row["weight"] is None for row in rows if not row["counts"])
    assert {"margin_model-0", "margin_model-1"} <= set(rows[0])


def test_csv_is_safe_and_parquet_exact(tmp_path: Path) -> None:
    here = serve(tmp_path, hostile_study())
    client = here.admin()
    for what, column in (("battles", "policy_a"), ("votes", "policy_a"), ("comments", "comment")):
        safe = pl.read_csv(io.BytesIO(client.get(f"/admin/export/{what}.csv").content))
        exact = pl.read_parquet(io.BytesIO(client.get(f"/admin/export/{what}.parquet").content))
        texts = exact[column].drop_nulls()
        dangerous = texts.str.starts_with("=")
        assert dangerous.any()
        for name, kind in safe.schema.items():
            if kind == pl.String:
                assert not safe[name].str.contains(r"^[=+\-@\t\r]").any(), (what, name)
        assert set(safe[column].drop_nulls()) >= {f"'{text}" for text in texts.filter(dangerous)}
    here.database.close()


@pytest.mark.parametrize(
    "name", ["votes", "votes.exe", ".csv", "..%2f..%2fstudy.db", "votes.csv.csv", "VOTES.csv"]
)
def test_there_is_no_other_download(untouched: Served, name: str) -> None:
    assert untouched.admin().get(f"/admin/export/{name}").status_code == 404


@pytest.mark.slow
def test_ten_thousand_votes_are_counted_once(tmp_path: Path) -> None:
    here = serve(tmp_path, simulated(prompts=2500, raters=10, votes_each=1000))
    client = here.admin()
    made = here.app.state.figures.made
    assert "10,000" in client.get("/admin").text
    client.get("/admin/live")
    assert here.app.state.figures.made == max(made, 1)  # what is kept is not made again
    here.database.close()


def test_a_mark_says_which_of_the_three_it_is(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    """Carelessness in the colour of a warning, a taste not; reasons are text."""
    marks = {
        "rater 0": RaterMark(CARELESS, ("failed 8 of 8 attention checks", HOSTILE)),
        "rater 1": RaterMark(OTHER_TASTE, ("agrees with the others on 40% of 30 comparisons",)),
    }
    monkeypatch.setattr(live_findings, "rater_flags", lambda _: marks)
    page = served.admin().get("/admin").text
    assert '<span class="flag"><b>Looks careless:</b> failed 8 of 8 attention checks; &lt;script&gt;' in page
    assert '<span class="flag note"><b>Another taste:</b> agrees with the others on 40% of' in page
    assert HOSTILE not in page
