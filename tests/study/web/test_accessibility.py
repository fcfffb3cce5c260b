"""axe-core finds nothing serious or critical, on every page, in light and dark, on a desktop and on a phone."""

from __future__ import annotations

from typing import Any

import pytest

pytest.importorskip("playwright", reason="needs playwright")

from playwright.sync_api import expect

from study.web.served import Served

pytestmark = pytest.mark.browser
LOOKS = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 800}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 800}},
    "phone": {
        "color_scheme": "light",
        "viewport": {"width": 360, "height": 740},
        "has_touch": True,
        "is_mobile": True,
    },
    "dark phone": {
        "color_scheme": "dark",
        "viewport": {"width": 414, "height": 800},
        "has_touch": True,
        "is_mobile": True,
    },
}
QUICK = "dark"


def found(page: Any) -> list[str]:
    """Violations that are serious or critical."""
    from axe_playwright_python.sync_playwright import Axe

    results = Axe().run(page).response
    assert len(results["passes"]) > 5  # it has looked
    return [
        f"{one['id']}: {node['html'][:100]}"
        for one in results["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]


@pytest.mark.parametrize(
    "look", [QUICK, *(pytest.param(x, marks=pytest.mark.slow) for x in LOOKS if x != QUICK)]
)
def test_no_page_has_a_serious_fault(browser: Any, served: Served, look: str) -> None:
    pytest.importorskip("axe_playwright_python", reason="needs axe-playwright-python")
    # axe is put into the page by a script that our own policy refuses, as it should.
    context = browser.new_context(bypass_csp=True, reduced_motion="reduce", **LOOKS[look])
    page = context.new_page()
    faults: dict[str, list[str]] = {}

    def check(name: str) -> None:
        faults[name] = found(page)

    page.goto(served.url + "/i/none")
    check("error")
    page.goto(served.link(quota=2))
    check("start")
    page.goto(served.url + "/rate")
    check("rate")
    page.locator("summary").click()
    page.get_by_role("button", name="Tie").hover()
    check("comment")
    served.database.pause(True)
    page.goto(served.url + "/rate")
    check("paused")
    served.database.pause(False)
    for n in range(2):
        page.goto(served.url + "/rate")
        page.wait_for_timeout(400)
        page.get_by_role("button", name="Tie").click()
        page.wait_for_url("**/rate")
        expect(page).to_have_title(["Comparison 2 of 2", "All done"][n])
    check("done")
    assert {name: fault for name, fault in faults.items() if fault} == {}
    context.close()
