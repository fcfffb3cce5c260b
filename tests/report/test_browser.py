"""The page in a real Chromium: no request, no script but ours, hostile text shown as text, tools that work."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from charm_rm.report import write_report
from report.synthetic import HOSTILE, build_run, names

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report whose policies, prompts, responses and warnings all try to run something."""
    folder = tmp_path_factory.mktemp("report") / "run"
    hostile = " ".join(HOSTILE)
    policies = [*HOSTILE, *names(10)]
    return write_report(build_run(folder, policies=policies, text=hostile, warnings=HOSTILE, simulated=True))


class Visit:
    """One page opened, and all it asked for, said, or let run."""

    def __init__(self, browser: Any, report: Path, **options: Any) -> None:
        # Without smooth scrolling: a mark that glides away while the pointer goes to it is missed.
        self.page = browser.new_page(reduced_motion="reduce", **options)
        self.requests: list[str] = []
        self.trouble: list[str] = []
        self.page.on("request", lambda r: self.requests.append(r.url))
        self.page.on("dialog", lambda d: (self.trouble.append(f"dialog {d.message}"), d.dismiss()))
        self.page.on("pageerror", lambda e: self.trouble.append(str(e)))
        self.page.on("console", lambda m: self.trouble.append(m.text))
        self.page.route(
            "**", lambda route: route.continue_() if route.request.url.startswith("file:") else route.abort()
        )
        self.page.goto(report.as_uri())


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Visit]:
    visit = Visit(browser, report, viewport={"width": 1280, "height": 900})
    yield visit
    visit.page.close()


# The pointer on every mark in turn, without its way there: scrolling to each takes most of a second.
ON_EVERY_MARK = """() => [...document.querySelectorAll('svg.wide [data-tip]')].map((mark) => {
  mark.dispatchEvent(new PointerEvent('pointermove', { bubbles: true }));
  return document.querySelector('#tip strong').textContent === mark.dataset.tip.split('\\n')[0];
})"""


def test_no_request_but_the_file_itself_and_nothing_hostile_runs(visit: Visit, report: Path) -> None:
    visit.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    told = visit.page.evaluate(ON_EVERY_MARK)
    assert len(told) > 50
    assert all(told)
    assert [url for url in visit.requests if not url.startswith("data:")] == [report.as_uri()]
    assert visit.trouble == []
    assert visit.page.evaluate("document.querySelectorAll('img, iframe, object, embed').length") == 0


def test_the_policy_stops_injected_script_and_requests(visit: Visit) -> None:
    """Were something to slip through the escaping, the Content-Security-Policy still holds."""
    visit.page.evaluate(
        "() => { const s = document.createElement('script'); s.textContent = 'window.ran = 1'; document.body.append(s);"
        " document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.ran = 1\">'); }"
    )
    visit.page.wait_for_timeout(100)
    assert visit.page.evaluate("window.ran === undefined")
    refused = " ".join(visit.trouble)
    assert "Content Security Policy" in refused
    assert "script-src" in refused
    assert "img-src" in refused


def test_hostile_text_shows_literally_in_page_tables_and_tooltips(visit: Visit) -> None:
    page = visit.page
    for text in HOSTILE:
        assert text in page.locator("#warnings").inner_text()
        assert text in page.locator(".flip .text").first.inner_text()
        assert page.locator("#favour td", has_text=text).first.text_content() == text
        marks = page.locator("#favour svg.wide [data-tip]")
        index = [m.get_attribute("data-tip").split("\n")[0] for m in marks.all()].index(text)
        marks.nth(index).hover(force=True)
        assert page.locator("#tip strong").text_content() == text
    assert visit.trouble == []


def test_hovering_shows_names_and_numbers(visit: Visit) -> None:
    page = visit.page
    page.locator("#ratings svg.wide [data-tip^='claude-2.1\\a']").hover(force=True)
    shown = page.locator("#tip:visible")  # reading waits for it: what is hidden has no line breaks
    tip = shown.inner_text()
    assert tip.startswith("claude-2.1\n")
    assert "Human Elo" in tip
    page.keyboard.press("Escape")
    assert page.locator("#tip").is_hidden()
    cell = page.locator("#mismatch svg [data-tip*='against']").first
    cell.hover(force=True)
    assert "P̂ − P" in shown.inner_text()


