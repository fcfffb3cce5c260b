"""Policies that documentation names beside shipped ratings have a rating there: what is documented works."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

from charm_rm.ratings import load_ratings, resolve_names

ROOT = Path(__file__).parents[1]
PAGES = [
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "README.md",
    *sorted((ROOT / "examples").glob("*/README.md")),
]
_LINE = re.compile(r"--ratings (arena(?::\w+)?|example)\b(.*)")
_NAMED = re.compile(r"--(?:over|ref|policy|reference) ([\w.:/-]+)")


def commands(page: Path) -> list[tuple[str, str]]:
    """The ratings and a policy of every command on a page, its lines joined."""
    text = re.sub(r"\\\n\s*", " ", page.read_text())
    return [
        (spec, policy)
        for line in text.splitlines()
        for spec, rest in _LINE.findall(line)
        for policy in _NAMED.findall(rest)
        if policy not in ("auto", "POLICY", "REFERENCE")
    ]


DOCUMENTED = sorted({(*found, page.name) for page in PAGES for found in commands(page)})


def test_there_are_some() -> None:
    assert ("example", "gemma-2-9b-it-SimPO", "cli.md") in DOCUMENTED


@pytest.mark.parametrize(("spec", "policy", "page"), DOCUMENTED)
def test_a_documented_policy_has_a_rating(spec: str, policy: str, page: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert resolve_names([policy], load_ratings(spec)), page
