"""``charm explain`` from the outside: sentences, one policy, families, files, refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm import load
from charm_rm.style import Explanation
from style.styled import styled

Charm = Callable[..., Result]


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen policies, some of whom use bold, which the model over-values."""
    folder = tmp_path_factory.mktemp("tables")
    world = styled(slope=(0.0, 0.0), prompts=60)
    loud = pl.col("policy").str.slice(1).cast(pl.Int64) % 4
    frame = world.responses.frame.with_columns(n=loud + pl.col("prompt_id").str.slice(1).cast(pl.Int64) % 2)
    bold = pl.lit("It is **so** ").repeat_by("n").list.join("")
    frame = frame.with_columns(response=bold + "here. " + pl.col("prompt_id"))
    frame.drop("n").write_parquet(folder / "responses.parquet")
    world.scores.frame.join(frame.select("prompt_id", "policy", "n"), on=["prompt_id", "policy"]).select(
        "prompt_id", "policy", score=pl.col("score") + 0.8 * pl.col("n")
    ).write_parquet(folder / "scores.parquet")
    world.ratings.frame.write_csv(folder / "ratings.csv")
    rows = [(n, "loud" if int(n[1:]) % 4 == 3 else "rest") for n in world.scores.policies]
    pl.DataFrame(rows, schema=["policy", "group"], orient="row").write_csv(folder / "families.csv")
    return folder


def line(folder: Path, *more: str) -> list[str]:
    files = ["--responses", folder / "responses.parquet", "--ratings", folder / "ratings.csv"]
    return ["explain", folder / "scores.parquet", *files, "--feature", "bold", "--draws", "100", *more]  # type: ignore[list-item]


def test_a_sentence_a_policy_within_80_columns(charm: Charm, tables: Path) -> None:
    result = charm(*line(tables, "--top", "3", "--group-by", "feature"))
    assert result.exit_code == 0, result.output
    assert "16 policies on 60 prompts" in result.stdout
    assert "R² on policies left out of the weights: 0." in result.stdout
    assert "the 3 of 16 policies with the largest favour" in result.stdout
    assert result.stdout.count("unexplained ") == 4
    assert "bold +" in result.stdout
    assert max(map(len, result.stdout.splitlines())) <= 80


def test_one_policy_in_full(charm: Charm, tables: Path) -> None:
    result = charm(*line(tables, "--policy", "m03"))
    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("m03 ")
    assert "has more, sd" in result.stdout
    assert "solved without this policy" in result.stdout
    unknown = charm(*line(tables, "--policy", "M-03"))
    assert unknown.exit_code == 2
    assert "'m03'" in unknown.stderr


def test_json_and_the_file_hold_the_same(charm: Charm, tables: Path, tmp_path: Path) -> None:
    out = tmp_path / "explanation.parquet"
    result = charm(*line(tables, "--json", "-o", out))
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    found = load(Explanation, out)
    assert told["explanation"] == found.frame.to_dicts()
    assert told["summary"] == found.summary
    again = charm(*line(tables, "-o", out))
    assert again.exit_code == 2
    assert "exists" in again.stderr


def test_families_before_and_after(charm: Charm, tables: Path) -> None:
    result = charm(*line(tables, "--family", tables / "families.csv", "--own", "loud"))
    assert result.exit_code == 0, result.output
    assert "before: it favours its own group, loud" in result.stdout
    assert "after:" in result.stdout
    told = json.loads(
        charm(*line(tables, "--family", tables / "families.csv", "--own", "loud", "--json")).stdout
    )
    own = told["summary"]["own_family"]
    assert own["favour_after"] < 0.75 * own["favour"]
    assert max(map(len, result.stdout.splitlines())) <= 80


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--feature", "bolt"], "Did you mean 'bold'"),
        (["--join", "lists"], "is not of the form"),
        (["--join", "lists=bullets"], "not among those explained by"),
        (["--own", "OpenAI"], "no audited policy has a group"),
        (["--calibrator", "x.json"], "has its own"),
        (["--scope", "all"], "--scope"),
    ],
)
def test_what_cannot_be_is_refused(charm: Charm, tables: Path, more: list[str], words: str) -> None:
    result = charm(*line(tables, *more))
    assert result.exit_code == 2
    assert words in result.stderr
