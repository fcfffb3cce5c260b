"""50 raters vote at once against a real server process: no vote that was acknowledged is lost, none is doubled, the rule of assignment holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from charm_rm.study.database import create_study, open_study
from study.web.crowd import Crowd, saved, server, standing, tokens
from study.web.served import study

pytestmark = pytest.mark.slow
RATERS, VOTES = 50, 6


def as_arguments(place: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The place of a study as `charm study serve` takes it: arguments and environment."""
    if place.get("where") is not None:
        return [str(place["where"])], {}
    return [], {"CHARM_STUDY_DATABASE_URL": place["url"]}


def test_50_raters_at_once(place: dict[str, Any], tell: Callable[[str], None]) -> None:
    with create_study(study=study(60, wanted=8, repeats=0.15, repeat_gap=2), **place) as database:
        people = tokens(database, RATERS)
    arguments, environment = as_arguments(place)
    with server(arguments, **environment) as running:
        crowd = Crowd(running.url, VOTES, doubled=0.15, lost=0.15, undone=0.1)
        books = crowd.vote(people)
    with open_study(place.get("where"), url=place.get("url")) as database:
        assert saved(database) == books
        assert_rule(standing(database))
    tell(
        f"50 raters at once ({'SQLite' if place.get('where') else 'PostgreSQL'}): {crowd.counts}, none lost or doubled"
    )
    assert min(crowd.counts[what] for what in ("double clicks", "lost answers", "undone")) > 10


def assert_rule(rows: list[dict[str, Any]]) -> None:
    """None twice by one rater but repeats, no comparison with more votes than wanted, and votes spread evenly."""
    firsts = [(row["name"], row["comparison_id"]) for row in rows if not row["repeat"]]
    assert len(firsts) == len(set(firsts))
    repeats = [(row["name"], row["comparison_id"]) for row in rows if row["repeat"]]
    assert len(repeats) == len(set(repeats)) > 0
    assert set(repeats) <= set(firsts)
    counts = Counter(comparison for _, comparison in firsts)
    assert max(counts.values()) <= rows[0]["votes_wanted"]
    assert len(counts) == 60
    assert max(counts.values()) - min(counts.values()) <= 2
    assert {row["name"] for row in rows} == {name for name, _ in firsts}
