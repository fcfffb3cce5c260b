"""``--json`` prints one JSON document on standard output and nothing else; warnings and notes go to standard error."""

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
def tables(tmp_path: Path) -> Path:
    """Tables that are right but thin, so that each command has something to warn of."""
    rng = np.random.default_rng(0)
    rows = [(f"p{i}", k, float(level + rng.gumbel())) for i in range(20) for level, k in enumerate("abcd")]
    scores = pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row")
    scores.write_parquet(tmp_path / "scores.parquet")
    texts = scores.select("prompt_id", prompt="prompt_id", policy="policy", response="policy")
    texts.write_parquet(tmp_path / "responses.parquet")
    ratings = pl.DataFrame({"policy": list("abcd"), "rating": [1000, 1100, 1200, 1300]})
    ratings.write_csv(tmp_path / "ratings.csv")
    offsets = {"policy": ["a", "b"], "delta": [0.5, 0.0], "is_reference": [False, True]}
    unknown = dict.fromkeys(("std_err", "ci_low", "ci_high", "target", "attained"), None)
    pl.DataFrame(offsets).with_columns(**unknown).write_parquet(tmp_path / "offsets.parquet")
    battles = {
        "model_a": ["a", "b", "a"],
        "model_b": ["b", "a", "a"],
        "winner": ["model_a", "model_a", "tie"],
    }
    pl.DataFrame(battles).write_csv(tmp_path / "battles.csv")
    return tmp_path


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("audit scores.parquet --ratings ratings.csv -o audit", "mismatch"),
        ("audit --example -o audit", "length_controlled"),
        ("calibrate scores.parquet --ratings ratings.csv --over a --ref b -o new.parquet", "offsets"),
        ("calibrate scores.parquet --ratings ratings.csv --all -o new.parquet", "residuals"),
        ("relabel scores.parquet responses.parquet offsets.parquet --strategy all-pairs -o prefs", "ledger"),
        ("evaluate --scores scores.parquet --ratings ratings.csv -o evaluation", "alignment"),
        ("ratings fit battles.csv -o new.parquet", "ratings"),
    ],
)
def test_json_alone_on_stdout_and_warnings_on_stderr(
    charm: Charm, tables: Path, monkeypatch: pytest.MonkeyPatch, line: str, key: str
) -> None:
    monkeypatch.chdir(tables)
    result = charm(*line.split(), "--json")
    assert result.exit_code == 0, result.output
    assert key in json.loads(result.stdout)
    assert "warning:" in result.stderr
    assert "wrote" in result.stderr


def test_a_leaderboard_as_json(charm: Charm) -> None:
    result = charm("ratings", "show", "arena", "--top", 3, "--json")
    assert len(json.loads(result.stdout)["ratings"]) == 3
    assert result.stderr == ""