def test_tables_sort_and_filter(visit: Visit) -> None:
    page = visit.page
    details = page.locator("#favour details")
    details.locator("summary").click()
    heads = details.locator("th button")
    titles = heads.all_text_contents()
    favour = titles.index("Favour, Elo")

    def column(i: int) -> list[str]:
        return details.locator(f"tbody tr:visible td:nth-child({i + 1})").all_text_contents()

    def values() -> list[float]:
        return [float(v.replace("\u2212", "-").replace(",", "")) for v in column(favour)]

    heads.nth(favour).click()
    assert values() == sorted(values(), reverse=True)
    heads.nth(favour).click()
    assert values() == sorted(values())
    heads.nth(0).click()
    assert column(0) == sorted(column(0), key=str.lower)
    details.locator("input").fill("claude")
    assert column(0) == [n for n in column(0) if "claude" in n]
    assert 0 < len(column(0)) < 14


def test_theme_follows_the_system_until_chosen(browser: Any, report: Path) -> None:
    visit = Visit(browser, report, color_scheme="dark")
    page = visit.page

    def ground() -> list[int]:
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        return [int(n) for n in colour[4:-1].split(",")]

    def ink() -> str:
        return str(page.evaluate("getComputedStyle(document.querySelector('#favour svg.wide text')).fill"))

    dark, dark_ink = ground(), ink()
    assert max(dark) < 60
    page.locator("#theme").click()
    assert min(ground()) > 220
    assert ink() != dark_ink
    page.reload()
    assert min(ground()) > 220
    page.locator("#theme").click()
    assert ground() == dark
    page.emulate_media(media="print")
    assert min(ground()) > 220
    page.close()


@pytest.mark.parametrize("width", [360, 390, 768, 1280])
def test_nothing_sticks_out_sideways(browser: Any, report: Path, width: int) -> None:
    visit = Visit(browser, report, viewport={"width": width, "height": 800})
    visit.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    visit.page.close()


def test_it_reads_without_javascript(browser: Any, report: Path) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(report.as_uri())
    assert page.locator("h1").is_visible()
    assert page.locator("#favour svg.wide").is_visible()
    assert page.locator("#theme").is_hidden()
    context.close()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(browser: Any, report: Path, theme: str) -> None:
    """WCAG AA, 4.5:1, for every visible text element on the ground it stands on."""
    visit = Visit(browser, report, color_scheme=theme)
    worst = visit.page.evaluate(CONTRAST)
    assert worst["ratio"] >= 4.5, worst
    assert worst["seen"] > 100
    visit.page.close()


CONTRAST = """() => {
  const rgb = (c) => c.match(/[\\d.]+/g).map(Number);
  const light = (c) => rgb(c).slice(0, 3).map((v) => v / 255)
    .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const ground = (e) => {
    for (let n = e; n; n = n.parentElement) {
      const c = getComputedStyle(n).backgroundColor;
      if (rgb(c)[3] !== 0) return c;
    }
    return "rgb(255,255,255)";
  };
  let worst = { ratio: 99, seen: 0 };
  for (const e of document.querySelectorAll("body *")) {
    const own = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || ["SCRIPT", "STYLE"].includes(e.tagName)) continue;
    if (e instanceof SVGElement && e.hasAttribute("stroke")) continue;  // the halo beneath a name
    const style = getComputedStyle(e);
    const colour = e instanceof SVGElement ? style.fill : style.color;
    const [a, b] = [light(colour), light(ground(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const seen = worst.seen + 1;
    worst = ratio < worst.ratio ? { ratio, seen, text: e.textContent.slice(0, 40), tag: e.tagName, colour } : { ...worst, seen };
  }
  return worst;
}"""
