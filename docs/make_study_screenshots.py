"""Pictures of the page for raters, for docs/study.md: a small study of plainly written answers, served on loopback, in Chromium.

By hand, after a change of the page's looks: ``python docs/make_study_screenshots.py`` (needs [study], Playwright and Chromium).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

IMAGES = Path(__file__).parent / "images"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
]

# (prompt, answer, answer). Written for these pictures; nobody's model said it.
CONTENT = (
    (
        "How long does a fair coin take, on average, to show two heads in a row? Please show the reasoning, and a short simulation.",
        """**Six tosses on average.**

Let $E$ be the expected number of tosses from the start, and $F$ that after one head.

- From the start: $E = 1 + \\tfrac{1}{2}F + \\tfrac{1}{2}E$
- After a head: $F = 1 + \\tfrac{1}{2}\\cdot 0 + \\tfrac{1}{2}E$

The second gives $F = 1 + E/2$. Put into the first:

$$E = 1 + \\frac{1}{2}\\left(1 + \\frac{E}{2}\\right) + \\frac{E}{2} \\quad\\Rightarrow\\quad E = 6$$

A simulation agrees:

```python
import random

def tosses(rng: random.Random) -> int:
    run = count = 0
    while run < 2:
        count += 1
        run = run + 1 if rng.random() < 0.5 else 0
    return count

rng = random.Random(1)
print(sum(tosses(rng) for _ in range(100_000)) / 100_000)
```
""",
        """The chance of two heads in a row is 1/4, so you would first think of 4 tosses. That is not right, because runs may overlap: after a tail you have to start again.

1. Toss until the first head. This takes 2 tosses on average.
2. Toss once more. In half of the cases it is a head, and you are done.
3. Otherwise start again from the beginning.

Each round takes 3 tosses, and half of the rounds succeed, so that 2 rounds are needed:

| step | tosses |
|---|---|
| first head | 2 |
| one more | 1 |
| rounds | × 2 |
| **in all** | **6** |

So the answer is **6 tosses**. You can check this with a few lines of code that toss a coin many times and average the counts.
""",
    ),
    (
        "My sourdough is always flat. What should I look at first?",
        """Look at the starter first. It should double within four to six hours at room temperature. If it does not, feed it twice a day for three days before you bake again.

Then look at the proof: dough that is poked should spring back *slowly*. If it springs back at once, give it more time; if it does not spring back at all, it has had too much.""",
        """There are many reasons for flat bread: flour, water, temperature, time, shaping, scoring, the oven. Try to change all of them and see.""",
    ),
    (
        "What is a good name for a small grey cat?",
        "Pebble. It is short, soft, and grey.",
        "Ash, Smoke, Pebble, Mist, or Dusty.",
    ),
)


def build_study() -> Any:
    """The study of the pictures."""
    from charm_rm.study.nouns import Comparisons, Study, StudyVotes
    from charm_rm.study.rules import Rules
    from charm_rm.tables import Responses

    rows = [
        (f"p{i}", prompt, policy, text)
        for i, (prompt, *texts) in enumerate(CONTENT)
        for policy, text in zip(("first", "second"), texts, strict=True)
    ]
    n = len(CONTENT)
    comparisons = pl.DataFrame(
        {
            "comparison_id": [f"c{i}" for i in range(n)],
            "prompt_id": [f"p{i}" for i in range(n)],
            "policy_a": "first",
            "policy_b": "second",
            "kind": "main",
            "inclusion": 1.0,
            "votes_wanted": 9,
        }
    )
    votes = {"comparison_id": pl.String, "rater": pl.String, "winner": pl.String, "repeat": pl.Boolean}
    return Study(
        "pictures",
        Comparisons(comparisons),
        StudyVotes(pl.DataFrame(schema=votes)),
        responses=Responses(
            pl.DataFrame(rows, schema=["prompt_id", "prompt", "policy", "response"], orient="row")
        ),
        provenance=Rules(repeats=0.0, checks=0.0, seed=3).as_provenance(),
    )


@contextmanager
def served(folder: Path) -> Iterator[tuple[str, Any]]:
    """The study on loopback: its address and database."""
    import uvicorn

    from charm_rm.settings import ServeSettings
    from charm_rm.study.database import create_study
    from charm_rm.study.web.app import create_app
    from charm_rm.study.web.server import base_url, configuration, listen

    settings = ServeSettings(port=0)
    with create_study(folder / "study.db", build_study()) as database:
        listening = listen(settings)
        server = uvicorn.Server(configuration(create_app(database, settings), settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        try:
            yield base_url(settings, listening), database
        finally:
            server.should_exit = True
            thread.join()


SHOTS: dict[str, dict[str, Any]] = {
    "study-desktop": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "light"},
    "study-dark": {"viewport": {"width": 1280, "height": 860}, "color_scheme": "dark"},
    "study-phone": {
        "viewport": {"width": 390, "height": 780},
        "color_scheme": "light",
        "has_touch": True,
        "is_mobile": True,
    },
}


def main(folder: Path) -> None:
    """Write the pictures into ``folder``."""
    import time

    from playwright.sync_api import sync_playwright

    folder.mkdir(exist_ok=True)
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
    with (
        tempfile.TemporaryDirectory() as place,
        served(Path(place)) as (url, database),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        for name, options in SHOTS.items():
            page = browser.new_page(**options)
            token = database.invite(name, now=time.time()).token
            page.goto(f"{url}/i/{token}")
            page.goto(f"{url}/rate")
            for _ in range(len(CONTENT)):  # the first of the contents is the one to see
                if "fair coin" in page.content():
                    break
                page.wait_for_timeout(400)
                with page.expect_navigation():
                    page.get_by_role("button", name="Tie").click()
            page.screenshot(path=folder / f"{name}.png")
            page.close()
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
