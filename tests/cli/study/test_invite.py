"""``charm study invite`` and ``charm study progress``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

pytest.importorskip("sqlalchemy", reason="needs the [study] extra")

from charm_rm.study.database import create_study, open_study
from postgres import Cluster
from study_worlds import small_study

Charm = Callable[..., Result]
URL = "CHARM_STUDY_DATABASE_URL"


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv(URL, raising=False)
    create_study(tmp_path / "study.db", small_study(4)).close()
    return tmp_path / "study.db"


def tokens(text: str) -> list[str]:
    return re.findall(r"/i/([\w-]{32})$", text, re.MULTILINE)


def test_links_are_printed_once_and_open_the_study(study: Path, charm: Charm) -> None:
    made = charm(
        "study", "invite", study, "Ann", "Bob", "--base-url", "https://vote.example.org/x/", "--quota", 3
    )
    assert made.exit_code == 0, made.output
    assert made.stdout.startswith("Ann: https://vote.example.org/x/i/")
    ann, bob = tokens(made.stdout)
    listed = charm("study", "invite", study, "--list")
    assert "Ann" in listed.stdout
    assert not tokens(listed.stdout)
    with open_study(study) as database:
        found = database.rater_by_token(bob, now=0.0)
        assert found is not None
        assert (found.name, found.quota) == ("Bob", 3)
    assert charm("study", "invite", study, "Ann").exit_code == 2
    renewed = tokens(charm("study", "invite", study, "Ann", "--renew", "-q").stdout)
    assert len(renewed) == 1
    assert charm("study", "invite", study, "--revoke", "Bob").exit_code == 0
    with open_study(study) as database:
        assert database.rater_by_token(ann, now=0.0) is None
        assert database.rater_by_token(bob, now=0.0) is None
        assert database.rater_by_token(renewed[0], now=0.0) is not None


@pytest.mark.parametrize("look", ["--csv", "--json", "--markdown", "--quiet", "--all"])
def test_every_look_prints_all_links(study: Path, charm: Charm, look: str) -> None:
    made = charm("study", "invite", study, "--count", 30, look)
    assert made.exit_code == 0, made.output
    assert len(set(re.findall(r"/i/([\w\\-]{32,})", made.stdout))) == 30
    more = json.loads(charm("study", "invite", study, "--count", 2, "--json").stdout)
    assert [row["rater"] for row in more] == ["rater-31", "rater-32"]


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("Ann", "Ann"),
        ("--list", "Ann"),
        ("Ann", "--base-url", "vote.example.org"),
        ("Ann", "--base-url", "https://u:p@h"),
        ("A\nB",),
    ],
)
def test_what_makes_no_sense_is_refused_and_nobody_is_invited(
    study: Path, charm: Charm, words: tuple[str, ...]
) -> None:
    assert charm("study", "invite", study, *words).exit_code == 2
    with open_study(study) as database:
        assert database.raters() == []


def test_progress_tells_votes_by_rater_and_policy(study: Path, charm: Charm) -> None:
    empty = charm("study", "progress", study)
    assert "no raters yet" in empty.stdout
    with open_study(study) as database:
        rater = database.invite("Ann\u00e9", now=0.0).rater.id
        for i in range(3):
            seen = database.next_assignment(rater, now=1.0)
            assert seen is not None
            database.vote(rater, seen.public_id, "tie", request_id=f"request-{i}", now=1.0)
        shown = charm("study", "progress", study)  # while it is open elsewhere
    assert "3 votes of 24 (12%) on 12 comparisons" in shown.stdout
    assert "done, %" in shown.stdout
    told = json.loads(charm("study", "progress", study, "--json").stdout)
    assert told["raters"][0]["votes"] == 3
    assert sum(row["votes"] for row in told["policies"]) == 6
    assert charm("study", "progress", study, "-q").stdout == "3 votes of 24 (12%) on 12 comparisons\n"


def test_a_study_in_postgresql_is_given_by_option_or_environment(
    cluster: Cluster, study: Path, charm: Charm, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = cluster.url(cluster.new_database())
    create_study(None, small_study(2), url=url).close()
    assert charm("study", "invite", "--database-url", url, "Ann").exit_code == 0
    assert charm("study", "progress", study, "--database-url", url).exit_code == 2
    monkeypatch.setenv(URL, url)
    assert charm("study", "invite", "Bob").exit_code == 0
    told = json.loads(charm("study", "progress", "--json").stdout)
    assert [row["name"] for row in told["raters"]] == ["Ann", "Bob"]
    assert (
        json.loads(charm("study", "progress", study, "--json").stdout)["raters"] == []
    )  # the path goes first


@pytest.mark.parametrize("command", ["progress", "invite"])
def test_a_url_in_place_of_a_path_is_not_repeated(charm: Charm, command: str) -> None:
    found = charm(
        "study", command, "postgresql://ann:open-sesame@h/study", "Ann"[: 3 * (command == "invite")] or "-q"
    )
    assert found.exit_code == 2
    assert "--database-url" in found.output
    assert "sesame" not in found.output


def test_no_study_is_a_usage_error(charm: Charm, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(URL, raising=False)
    assert charm("study", "progress").exit_code == 2
    assert charm("study", "progress", "nowhere.db").exit_code == 2
