"""A study that is served. Without the [study] extra there is no page to test."""

from __future__ import annotations

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


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Any]:
    """A study of four comparisons, served anew for each test."""
    from study.web.served import serve

    with serve(tmp_path) as running:
        yield running
