"""``charm compare``, ``charm influence`` and ``charm audit --group`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

Charm = Callable[..., Result]
LEVELS = {"ant": 0.0, "bee": 0.8, "cow": 1.2, "dog": 1.9, "elk": 2.4}


def scored(path: Path, *, seed: int, favour: dict[str, float] | None = None) -> Path:
    rng = np.random.default_rng(seed)
    rows = [
        (f"p{i}", k, float(level + (favour or {}).get(k, 0.0) + rng.gumbel()))
        for i in range(150)
        for k, level in LEVELS.items()
    ]
    pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row").write_csv(path)
    return path


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return scored(tmp_path / "first.csv", seed=0, favour={"cow": 1.5})


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return scored(tmp_path / "second.csv", seed=1)


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    rows = [f"{k},{1000 + level * 173.7},5" for k, level in LEVELS.items()]
    path.write_text("\n".join(["policy,rating,std_err", *rows]) + "\n")
    return path


# --- compare --------------------------------------------------------------------------------------


def test_compare_prints_tables_and_writes_a_folder(
    charm: Charm, first: Path, second: Path, ratings: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    result = charm("compare", first, second, "--ratings", ratings, "-o", folder, "--draws", 00)
    assert result.exit_code == 0, result.output
    assert "first (first) compared with second (second)" in result.stdout
    assert "5 policies on 150 prompts that both have" in result.stdout
    assert "of two separate audits it would be" in result.stdout
    assert "first favours it more" in result.stdout
    assert sorted(p.name for p in folder.iterdir()) == [
        ".charm-files.json",
        "comparison.json",
        "favour.parquet",
        "figures.parquet",
        "ratings.parquet",
    ]
    again = charm("compare", "none.csv", second, "--ratings", ratings, "-o", folder)
    assert again.exit_code == 2
    assert "--force" in again.stderr


def test_compare_as_json_is_json_alone(charm: Charm, first: Path, second: Path, ratings: Path) -> None:
    found = json.loads(charm("compare", first, second, "--ratings", ratings, "--json", "--draws", 0).stdout)
    assert found["policies"][0]["policy"] == "cow"
    assert [f["figure"] for f in found["figures"]] == ["sharpness", "spearman", "kendall"]
    assert found["provenance"]["settings"]["scope"] == "sample"


def test_compare_needs_ratings_and_two_sources_by_prompt(
    charm: Charm, first: Path, ratings: Path, tmp_path: Path
) -> None:
    assert charm("compare", first, first).exit_code == 2
    published = tmp_path / "published.csv"
    published.write_text("policy,reference,win_rate,n\nant,bee,0.4,100\ncow,bee,0.6,100\n")
    result = charm("compare", first, published, "--ratings", ratings)
    assert result.exit_code == 2
    assert "cannot be paired" in result.stderr


# --- influence ------------------------------------------------------------------------------------


def test_influence_says_what_carries_a_finding(
    charm: Charm, first: Path, ratings: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "out"
    how = ["--ratings", ratings, "--scope", "these", "--top", 2, "-o", folder]
    result = charm("influence", first, *how)
    assert result.exit_code == 0, result.output
    assert "What carries the favour of cow in first.csv: +" in result.stdout
    assert "without prompt p" in result.stdout
    assert "none of the 2 most influential prompts changes the verdict (over-valued)" in result.stdout
    assert sorted(p.name for p in folder.iterdir()) == [
        ".charm-files.json",
        "influence.json",
        "policies.parquet",
        "prompts.parquet",
    ]


def test_influence_of_votes(charm: Charm, first: Path, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = list(LEVELS)
    rows = []
    for _ in range(1500):
        a, b = rng.choice(5, 2, replace=False)
        won = rng.random() < 1 / (1 + np.exp(LEVELS[names[b]] - LEVELS[names[a]]))
        rows.append((names[a], names[b], "a" if won else "b"))
    votes = tmp_path / "votes.csv"
    pl.DataFrame(rows, schema=["policy_a", "policy_b", "winner"], orient="row").write_csv(votes)
    result = charm("influence", first, "--battles", votes, "--policy", "cow", "--top", 2, "--json")
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    assert found["policy"] == "cow"
    assert "cow" in (found["votes"][0]["policy_a"], found["votes"][0]["policy_b"])
    assert any("votes" in s for s in found["sentences"])


def test_influence_wants_ratings_or_battles(charm: Charm, first: Path, ratings: Path) -> None:
    for options in ([], ["--ratings", ratings, "--battles", ratings], ["--ratings", ratings, "--prior", 1]):
        assert charm("influence", first, *options).exit_code == 2
    result = charm("influence", first, "--ratings", ratings, "--policy", "cwo")
    assert result.exit_code == 2
    assert "Did you mean 'cow'" in result.stderr


# --- families -------------------------------------------------------------------------------------


def test_an_audit_of_groups(charm: Charm, first: Path, ratings: Path, tmp_path: Path) -> None:
    groups = tmp_path / "makers.csv"
    groups.write_text("policy,group\ncow,Acme\nbee,Brown\n")
    folder = tmp_path / "out"
    how = ["--ratings", ratings, "--group", groups, "--own", "Acme", "--scope", "these", "--draws", 00]
    result = charm("audit", first, *how, "-o", folder)
    assert result.exit_code == 0, result.output
    assert "it favours its own group, Acme: +" in result.stdout
    assert "3 policies without a group" in result.stderr
    assert {"families.parquet", "families.json", "audit.json"} <= {p.name for p in folder.iterdir()}
    found = json.loads(charm("audit", first, *how, "--json").stdout)["families"]
    assert found["own_family"]["group"] == "Acme"
    assert [row["group"] for row in found["families"]] == ["Acme", "Brown"]


def test_an_own_group_needs_a_file_of_groups(
    charm: Charm, first: Path, ratings: Path, tmp_path: Path
) -> None:
    assert charm("audit", first, "--ratings", ratings, "--own", "Acme").exit_code == 2
    bad = tmp_path / "bad.csv"
    bad.write_text("policy,maker\ncow,Acme\n")
    result = charm("audit", first, "--ratings", ratings, "--group", bad)
    assert result.exit_code == 2
    assert "column 'group' is missing" in result.stderr


# --- several reward models ------------------------------------------------------------------------


def of_two_models(path: Path, source: Path) -> Path:
    table = pl.read_csv(source)
    both = [table.with_columns(pl.lit(name).alias("reward_model")) for name in ("rmA", "rmB")]
    pl.concat(both).write_csv(path)
    return path


def test_the_error_of_the_second_table_names_its_own_option(
    charm: Charm, tmp_path: Path, first: Path, second: Path, ratings: Path
) -> None:
    both = of_two_models(tmp_path / "rms.csv", second)
    asked = ("compare", first, both, "--ratings", ratings, "--draws", 0, "--quiet")
    refused = charm(*asked)
    assert refused.exit_code == 2
    assert "choose one: --second-reward-model 'rmA'" in refused.stderr
    assert charm(*asked, "--second-reward-model", "rmA").exit_code == 0
    wrong = charm(*asked, "--reward-model", "rmA")
    assert wrong.exit_code == 2
    assert "--second-reward-model 'rmA'" in wrong.stderr


def test_a_choice_for_the_first_table_does_not_hinder_a_second_without_models(
    charm: Charm, tmp_path: Path, first: Path, second: Path, ratings: Path
) -> None:
    both = of_two_models(tmp_path / "rms.csv", first)
    asked = ("compare", both, second, "--ratings", ratings, "--draws", 0)
    found = charm(*asked, "--reward-model", "rmA")
    assert found.exit_code == 0, found.output
    assert "goes for the first table alone" in found.stderr
    assert charm(*asked, "--reward-model", "rmA", "--second-reward-model", "rmA").exit_code == 2


def test_a_folder_is_called_by_its_name(
    charm: Charm, tmp_path: Path, first: Path, ratings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "released"
    folder.mkdir()
    first.rename(folder / "part.csv")
    monkeypatch.chdir(folder)
    found = charm("audit", ".", "--ratings", ratings, "--draws", 0, "--quiet")
    assert found.stdout.startswith("released: "), found.output
