"""Pictures of the admin's page, for docs/study.md: a study with simulated votes, served on loopback, in Chromium.

By hand, after a change of the page's looks: ``python docs/make_study_admin_screenshots.py`` (needs [study], Playwright and Chromium).
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

IMAGES = Path(__file__).parent / "images"
FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
POLICIES = ("birch", "cedar", "larch", "rowan")
RATERS = ("Amal", "Bea", "Chidi", "Dana", "Eero", "Fay")
SHOTS: dict[str, dict[str, Any]] = {
    "study-admin": {"viewport": {"width": 1280, "height": 1500}},
    "study-admin-dark": {"viewport": {"width": 1280, "height": 1500}, "color_scheme": "dark"},
    "study-admin-phone": {"viewport": {"width": 390, "height": 1400}},
}


def build_study(seed: int = 4) -> Any:
    """Six simulated raters, of whom one always takes the left."""
    from charm_rm.study.nouns import Comparisons, Study, StudyModel, StudyVotes
    from charm_rm.tables import Scores

    rng = np.random.default_rng(seed)
    worth = dict(zip(POLICIES, (-0.6, 0.0, 0.3, 0.7), strict=True))
    pairs = [(a, b) for i, a in enumerate(POLICIES) for b in POLICIES[i + 1 :]]
    rows = [(f"c{i}", f"p{i}", *pairs[i % 6], "main", 1.0, 3, None) for i in range(150)]
    rows += [(f"k{i}", f"p{i}", "birch", "rowan", "check", None, 6, "b") for i in range(4)]
    names = [
        "comparison_id",
        "prompt_id",
        "policy_a",
        "policy_b",
        "kind",
        "inclusion",
        "votes_wanted",
        "expected",
    ]
    told = pl.DataFrame(rows, schema=names, orient="row", infer_schema_length=None)
    said, start = [], 1.7964e9
    for r, rater in enumerate(RATERS):
        for i, c in enumerate(rng.choice(150, 58, replace=False).tolist()):
            a, b = rows[c][2], rows[c][3]
            left = "ab"[int(rng.integers(2))]
            winner = (
                "tie"
                if rng.random() < 0.12
                else "b"
                if rng.random() < 1 / (1 + np.exp(worth[a] - worth[b]))
                else "a"
            )
            at = datetime.fromtimestamp(start + 5400 * r + 70 * i + (86400 if i > 30 else 0), UTC).isoformat()
            chosen = left if rater == "Eero" and rng.random() < 0.85 else winner
            comment = "A's code does not run." if (r, i) == (1, 3) else None
            said.append((f"c{c}", rater, chosen, False, left, float(rng.gamma(5, 8)), comment, at))
            if i % 12 == 11:
                said.append(
                    (f"c{c}", rater, chosen if rng.random() < 0.8 else "tie", True, left, 12.0, None, at)
                )
        said += [(f"k{i}", rater, "b", False, "a", 9.0, None, at) for i in range(4)]
    kinds = [pl.String, pl.String, pl.String, pl.Boolean, pl.String, pl.Float64, pl.String, pl.String]
    columns = ["comparison_id", "rater", "winner", "repeat", "left", "seconds", "comment", "voted_at"]
    votes = pl.DataFrame(said, schema=dict(zip(columns, kinds, strict=True)), orient="row")
    scores = pl.DataFrame(
        [(f"p{i}", name, worth[name] + float(rng.normal())) for i in range(150) for name in POLICIES],
        schema=["prompt_id", "policy", "score"],
        orient="row",
    )
    return Study(
        "Answers on woodwork", Comparisons(told), StudyVotes(votes), (StudyModel("original", Scores(scores)),)
    )


def main(folder: Path) -> None:
    """Write the pictures into ``folder``."""
    import uvicorn
    from playwright.sync_api import sync_playwright

    from charm_rm.settings import ServeSettings
    from charm_rm.study.database import create_study
    from charm_rm.study.web.app import create_app
    from charm_rm.study.web.server import base_url, configuration, listen

    folder.mkdir(exist_ok=True)
    settings = ServeSettings(port=0)
    with (
        tempfile.TemporaryDirectory() as place,
        create_study(Path(place) / "study.db", build_study()) as database,
    ):
        for name in RATERS:
            database.invite(name, now=time.time())
        database.revoke("Fay", now=time.time())
        token, listening = database.new_admin_token(), listen(settings)
        server = uvicorn.Server(configuration(create_app(database, settings), settings))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        with sync_playwright() as playwright:
            chromium = os.environ.get("CHROMIUM") or shutil.which("chromium")
            browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
            for name, options in SHOTS.items():
                page = browser.new_page(**options)
                page.goto(f"{base_url(settings, listening)}/admin/i/{token}")
                page.screenshot(path=folder / f"{name}.png")
                page.close()
            browser.close()
        server.should_exit = True
        thread.join()


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES)
