"""``charm compare``, ``charm influence`` and ``charm audit --group`` from the outside."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

from comparison.worlds import evaluation

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


# --- several models ---------------------------------------------------------------------------------


@pytest.fixture
def third(tmp_path: Path) -> Path:
    return scored(tmp_path / "third.csv", seed=2)


def evaluated(folder: Path, *, every: int) -> Path:
    return evaluation(folder, np.arange(60) % every != 0)


def test_several_models_are_one_table_a_page_and_json(
    charm: Charm, first: Path, second: Path, third: Path, ratings: Path, tmp_path: Path
) -> None:
    one, two = (evaluated(tmp_path / f"eval_{n}", every=n) for n in (5, 2))
    folder = tmp_path / "out"
    models = [f"a={first},{one}", f"b={second},{two}", third]
    result = charm("compare", *models, "--ratings", ratings, "-o", folder, "--draws", 200)
    assert result.exit_code == 0, result.output
    assert "a, b and third compared" in result.stdout
    assert "5 policies on 150 prompts that all have" in result.stdout
    assert "third: without an evaluation it is left out of the benchmarks" in result.stderr
    assert "quiz, %" in result.stdout
    assert "b -" in result.stdout
    assert "against a" in result.stdout
    assert "Accuracy on benchmarks against mismatch with people" in result.stdout
    assert {"comparison.html", "comparison.json", "differences.parquet", "favour_differences.parquet", "pareto.parquet"} < {p.name for p in folder.iterdir()}  # fmt: skip
    document = json.loads((folder / "comparison.json").read_text())
    assert document["models"] == ["a", "b", "third"]
    assert [f["name"] for f in document["provenance"]["files"]] == [
        *("first.csv", "second.csv", "third.csv"),
        *("evaluation.json", "evaluation.json"),
    ]
    assert str(tmp_path) not in (folder / "comparison.html").read_text()
    assert "b favours it more" not in result.stdout
    assert charm("compare", *models, "--ratings", ratings, "-o", folder).exit_code == 2


def test_the_reference_and_all_pairs(
    charm: Charm, first: Path, second: Path, third: Path, ratings: Path
) -> None:
    found = json.loads(
        charm("compare", first, second, third, "--ratings", ratings, "--json", "--draws", 0, "--reference-model", "third").stdout
    )  # fmt: skip
    assert {r["baseline"] for r in found["differences"]} == {"third"}
    result = charm("compare", first, second, third, "--ratings", ratings, "--draws", 0, "--all-pairs")
    assert "Differences of the others" in result.stdout
    wrong = charm("compare", first, second, "--ratings", ratings, "--reference-model", "frist")
    assert wrong.exit_code == 2
    assert "Did you mean 'first'" in wrong.stderr


def test_evaluations_alone_need_no_ratings(charm: Charm, tmp_path: Path) -> None:
    one, two = (evaluated(tmp_path / f"eval_{n}", every=n) for n in (5, 2))
    result = charm("compare", one, two, "--subsets", "--draws", 200)
    assert result.exit_code == 0, result.output
    assert "quiz hard, %" in result.stdout
    assert "worse" in result.stdout
    named = charm("compare", one, two, "--draws", 200, "--quiet")
    assert "2 models, 1 difference, 1 beyond chance; eval_2 worse than eval_5" in named.stdout


def test_an_evaluation_that_is_not_there_is_said_and_no_ratings_are_asked_for(
    charm: Charm, tmp_path: Path
) -> None:
    result = charm("compare", evaluated(tmp_path / "there", every=5), tmp_path / "missing")
    assert result.exit_code == 2
    assert "missing': no such file or folder" in result.stderr


def test_several_models_of_one_file(
    charm: Charm, first: Path, second: Path, ratings: Path, tmp_path: Path
) -> None:
    frames = [
        pl.read_csv(p).with_columns(reward_model=pl.lit(n)) for p, n in ((first, "old"), (second, "new"))
    ]
    both = tmp_path / "both.csv"
    pl.concat(frames).write_csv(both)
    result = charm("compare", f"{both}@new", f"{both}@old", "--ratings", ratings, "--draws", 0)
    assert result.exit_code == 0, result.output
    assert "new and old compared" in result.stdout
    several = charm("compare", both, f"{both}@old", "--ratings", ratings, "--draws", 0)
    assert several.exit_code == 2
    assert "both.csv@MODEL for each model" in several.stderr


def test_several_models_gate_a_release(
    charm: Charm, first: Path, second: Path, third: Path, ratings: Path
) -> None:
    how = ["compare", second, first, third, "--ratings", ratings, "--draws", 200]
    assert charm(*how, "--fail-if", "difference.low>20 and q<0.05").exit_code == 3
    assert charm(*how, "--fail-if", "difference.low>2000").exit_code == 0
    assert charm(*how, "--fail-if", "figure_difference.low>1000").exit_code == 0


def test_models_that_cannot_be_told_apart_or_compared(
    charm: Charm, first: Path, second: Path, ratings: Path, tmp_path: Path
) -> None:
    def refused(*words: object) -> str:
        result = charm("compare", *words, "--ratings", ratings, "--draws", 0)
        assert result.exit_code == 2
        assert "Traceback" not in result.output
        return result.stderr

    again = tmp_path / "again" / "first.csv"
    again.parent.mkdir()
    again.write_bytes(first.read_bytes())
    assert "2 models are called 'first'" in refused(first, again, second)
    assert "the very same numbers" in refused(first, f"copy={again}", second)
    apart = tmp_path / "apart.csv"
    pl.read_csv(first).with_columns(prompt_id=pl.lit("x") + pl.col("prompt_id")).write_csv(apart)
    assert "the 3 models share 0 policies and 0 prompts" in refused(first, second, apart)
    holes = tmp_path / "holes.csv"
    pl.read_csv(first).with_columns(score=pl.when(pl.col("policy") == "cow").then(float("nan")).otherwise("score")).write_csv(holes)  # fmt: skip
    assert "holes.csv" in refused(first, second, holes)
    old = evaluated(tmp_path / "old", every=3)
    (old / "credits.parquet").unlink()
    assert "another version of charm" in refused(f"{first},{old}", second)
    assert "two tables of scores or judgements of one model" in refused(f"{first},{second}", first)
    assert "no such file" in refused(first, second, tmp_path / "none.csv")
    assert "write TABLE@MODEL" in refused(first, second, apart, "--second-reward-model", "x")
    assert charm("compare", first, second, apart).exit_code == 2


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
