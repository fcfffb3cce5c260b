"""The page's colours are the report's; each is written three times in the style, and once in the theme."""

from __future__ import annotations

import re

import pytest

from charm_rm.report.theme import css_variables
from charm_rm.study.web.pages import STATIC

ROLES = ("paper", "card", "ink", "muted", "rule", "axis", "accent", "warn", "warn-paper")


def colours(css: str) -> list[dict[str, str]]:
    """The variables of every block of ``:root``, in order."""
    blocks = re.findall(r":root[^{]*\{([^}]*--paper[^}]*)\}", css)
    return [dict(re.findall(r"--([\w-]+):\s*(#\w+)", block)) for block in blocks]


@pytest.mark.parametrize("place", range(4))
def test_colours_are_the_reports(place: int) -> None:
    ours, reports = colours((STATIC / "study.css").read_text()), colours(css_variables())
    assert len(ours) == 4  # light, dark by the system, light and dark by choice
    assert {role: ours[place][role] for role in ROLES} == {role: reports[place][role] for role in ROLES}


def test_the_script_is_small_and_asks_nobody_else() -> None:
    script = (STATIC / "study.js").read_text()
    assert len(script) < 12_000
    assert "://" not in script
    assert "eval(" not in script
    assert "innerHTML" not in script
