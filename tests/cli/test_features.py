"""``charm features``: lists, measures, prints, writes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm import StyleFeatures, load
from charm_rm.features import DEFAULT_FEATURES, FEATURES

Charm = Callable[..., Result]


@pytest.fixture
def responses(tmp_path: Path) -> Path:
    """Two plain policies and one that makes everything bold."""
    texts = {"plain": "It is so.", "simple": "It is so, yes.", "loud": "**It** is **so**!"}
    rows = [
        (f"p{i}", f"Is it {i}?", policy, f"{text} {i}", i) for i in range(5) for policy, text in texts.items()
    ]
    path = tmp_path / "responses.parquet"
    pl.DataFrame(
        rows, schema=["prompt_id", "prompt", "policy", "response", "toxic"], orient="row"
    ).write_parquet(path)
    return path


def test_the_list_has_every_definition(charm: Charm) -> None:
    rows = json.loads(charm("features", "--list", "--json").stdout)["features"]
    assert [row["name"] for row in rows] == list(FEATURES)
    assert all(row["about"] and row["version"] >= 1 for row in rows)
    assert all(name in charm("features", "--list").stdout for name in FEATURES)


def test_the_table_says_what_sets_policies_apart(charm: Charm, responses: Path) -> None:
    shown = charm("features", responses).stdout
    line = next(line for line in shown.splitlines() if "loud" in line)
    assert "bold +" in line
    assert "exclamations +" in line


def test_one_policy_in_full(charm: Charm, responses: Path) -> None:
    shown = charm("features", responses, "--policy", "loud", "--feature", "bold", "--feature", "words").stdout
    assert [line.split()[0] for line in shown.splitlines() if "bold" in line or "words" in line] == [
        "bold",
        "words",
    ]
    assert "2.00" in shown
    found = json.loads(charm("features", responses, "--policy", "loud", "--json").stdout)
    assert {row["policy"] for row in found["features"]} == {"loud"}
    assert [row["feature"] for row in found["features"]] == list(DEFAULT_FEATURES)


def test_features_are_written_with_their_versions(charm: Charm, responses: Path, tmp_path: Path) -> None:
    out = tmp_path / "features.parquet"
    result = charm("features", responses, "--feature", "bold", "--own", "column:toxic", "-o", out)
    assert result.exit_code == 0, result.output
    assert "2 features of 15 responses of 3 policies" in result.stderr
    found = load(StyleFeatures, out)
    assert found.features == ["bold", "column:toxic"]
    assert found.provenance["features"] == {"bold": FEATURES["bold"].version}
    again = charm("features", responses, "-o", out)
    assert again.exit_code == 2
    assert "exists" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--feature", "bolt"], "Did you mean 'bold'"),
        (["--policy", "lout"], "Did you mean 'loud'"),
        (["--own", "column:toxik"], "Did you mean 'toxic'"),
        (["--feature", "bold", "--feature", "bold"], "named twice"),
    ],
)
def test_bad_names(charm: Charm, responses: Path, arguments: list[str], words: str) -> None:
    result = charm("features", responses, *arguments)
    assert result.exit_code == 2
    assert words in " ".join(result.stderr.split())


def test_nothing_to_measure(charm: Charm) -> None:
    result = charm("features")
    assert result.exit_code == 2
    assert "RESPONSES, or --list" in result.stderr
