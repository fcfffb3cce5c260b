"""What is promised of dependencies is what CI runs: lower bounds and the versions of ``.ci/lowest.txt`` agree."""

from __future__ import annotations

import re
import tomllib
from itertools import chain
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]


def lower_bounds() -> dict[str, Version]:
    """Of the core's dependencies, and of the extras that CI installs beside it there."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = (project["optional-dependencies"][name] for name in ("api", "study", "postgresql"))
    stated = map(Requirement, [*project["dependencies"], *chain.from_iterable(extras)])
    return {
        r.name.lower(): Version(next(s.version for s in r.specifier if s.operator == ">=")) for r in stated
    }


def test_ci_runs_the_lowest_versions_that_are_promised() -> None:
    text = (ROOT / ".ci" / "lowest.txt").read_text(encoding="utf-8")
    tested = {
        name: Version(version) for name, version in re.findall(r"^([\w-]+)==(\S+)$", text, re.MULTILINE)
    }
    assert tested == lower_bounds()


def test_ci_runs_both_ends() -> None:
    assert "bash .ci/versions" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
