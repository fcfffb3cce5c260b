"""``charm power`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from charm_rm import save
from comparison.worlds import evaluation
from mismatch.planted import noise, ratings, scores

Charm = Callable[..., Result]


@pytest.fixture
def pilot(tmp_path: Path) -> Path:
    return save(scores(noise(0, 150)), tmp_path / "pilot.parquet")


@pytest.fixture
def rated(tmp_path: Path) -> Path:
    return save(ratings(4.0), tmp_path / "ratings.parquet")


def test_a_pilot_is_planned_from(charm: Charm, pilot: Path, rated: Path) -> None:
    result = charm("power", pilot, "--ratings", rated, "--scope", "these", "--prompts", 400)
    assert result.exit_code == 0, result.output
    assert "pilot: 150 prompts, 8 policies; q adjusted for 8 tests" in result.stdout
    assert "To see a favour of one policy of 50 Elo in 80% of cases," in result.stdout
    assert "To see a mismatch of one pair of 0.100 in 80% of cases," in result.stdout
    assert "Floor: with endlessly many prompts" in result.stdout


def test_a_target_below_the_floor_is_said(charm: Charm, pilot: Path, tmp_path: Path) -> None:
    loose = save(ratings(60.0), tmp_path / "loose.parquet")
    result = charm("power", pilot, "--ratings", loose, "--favour", 20, "--scope", "these")
    assert "no number of prompts is enough" in result.stdout
    assert "more votes or more policies would help, not more prompts" in result.stdout


def test_two_tables_and_two_evaluations(charm: Charm, pilot: Path, rated: Path, tmp_path: Path) -> None:
    other = save(scores(noise(1, 150)), tmp_path / "other.parquet")
    result = charm("power", pilot, other, "--ratings", rated, "--favour", 40, "--scope", "these")
    assert "Difference of favour between two models" in result.stdout
    folders = [evaluation(tmp_path / n, np.arange(60) % k != 0) for n, k in (("a", 5), ("b", 4))]
    found = json.loads(charm("power", *folders, "--accuracy", 0.05, "--json").stdout)
    assert found["plans"][0]["basis"]["benchmark"] == "quiz"
    assert found["plans"][0]["needed"] > 60
    assert charm("power", folders[0], pilot, "--ratings", rated).exit_code == 2


def test_assumptions_need_no_files(charm: Charm) -> None:
    result = charm("power", "--policies", 8, "--favour", 60, "--scope", "these", "--prompts", 200, "--csv")
    assert result.stdout.startswith("kind,n,effect,unit\n")
    quiet = charm("power", "--discordant", 0.2, "--accuracy", 0.1, "--quiet")
    assert quiet.stdout.startswith("To see a difference of benchmark accuracy of 0.100 in 80% of cases, 1")
    votes = charm("power", "--policies", 10, "--rating-width", 10)
    assert "Ratings known to ± 10 Elo (95 %, in the mean) take" in votes.stdout


def test_votes_as_a_pilot(charm: Charm, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    rows = ["policy_a,policy_b,winner"]
    rows += [f"{a},{b},{rng.choice(['a', 'b'])}" for a, b in zip("abcd" * 100, "bcda" * 100, strict=True)]
    path = tmp_path / "votes.csv"
    path.write_text("\n".join(rows) + "\n")
    found = json.loads(charm("power", "--battles", path, "--rating-width", 5, "--json").stdout)
    assert found["votes"]["basis"]["battles"] == 400
    assert found["votes"]["needed"] > 400


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--accuracy", 0.02],
        ["--rating-width", 10],
        ["--rating-width", 0, "--policies", 5],
        ["--policies", 2],
        ["--policies", 8, "--power", 1.5],
        ["none.parquet", "--ratings", "arena"],
        ["a", "b", "c", "--ratings", "arena"],
    ],
)
def test_incomplete_or_impossible_requests(charm: Charm, words: list) -> None:
    result = charm("power", *words)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
