"""Without the [study] extra there is no page to test."""

from __future__ import annotations

from importlib.util import find_spec

NEEDED = ("fastapi", "sqlalchemy", "nh3", "markdown_it", "mdit_py_plugins", "latex2mathml", "pygments")
collect_ignore_glob = [] if all(map(find_spec, NEEDED)) else ["test_*.py"]
