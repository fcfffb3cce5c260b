"""Tables in other columns, through the commands that read them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

Charm = Callable[..., Result]


@pytest.fixture
def long() -> pl.DataFrame:
    rng = np.random.default_rng(0)
    rows = [(f"p{i}", k, float(level + rng.gumbel())) for i in range(40) for level, k in enumerate("abcd")]
    return pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row")


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    path = tmp_path / "ratings.csv"
    path.write_text("policy,rating,std_err\na,1000,5\nb,1100,5\nc,1200,5\nd,1300,5\n")
    return path


def test_an_audit_says_what_it_read_and_finds_the_same(
    charm: Charm, tmp_path: Path, long: pl.DataFrame, ratings: Path
) -> None:
    long.write_csv(tmp_path / "s.csv")
    long.select(pl.col("prompt_id").alias("Question ID"), pl.col("policy").alias("model"), "score").write_csv(
        tmp_path / "t.csv"
    )
    how = ("--ratings", str(ratings), "--draws", "0", "--json")
    own, other = (charm("audit", str(tmp_path / f"{n}.csv"), *how) for n in "st")
    assert own.exit_code == other.exit_code == 0, other.output
    found = [json.loads(one.stdout) for one in (own, other)]
    assert found[0]["favouritism"] == found[1]["favouritism"]
    assert "note: " not in own.stderr
    assert "read 'model' as policy, 'Question ID' as prompt_id" in other.stderr


def test_the_option_that_the_error_names_is_taken(
    charm: Charm, tmp_path: Path, long: pl.DataFrame, ratings: Path
) -> None:
    path = tmp_path / "s.csv"
    long.rename({"score": "skywork"}).write_csv(path)
    given = ("audit", str(path), "--ratings", str(ratings), "--draws", "0")
    refused = charm(*given)
    assert refused.exit_code == 2
    assert "--column score=skywork" in refused.stderr
    assert charm(*given, "--column", "score=skywork").exit_code == 0


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("policy", "is not FIELD=COLUMN"),
        ("=x", "is not FIELD=COLUMN"),
        ("policy=nobody", "no column 'nobody'"),
        ("polcy=policy", "no field 'polcy'"),
        ("responses.policy=policy", "this command reads no table 'responses'"),
    ],
)
def test_an_option_that_means_nothing_is_refused(
    charm: Charm, tmp_path: Path, long: pl.DataFrame, ratings: Path, column: str, message: str
) -> None:
    long.write_csv(tmp_path / "s.csv")
    refused = charm("audit", str(tmp_path / "s.csv"), "--ratings", str(ratings), "--column", column)
    assert refused.exit_code == 2
    assert message in refused.stderr
    assert "--column" in refused.stderr


def test_two_reward_models_of_one_file_are_compared(
    charm: Charm, tmp_path: Path, long: pl.DataFrame, ratings: Path
) -> None:
    path = tmp_path / "all.csv"
    noisy = long.with_columns(
        score=pl.col("score") + pl.Series(np.random.default_rng(1).normal(size=len(long)))
    )
    pl.concat([long.with_columns(rm=pl.lit("old")), noisy.with_columns(rm=pl.lit("new"))]).write_csv(path)
    given = ("compare", str(path), str(path), "--ratings", str(ratings), "--draws", "0", "--json")
    asked = charm(*given, "--reward-model", "old", "--second-reward-model", "neww")
    assert asked.exit_code == 2
    assert "'neww'" in asked.stderr
    found = charm(*given, "--reward-model", "old", "--second-reward-model", "new")
    assert found.exit_code == 0, found.output
    assert "reward model 'old'" in found.stderr
    assert "reward model 'new'" in found.stderr


def test_a_field_given_twice_is_refused(charm: Charm, tmp_path: Path, long: pl.DataFrame) -> None:
    long.write_csv(tmp_path / "s.csv")
    refused = charm("audit", str(tmp_path / "s.csv"), "--column", "policy=policy", "--column", "policy=score")
    assert "column 'policy' is given twice" in refused.stderr


def test_calibrated_scores_stay_calibrated_whatever_is_told_of_their_columns(
    charm: Charm, tmp_path: Path, long: pl.DataFrame, ratings: Path
) -> None:
    """Offsets are not added twice because a column was named."""
    scores, offsets, after = (str(tmp_path / n) for n in ("s.csv", "o.parquet", "c.parquet"))
    long.rename({"policy": "model"}).write_csv(scores)
    assert charm("calibrate", scores, "--ratings", str(ratings), "--all", "-o", offsets).exit_code == 0
    assert charm("apply", scores, offsets, "-o", after).exit_code == 0
    twice = charm("apply", after, offsets, "-o", str(tmp_path / "d.parquet"), "--column", "policy=policy")
    plain = charm("apply", after, offsets, "-o", str(tmp_path / "e.parquet"))
    assert (twice.exit_code, twice.stderr) == (plain.exit_code, plain.stderr)
    assert plain.exit_code == 2


def test_each_of_two_tables_has_columns_of_its_own(
    charm: Charm, tmp_path: Path, long: pl.DataFrame, ratings: Path
) -> None:
    one, two = tmp_path / "one.csv", tmp_path / "two.csv"
    long.rename({"score": "rm1"}).write_csv(one)
    long.rename({"score": "rm2"}).write_csv(two)
    given = ("compare", str(one), str(two), "--ratings", str(ratings), "--draws", "0", "--json")
    found = charm(*given, "--column", "first.score=rm1", "--column", "second.score=rm2")
    assert found.exit_code == 0, found.output
