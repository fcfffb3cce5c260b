"""The admin's page in a real Chromium: from an invitation to a vote that shows up, a revoked link, refreshing, a phone, what axe finds."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs playwright")

from playwright.sync_api import expect

from study.studies import simulated
from study.web.served import SECRETS, Served, serve

pytestmark = pytest.mark.browser
SERIOUS = ("serious", "critical")


class Window:
    """A browser of its own, and what went wrong in it."""

    def __init__(self, browser: Any, **options: Any) -> None:
        self.context = browser.new_context(reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.asked: list[str] = []
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda m: self.trouble.append(m.text))
        self.page.on("request", lambda r: self.asked.append(r.url))


@pytest.fixture
def window(browser: Any) -> Iterator[Callable[..., Window]]:
    opened: list[Window] = []

    def new(**options: Any) -> Window:
        opened.append(Window(browser, **options))
        return opened[-1]

    yield new
    for one in opened:
        one.context.close()


def admin_link(served: Served) -> str:
    return f"{served.url}/admin/i/{served.database.new_admin_token()}"


def test_from_the_invitation_to_the_vote_to_the_end_of_the_link(
    served: Served, window: Callable[..., Window]
) -> None:
    admin = window(viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
    rater = window(viewport={"width": 1280, "height": 900})
    page = admin.page
    page.goto(admin_link(served))
    assert page.url == f"{served.url}/admin"
    page.get_by_role("textbox", name="Name").fill("Zoë")
    page.get_by_role("button", name="Make a link").click()
    link = page.get_by_label("The link").input_value()
    page.get_by_role("button", name="Copy").click()
    page.get_by_text("Copied.").wait_for()
    assert page.evaluate("navigator.clipboard.readText()") == link

    rater.page.goto(link)
    rater.page.get_by_role("link", name="Start").click()
    rater.page.wait_for_timeout(400)
    rater.page.locator("button[value=left]").click()
    # Not `wait_for_function`: where it has to wait, it polls by eval, which the page's policy forbids.
    expect(rater.page).to_have_title(re.compile("^Comparison 2 "))
    for path in ("/admin", "/admin/live", "/admin/export/votes.csv"):
        status, text = rater.page.evaluate(
            "path => fetch(path).then(async r => [r.status, await r.text()])", path
        )
        assert status == 403
        assert not [word for word in SECRETS if word in text]

    page.get_by_role("link", name="Back to the study").click()
    row = page.locator("tr", has_text="Zoë")
    assert row.locator("td[data-label=Votes]").inner_text() == "1"
    assert "1 of 8 planned votes" in page.locator("#progress").inner_text()
    row.get_by_role("button", name="Revoke the link of Zoë").click()
    page.get_by_role("button", name="Revoke the link").click()
    page.locator("tr", has_text="revoked").wait_for()
    rater.page.reload()
    assert "Your invitation has ended" in rater.page.locator("h1").inner_text()
    assert len(served.votes()) == 1
    assert admin.trouble == []
    assert all(url.startswith(served.url) for url in admin.asked)


def test_figures_come_again_by_themselves_until_they_are_stopped(
    served: Served, window: Callable[..., Window]
) -> None:
    admin = window(viewport={"width": 1280, "height": 900})
    page = admin.page
    page.clock.install()
    page.goto(admin_link(served))
    page.locator("#pairs summary").click()
    page.evaluate("document.activeElement.blur()")
    made = served.database.invite("Late Larry", now=served.now())
    assert page.get_by_text("Late Larry").count() == 0
    page.clock.run_for(31_000)
    page.get_by_role("rowheader", name="Late Larry").wait_for()
    assert page.locator("#pairs[open]").count() == 1, "what was open stays open"
    assert "As of" in page.locator("#refreshed").inner_text()
    page.get_by_label("Refresh every 30 s").uncheck()
    served.database.revoke("Late Larry", now=served.now())
    before = len(admin.asked)
    page.clock.run_for(120_000)
    assert len(admin.asked) == before
    page.reload()
    assert not page.get_by_label("Refresh every 30 s").is_checked(), "the choice is remembered"
    page.get_by_label("Refresh every 30 s").check()
    served.database.new_admin_token()
    page.clock.run_for(31_000)
    page.get_by_text("You are signed out.").wait_for()
    assert made.token not in page.content()


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark"), (320, "light")])
def test_axe_finds_nothing_and_nothing_runs_over_the_side(
    tmp_path: Path, window: Callable[..., Window], width: int, scheme: str
) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    study = simulated(prompts=40, raters=5, votes_each=30)
    with serve(tmp_path, study) as served:
        served.database.invite("A rater with quite a long name, as people have them", now=served.now())
        page = window(viewport={"width": width, "height": 900}, color_scheme=scheme).page

        def found() -> list[tuple[str, str]]:
            result = axe.Axe().run(page).response["violations"]
            return [(v["id"], str(v["nodes"][0]["target"])) for v in result if v["impact"] in SERIOUS]

        page.goto(admin_link(served))
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        assert found() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        page.get_by_role("button", name="Revoke").first.click()
        assert found() == []
        page.get_by_role("link", name="No, go back").click()
        page.get_by_role("textbox", name="Name").fill("Eve")
        page.get_by_role("button", name="Make a link").click()
        assert found() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_it_works_without_a_script(served: Served, window: Callable[..., Window]) -> None:
    page = window(java_script_enabled=False).page
    page.goto(admin_link(served))
    page.get_by_role("textbox", name="Name").fill("Bob")
    page.get_by_role("button", name="Make a link").click()
    assert page.get_by_label("The link").input_value().startswith(f"{served.url}/i/")
    assert page.get_by_role("button", name="Copy").count() == 0
    page.get_by_role("link", name="Back to the study").click()
    page.get_by_role("button", name="Pause the study").click()
    assert served.database.facts().paused
