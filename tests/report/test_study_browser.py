"""The study's page in a real Chromium: no request, hostile text as text, wide enough contrast, nothing sticks out."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from charm_rm.report.study import write_study
from report.synthetic import HOSTILE
from report.test_browser import CONTRAST, ON_EVERY_MARK, Visit
from study.findings import findings

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page whose models, policies, raters and warnings all try to run something."""
    found = findings(
        before=HOSTILE[0],
        after=HOSTILE[1],
        policies=(*HOSTILE, "a-policy-with-a-rather-long-name-2024-07-18"),
        raters=(*HOSTILE, "x" * 200),
        name=HOSTILE[2],
        warnings=HOSTILE,
        simulated=True,
    )
    return write_study(found, tmp_path_factory.mktemp("study") / "study.html")


@pytest.fixture
def visit(browser: Any, report: Path) -> Iterator[Visit]:
    visit = Visit(browser, report, viewport={"width": 1280, "height": 900})
    yield visit
    visit.page.close()


def test_nothing_is_fetched_nothing_hostile_runs_and_names_show_literally(visit: Visit, report: Path) -> None:
    page = visit.page
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    told = page.evaluate(ON_EVERY_MARK)
    assert told
    assert all(told)
    assert [url for url in visit.requests if not url.startswith("data:")] == [report.as_uri()]
    assert visit.trouble == []
    for text in HOSTILE:
        assert text in page.locator("#warnings").inner_text()
    assert HOSTILE[1] in page.locator("h1").inner_text()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_has_enough_contrast(browser: Any, report: Path, theme: str) -> None:
    visit = Visit(browser, report, color_scheme=theme)
    worst = visit.page.evaluate(CONTRAST)
    assert worst["ratio"] >= 4.5, worst
    assert worst["seen"] > 60
    visit.page.close()


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_nothing_sticks_out_sideways(browser: Any, report: Path, width: int) -> None:
    visit = Visit(browser, report, viewport={"width": width, "height": 800})
    visit.page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert visit.page.evaluate("document.documentElement.scrollWidth") == width
    visit.page.close()


def test_headings_are_in_order_and_figures_are_named(visit: Visit) -> None:
    """What axe-core calls serious here: one h1, no level skipped, every drawing and scrolling part with a name."""
    levels = visit.page.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    assert visit.page.locator("svg[role=img]:not([aria-label])").count() == 0
    assert visit.page.locator("[tabindex='0']:not([aria-label])").count() == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(browser: Any, tmp_path: Path, scheme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe-playwright-python")
    # The page's own policy lets no script in but its own, axe's neither: it is looked at without.
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)
    page = context.new_page()
    page.goto(write_study(findings(simulated=True), tmp_path / "study.html").as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    bad = [v for v in axe.Axe().run(page).response["violations"] if v["impact"] in ("serious", "critical")]
    context.close()
    assert [(v["id"], str(v["nodes"][0]["target"])) for v in bad] == []
