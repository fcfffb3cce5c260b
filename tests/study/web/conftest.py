"""Chromium, and a study that is served. Without the [study] extra there is no page to test."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

NEEDED = (
    *("fastapi", "uvicorn", "sqlalchemy", "limits", "itsdangerous", "nh3", "markdown_it", "mdit_py_plugins"),
    *("latex2mathml", "pygments", "httpx", "playwright"),
)
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["test_*.py"]

FLAGS = [
    *("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"),
    "--disable-background-networking",
]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        pytest.skip("Chromium not found; install it or set CHROMIUM")
    with playwright.sync_playwright() as started:
        running = started.chromium.launch(executable_path=chromium, args=FLAGS)
        yield running
        running.close()


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """A study of four comparisons, served anew for each test."""
    from study.web.served import serve

    with serve(tmp_path) as running:
        yield running
