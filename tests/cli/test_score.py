"""``charm score`` as a person runs it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from click.testing import Result

from charm_rm.store import load, save
from charm_rm.tables import Responses, Scores

Charm = Callable[..., Result]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    rows = [
        {
            "prompt_id": f"q{q}",
            "prompt": f"Name {q} things.",
            "policy": p,
            "response": f"{p}: " + "thing " * q,
        }
        for q in range(6)
        for p in ("one", "two")
    ]
    rows[0]["response"] = ""
    return save(Responses(pl.DataFrame(rows)), tmp_path / "responses.parquet")


def test_help_teaches(charm: Charm) -> None:
    result = charm("score", "--help")
    assert result.exit_code == 0
    assert "Examples:" in result.output


def test_an_existing_output_is_refused_before_any_work(charm: Charm, tmp_path: Path) -> None:
    output = tmp_path / "scores.parquet"
    output.write_text("precious")
    result = charm("score", tmp_path / "absent.parquet", "--rm", "/no/model", "-o", output)
    assert result.exit_code == 2
    assert "--force" in result.output
    assert output.read_text() == "precious"


def test_an_output_of_unknown_kind_is_refused_before_any_work(charm: Charm, tmp_path: Path) -> None:
    result = charm("score", tmp_path / "absent.parquet", "--rm", "/no/model", "-o", tmp_path / "scores.xlsx")
    assert result.exit_code == 2
    assert ".parquet" in result.output


def test_a_misspelt_policy_is_named_before_the_model_loads(charm: Charm, table: Path, tmp_path: Path) -> None:
    result = charm("score", table, "--rm", "/no/model", "-o", tmp_path / "s.parquet", "--policy", "onne")
    assert result.exit_code == 2
    assert "Did you mean 'one'" in result.output


@pytest.mark.models
class TestScoring:
    def test_scores_and_summary(self, charm: Charm, table: Path, minilm_rm_dir: Path, tmp_path: Path) -> None:
        output = tmp_path / "scores.parquet"
        result = charm("score", table, "--rm", minilm_rm_dir, "-o", output, "--json")
        assert result.exit_code == 0, result.output
        scores = load(Scores, output)
        assert len(scores) == 12
        assert scores.provenance["layout"] == "pair"
        summary = {row["policy"]: row for row in json.loads(result.stdout)["policies"]}
        assert summary["one"]["empty"] == 1
        assert summary["two"]["n"] == 6
        assert summary["two"]["mean_score"] == pytest.approx(
            scores.frame.filter(policy="two")["score"].mean()
        )
        assert [p.name for p in tmp_path.iterdir() if "partial" in p.name] == []

    def test_a_sample_of_prompts_and_policies(
        self, charm: Charm, table: Path, minilm_rm_dir: Path, tmp_path: Path
    ) -> None:
        output = tmp_path / "scores.csv"
        options = ("--policy", "one", "--n-prompts", 3, "--seed", 4)
        result = charm("score", table, "--rm", minilm_rm_dir, "-o", output, *options)
        assert result.exit_code == 0, result.output
        assert load(Scores, output).frame.select(pl.col("policy", "prompt_id").n_unique()).row(0) == (1, 3)

    def test_truncation_is_said(self, charm: Charm, table: Path, minilm_rm_dir: Path, tmp_path: Path) -> None:
        output = tmp_path / "scores.parquet"
        result = charm("score", table, "--rm", minilm_rm_dir, "-o", output, "--max-length", 12)
        assert result.exit_code == 0, result.output
        assert "longer than 12 tokens" in result.stderr
        assert load(Scores, output).frame["truncated"].sum() > 0

    def test_goes_on_by_itself(self, charm: Charm, table: Path, minilm_rm_dir: Path, tmp_path: Path) -> None:
        first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
        charm("score", table, "--rm", minilm_rm_dir, "-o", first)
        partial = tmp_path / ".second.parquet.partial.jsonl"
        partial.write_text('{"key": "of another run", "score": 1.0}\n{"key": "torn')
        result = charm("score", table, "--rm", minilm_rm_dir, "-o", second)
        assert "going on from" in result.stderr
        assert not partial.exists()
        assert load(Scores, second).frame.equals(load(Scores, first).frame)

    def test_a_backbone_is_no_reward_model(
        self, charm: Charm, table: Path, minilm_dir: Path, tmp_path: Path
    ) -> None:
        result = charm("score", table, "--rm", minilm_dir, "-o", tmp_path / "s.parquet")
        assert result.exit_code == 2
        assert "not a reward model" in result.stderr
        assert "charm train" in result.stderr
