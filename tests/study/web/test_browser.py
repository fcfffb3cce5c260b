"""Raters in a real Chromium: by keys, by mouse, two at once; loading again, going back, pressing twice, losing the network; no JavaScript."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from charm_rm.study.web.guards import HEADERS
from study.web.served import SECRETS, Served, serve, study
from study.web.wire import tapped

pytestmark = pytest.mark.browser
OWN_HEADERS = {name.lower() for name in HEADERS}  # that say "policy", as others of their kind do
GRACE = 400  # the script takes no vote in the first moments of a page: a double click is one


class Rater:
    """A browser of its own, signed in, what went wrong in it, and which hosts it asked; by way of ``wire``, where one is given."""

    def __init__(
        self, browser: Any, served: Served, name: str = "ann", *, wire: str | None = None, **options: Any
    ) -> None:
        self.context = browser.new_context(reduced_motion="reduce", **options)
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.page.on("pageerror", lambda error: self.trouble.append(str(error)))
        self.page.on("console", lambda m: self.trouble.append(m.text) if "ERR_" not in m.text else None)
        self.asked: set[str] = set()
        self.page.on("request", lambda request: self.asked.add(request.url.split("/")[2]))
        self.page.goto(served.link(name).replace(served.url, wire or served.url))

    def start(self) -> None:
        self.page.get_by_role("link", name=re.compile("Start|Go on")).click()
        self.at(1)

    def at(self, place: int, of: int = 4) -> None:
        """Wait until this comparison is there, and takes votes."""
        expect(self.page).to_have_title(f"Comparison {place} of {of}")
        self.page.wait_for_load_state()
        self.page.wait_for_timeout(GRACE)

    def done(self) -> None:
        expect(self.page).to_have_title("All done")
        self.page.wait_for_timeout(GRACE)

    def status(self) -> str:
        return str(self.page.locator("#status").inner_text())


@pytest.fixture
def rater(browser: Any, served: Served) -> Iterator[Rater]:
    one = Rater(browser, served, viewport={"width": 1280, "height": 800})
    yield one
    one.context.close()


def choices(served: Served, rater: str = "ann") -> list[str]:
    """What a rater pressed, in order of time: left, right, tie, both_bad."""
    votes = sorted((v for v in served.votes() if v["rater"] == rater), key=lambda v: v["voted_at"])
    return [
        w if w not in "ab" else "left" if w == v["left"] else "right" for v in votes for w in (v["winner"],)
    ]


def test_a_session_by_keys_with_a_comment_and_an_undo(rater: Rater, served: Served) -> None:
    page = rater.page
    rater.start()
    assert page.locator("#vote kbd").first.is_visible()
    page.keyboard.press("1")
    rater.at(2)
    page.keyboard.press("c")
    page.keyboard.type("ab 1234 txu")  # letters that vote elsewhere
    page.keyboard.press("ArrowLeft")
    assert page.title() == "Comparison 2 of 4"
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.tagName") == "SUMMARY"
    page.keyboard.press("t")
    rater.at(3)
    page.keyboard.press("u")
    rater.at(2)
    assert "taken back" in rater.status()
    page.keyboard.press("ArrowRight")
    rater.at(3)
    page.keyboard.press("Control+4")  # the browser's own
    page.keyboard.press("x")
    rater.at(4)
    page.keyboard.press("B")
    rater.done()
    assert choices(served) == ["left", "right", "both_bad", "right"]
    assert rater.trouble == []


@pytest.mark.slow
def test_a_session_by_mouse_with_keys_off(rater: Rater, served: Served) -> None:
    page = rater.page
    rater.start()
    page.get_by_role("button", name="Keys").click()
    assert page.locator("#vote kbd").first.is_hidden()
    page.keyboard.press("1")
    for place, name in enumerate(("A is better", "B is better", "Tie", "Both bad"), start=1):
        rater.at(place)
        assert page.get_by_role("progressbar", name=f"{place} of 4").get_attribute("value") == str(place - 1)
        page.get_by_text("Comment", exact=False).first.click()
        page.get_by_label("Why?").fill(f"because {name}")
        page.get_by_role("button", name=name).click()
    rater.done()
    assert choices(served) == ["left", "right", "tie", "both_bad"]
    assert {v["comment"] for v in served.votes()} == {
        f"because {n}" for n in ("A is better", "B is better", "Tie", "Both bad")
    }
    seconds = [v["seconds"] for v in served.votes()]
    assert all(0.3 < s < 30 for s in seconds)
    page.get_by_role("button", name="Undo my last vote").click()
    rater.at(4)
    assert len(served.votes()) == 3
    assert rater.trouble == []


def test_loading_again_keeps_sides_comment_and_votes_nothing(rater: Rater, served: Served) -> None:
    page = rater.page
    rater.start()
    before = page.locator(".answers").inner_text()
    page.keyboard.press("c")
    page.get_by_label("Why?").fill("half a thought")
    page.reload()
    rater.at(1)
    assert page.locator(".answers").inner_text() == before
    assert page.locator("#comment").input_value() == "half a thought"
    page.keyboard.press("a")
    rater.at(2)
    assert page.locator("#comment").input_value() == ""
    page.reload()
    rater.at(2)
    assert len(served.votes()) == 1


@pytest.mark.slow
def test_going_back_shows_the_open_one_and_votes_nothing(rater: Rater, served: Served) -> None:
    page = rater.page
    rater.start()
    page.keyboard.press("a")
    rater.at(2)
    page.go_back()
    page.go_forward()
    rater.at(2)
    assert choices(served) == ["left"]
    page.keyboard.press("b")
    rater.at(3)
    assert choices(served) == ["left", "right"]


@pytest.mark.slow
def test_pressing_twice_is_one_vote(rater: Rater, served: Served) -> None:
    page = rater.page
    rater.start()
    page.get_by_role("button", name="A is better").dblclick()
    rater.at(2)
    page.evaluate("() => { for (const b of document.querySelectorAll('#vote button')) b.click(); }")
    rater.at(3)
    page.keyboard.press("t")
    page.keyboard.press("t")
    rater.at(4)
    assert choices(served) == ["left", "left", "tie"]


def test_a_click_in_the_first_moment_of_a_page_is_none(rater: Rater, served: Served) -> None:
    """The second half of a double click may fall on the next comparison."""
    page = rater.page
    page.add_init_script(
        "addEventListener('DOMContentLoaded', () => document.querySelector('#vote button')?.click())"
    )
    rater.start()
    assert served.votes() == []
    page.keyboard.press("b")
    rater.at(2)
    assert choices(served) == ["right"]


def test_a_lost_network_keeps_the_vote_and_sends_it_once(rater: Rater, served: Served) -> None:
    page = rater.page
    rater.start()
    page.keyboard.press("c")
    page.keyboard.type("on the train")
    page.keyboard.press("Escape")
    rater.context.set_offline(True)
    page.keyboard.press("b")
    page.get_by_text("No connection").wait_for()
    assert "Your vote (B is better) is kept here" in rater.status()
    assert page.get_by_role("button", name="A is better").is_disabled()
    assert served.votes() == []
    rater.context.set_offline(False)
    rater.at(2)
    (only,) = served.votes()
    assert (choices(served), only["comment"]) == (["right"], "on the train")


@pytest.mark.slow
def test_an_answer_that_gets_lost_and_a_page_loaded_again_double_nothing(
    rater: Rater, served: Served
) -> None:
    """The vote arrives, its answer does not; the page is loaded again before the next try."""
    page = rater.page
    rater.start()

    def lose(route: Any) -> None:
        route.fetch()
        route.abort()

    page.route("**/rate", lambda route: lose(route) if route.request.method == "POST" else route.continue_())
    page.keyboard.press("a")
    page.get_by_text("No connection").wait_for()
    assert choices(served) == ["left"]
    page.unroute("**/rate")
    page.on("dialog", lambda dialog: dialog.accept())  # leaving while a vote waits is asked about
    page.reload()
    rater.at(2)
    page.wait_for_timeout(300)
    rater.at(2)
    assert choices(served) == ["left"]
    page.keyboard.press("t")
    rater.at(3)
    assert choices(served) == ["left", "tie"]


@pytest.mark.slow
def test_a_server_that_fails_for_a_while_gets_the_vote_later(
    rater: Rater, served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    rater.start()
    real, calls = type(served.database).vote, []

    def failing(*arguments: Any, **more: Any) -> Any:
        calls.append(1)
        if len(calls) == 1:
            raise OSError("busy")
        return real(*arguments, **more)

    monkeypatch.setattr(type(served.database), "vote", failing)
    rater.page.keyboard.press("a")
    rater.page.get_by_text("does not answer just now").wait_for()
    rater.page.get_by_role("button", name="Send now").click()
    rater.at(2)
    assert choices(served) == ["left"]


def test_a_vote_that_is_refused_is_told(rater: Rater, served: Served) -> None:
    rater.start()
    served.database.revoke("ann", now=served.now())
    rater.page.keyboard.press("a")
    rater.page.get_by_text("Not saved. Your invitation has ended").wait_for()
    assert rater.page.get_by_role("button", name="A is better").is_enabled()
    assert served.votes() == []


@pytest.mark.slow
def test_two_raters_at_once(browser: Any, served: Served) -> None:
    two = [Rater(browser, served, name) for name in ("ann", "bob")]
    for one in two:
        one.start()
    for place in range(1, 5):
        for one, key in zip(two, "12", strict=True):
            one.at(place)
            one.page.keyboard.press(key)
    for one in two:
        one.done()
        one.context.close()
    assert choices(served, "ann") == ["left"] * 4
    assert choices(served, "bob") == ["right"] * 4


def test_a_session_without_javascript(browser: Any, served: Served) -> None:
    rater = Rater(browser, served, java_script_enabled=False)
    page = rater.page
    assert page.locator("#theme").is_hidden()
    page.get_by_role("link", name="Start").click()
    assert page.locator("#vote kbd").first.is_hidden()
    page.locator("summary").click()
    page.get_by_label("Why?").fill("plainly")
    page.get_by_role("button", name="A is better").click()
    page.get_by_role("button", name="Undo").click()
    assert "taken back" in page.locator("#status").inner_text()
    for name in ("Tie", "B is better", "Both bad", "A is better"):
        page.get_by_role("button", name=name).click()
    assert page.title() == "All done"
    page.go_back()
    assert page.title() == "All done"
    assert choices(served) == ["tie", "right", "both_bad", "left"]
    assert rater.trouble == []
    rater.context.close()


def test_no_byte_that_the_browser_received_says_whose_answers_they_are(browser: Any, served: Served) -> None:
    with tapped(served.url) as wire:
        rater = Rater(browser, served, wire=wire.url)
        page = rater.page
        rater.start()
        for place, key in enumerate("1234", start=1):
            rater.at(place)
            page.keyboard.press(key)
        rater.done()
        for path in ("/none", "/i/none", "/admin"):
            page.goto(wire.url + path)
        kept = page.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
        kept += repr(rater.context.cookies())
        rater.context.close()
    everything = bytes(wire.received)
    assert everything.count(b"HTTP/1.1 200") >= 14  # pages, votes, files
    assert everything.count(b"Because of the moon") == 4
    assert b"set-cookie" in everything.lower()
    for name in OWN_HEADERS:
        everything = everything.replace(name.encode(), b"")
    for secret in (*SECRETS, "db-prompt", "db-comparison", "0.731", "inclusion", "policy", "score"):
        assert secret.encode() not in everything, secret
        assert secret not in kept, secret
    assert rater.asked == {wire.url.split("/")[2]}


@pytest.mark.slow
def test_which_answer_is_left_is_told_by_nothing_but_its_place(browser: Any, tmp_path: Path) -> None:
    """Two raters who see the same comparison with sides swapped get the same page but for the order of the texts."""
    with serve(tmp_path, study(1, wanted=40, answers=[("FIRST text", "SECOND text")])) as served:
        pages: dict[bool, str] = {}
        for i in range(20):
            rater = Rater(browser, served, f"r{i}", java_script_enabled=False)
            rater.page.goto(served.url + "/rate")
            text = re.sub(r'value="[^"]*"|data-assignment="\w+"', "", rater.page.content())
            pages[text.index("FIRST") < text.index("SECOND")] = text
            rater.context.close()
            if len(pages) == 2:
                break
        swapped = pages[True].replace("FIRST", "*").replace("SECOND", "FIRST").replace("*", "SECOND")
        assert swapped == pages[False]


@pytest.mark.slow
def test_the_theme_follows_the_system_until_chosen(browser: Any, served: Served) -> None:
    rater = Rater(browser, served, color_scheme="dark")
    page = rater.page

    def ground() -> list[int]:
        return [
            int(n)
            for n in re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
        ]

    assert max(ground()) < 60
    assert page.locator("#theme").get_attribute("aria-pressed") == "true"
    page.locator("#theme").click()
    assert min(ground()) > 220
    rater.start()
    assert min(ground()) > 220
    rater.context.close()


@pytest.mark.parametrize(
    "width", [360, *(pytest.param(w, marks=pytest.mark.slow) for w in (320, 414, 768, 1280, 1920))]
)
def test_nothing_sticks_out_sideways(browser: Any, served: Served, width: int) -> None:
    rater = Rater(browser, served, viewport={"width": width, "height": 800})
    for path in ("/", "/rate", "/none"):
        rater.page.goto(served.url + path)
        assert rater.page.evaluate("document.documentElement.scrollWidth") == width, path
    rater.context.close()
