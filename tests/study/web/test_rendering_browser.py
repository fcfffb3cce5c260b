"""Hostile answers in a real Chromium, without the page's own policy: nothing runs, loads, moves or changes on being parsed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import charm_rm.study.web
from charm_rm.study.web.rendering import render_prompt, render_text
from study.web.hostile import PAYLOADS

pytestmark = pytest.mark.browser
STATIC = Path(charm_rm.study.web.__file__).parent / "static"
# What answers are made of.
FIXED = [
    "# Title\n\ntext **bold** `code`\n\n## Below\n\n- [ ] open\n- [x] done\n\n> quote\n\n1. one\n3. three",
    "| left | right |\n|:--|--:|\n" + "| a cell that is rather wide, wider than a phone | 2 |\n" * 3,
    "```python\ndef f(x: int) -> str:\n    # a comment\n    return 'text' + str(x) * 3"
    + " + 'long'" * 30
    + "\n```",
    "```diff\n- gone\n+ new\n```\n\n```html\n<p class='a'>x &amp; y</p>\n```",
    "The sum $\\sum_{i=1}^n i^2 = \\frac{n(n+1)(2n+1)}{6}$ is $\\boxed{42}$.\n\n\\[\n\\int_0^1 x^2\\,dx = \\frac13\n\\]",
    "[text](https://example.com/a?b=c) ![cat](https://example.com/cat.png) <https://example.com>",
    "مرحبا بالعالم، hello\n\nZ͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘!",
    "a" * 5000,
]


def document(parts: list[str], theme: str = "light") -> str:
    style = "".join(
        (STATIC / name).read_text(encoding="utf-8") for name in ("study.css", "content.css", "code.css")
    )
    answers = "".join(
        f'<section class="answer"><h2>Answer {i}</h2><div class="text">{p}</div></section>'
        for i, p in enumerate(parts)
    )
    return (
        f'<!doctype html><html lang="en" data-theme="{theme}"><head><meta charset="utf-8"><title>Answers</title><style>{style}</style>'
        f"</head><body><main><h1>Answers</h1>{answers}</main></body></html>"
    )


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    """A page that says what it asked for, and every dialog and error."""
    page = browser.new_page()
    page.trouble = []
    page.on("request", lambda r: page.trouble.append(r.url))
    page.on("dialog", lambda d: (page.trouble.append(d.message), d.dismiss()))
    page.on("pageerror", lambda e: page.trouble.append(str(e)))
    yield page
    page.close()


def test_nothing_runs_and_nothing_is_asked_for(opened: Any) -> None:
    calls = [p.replace("CALL", "alert`1`").replace("&lt;", "<") for p in PAYLOADS] + [
        p.replace("CALL", "window.ran=alert(1)") for p in PAYLOADS
    ]
    parts = [str(render_text(p)) for p in calls] + [
        str(render_prompt([{"role": p, "content": [{"type": p}]}])) for p in calls
    ]
    opened.set_content(document(parts))
    opened.wait_for_timeout(300)
    assert opened.trouble == []
    assert opened.evaluate("window.ran === undefined && document.title === 'Answers'")
    bad = "script, img, svg, iframe, object, embed, form, input, button, style:not(head style), link, a, base, meta:not(head meta)"
    assert opened.evaluate(f"document.querySelectorAll({bad!r}).length") == 0
    attributes = "[...document.querySelectorAll('main *')].flatMap(e => e.getAttributeNames())"
    assert set(opened.evaluate(attributes)) <= {
        *(
            "class",
            "dir",
            "role",
            "aria-label",
            "tabindex",
            "start",
            "value",
            "display",
            "columnalign",
            "stretchy",
            "form",
        ),
        *("fence", "mathvariant", "width", "minsize", "maxsize", "displaystyle", "linethickness"),
    }
    assert opened.evaluate("document.querySelectorAll('section.answer').length") == len(parts)


def test_the_same_texts_do_run_where_nobody_renders_them(opened: Any) -> None:
    """So the test above could fail."""
    opened.set_content(document([p.replace("CALL", "alert(1)") for p in PAYLOADS[2:5]]))
    opened.wait_for_timeout(300)
    assert "1" in opened.trouble


def test_the_browser_reads_what_was_written(opened: Any) -> None:
    """Parsing, writing and parsing again changes nothing: mutations are how scripts get past sanitisers."""
    for payload in [*PAYLOADS, *FIXED]:
        page = str(render_text(payload.replace("CALL", "alert(1)")))
        once, twice = opened.evaluate(
            "page => { const a = document.createElement('div'); a.innerHTML = page; const once = a.innerHTML;"
            " a.innerHTML = once; return [once, a.innerHTML]; }",
            page,
        )
        assert once == twice
        assert once.replace("&nbsp;", "\u00a0") == page.replace("&#34;", '"').replace("&#39;", "'")
    assert opened.trouble == []


def test_an_answer_stays_in_its_place(opened: Any) -> None:
    parts = [str(render_text(p)) for p in [*PAYLOADS, *FIXED]]
    opened.set_viewport_size({"width": 390, "height": 800})
    opened.set_content(document(parts))
    assert opened.evaluate("document.documentElement.scrollWidth") <= 390
    outside = """[...document.querySelectorAll('.content')].filter(c => { const box = c.getBoundingClientRect();
        return [...c.querySelectorAll(':scope > :not(.content-box)')].some(e => { const b = e.getBoundingClientRect();
        return b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 1 || b.bottom > box.bottom + 1; }); }).length"""
    assert opened.evaluate(outside) == 0
    fixed = "[...document.querySelectorAll('.content *')].filter(e => getComputedStyle(e).position !== 'static').length"
    assert opened.evaluate(fixed) == 0


@pytest.mark.parametrize("theme", ["light", pytest.param("dark", marks=pytest.mark.slow)])
def test_axe_finds_nothing_serious(opened: Any, theme: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="needs axe")
    conversation = render_prompt(
        [{"role": "system", "content": "Be *kind*."}, {"role": "user", "content": FIXED[0]}]
    )
    opened.set_content(document([str(render_text(p)) for p in FIXED] + [str(conversation)], theme))
    found = axe.Axe().run(opened).response["violations"]
    assert [
        (v["id"], v["nodes"][0]["html"]) for v in found if v["impact"] in ("moderate", "serious", "critical")
    ] == []
