"""``charm score`` as a person runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import Result

from charm_rm.memo import default_memo
from charm_rm.store import load, save, write_frame
from charm_rm.tables import Responses, Scores
from models.tiny_models import tiny_llama

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


def test_a_store_and_no_store_exclude_each_other(charm: Charm, tmp_path: Path) -> None:
    result = charm(
        "score", "r", "--rm", "m", "-o", tmp_path / "s.csv", "--cache", tmp_path / "c", "--no-cache"
    )
    assert result.exit_code == 2
    assert "exclude each other" in result.output


@pytest.mark.models
def test_two_runs_on_one_output_the_second_is_refused(charm: Charm, table: Path, tmp_path: Path) -> None:
    output = tmp_path / "scores.parquet"
    lock = tmp_path / ".scores.parquet.lock"
    script = (
        "import sys; from charm_rm.locks import locked\n"
        "with locked(sys.argv[1], remove=True): print('held', flush=True); sys.stdin.read()"
    )
    source = str(Path(__file__).resolve().parents[2] / "src")
    holder = subprocess.Popen(
        [sys.executable, "-c", script, str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": source},
    )
    with holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        result = charm("score", table, "--rm", "/no/model", "-o", output)
        assert result.exit_code == 2
        assert f"another run is using this output (process {holder.pid})" in result.stderr
        assert lock.exists()
    # It has ended: what refuses now is the model, and no lock file is left.
    assert not lock.exists()
    assert "no such model folder" in charm("score", table, "--rm", "/no/model", "-o", output).stderr
    assert not lock.exists()


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
        self, charm: Charm, table: Path, small_rm: Path, tmp_path: Path
    ) -> None:
        output = tmp_path / "scores.csv"
        options = ("--policy", "one", "--n-prompts", 3, "--seed", 4)
        result = charm("score", table, "--rm", small_rm, "-o", output, *options)
        assert result.exit_code == 0, result.output
        assert load(Scores, output).frame.select(pl.col("policy", "prompt_id").n_unique()).row(0) == (1, 3)

    def test_truncation_is_said(self, charm: Charm, table: Path, small_rm: Path, tmp_path: Path) -> None:
        output = tmp_path / "scores.parquet"
        result = charm("score", table, "--rm", small_rm, "-o", output, "--max-length", 12)
        assert result.exit_code == 0, result.output
        assert "longer than 12 tokens" in result.stderr
        assert load(Scores, output).frame["truncated"].sum() > 0

    def test_a_second_output_comes_from_the_store(
        self, charm: Charm, table: Path, small_rm: Path, tmp_path: Path
    ) -> None:
        first, second = tmp_path / "first.parquet", tmp_path / "second.parquet"
        charm("score", table, "--rm", small_rm, "-o", first)
        result = charm("score", table, "--rm", small_rm, "-o", second)
        assert "all 12 responses came from the store" in result.stderr
        assert second.read_bytes() == first.read_bytes()

    def test_the_store_may_lie_elsewhere(
        self, charm: Charm, table: Path, small_rm: Path, tmp_path: Path
    ) -> None:
        output, store = tmp_path / "s.parquet", tmp_path / "mine" / "scores.sqlite"
        result = charm("score", table, "--rm", small_rm, "-o", output, "--cache", store)
        assert result.exit_code == 0, result.output
        assert store.exists()
        assert not default_memo().exists()

    def test_without_a_store_it_still_goes_on_by_itself(
        self,
        charm: Charm,
        table: Path,
        small_rm: Path,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        from charm_rm.models import RewardModel

        output, whole, batches = tmp_path / "s.parquet", RewardModel.launch, []

        def launch(model: RewardModel, batch: Any) -> Any:
            batches.append(len(batch))
            if len(batches) == 3:
                raise KeyboardInterrupt
            return whole(model, batch)

        monkeypatch.setattr(RewardModel, "launch", launch)
        command = ("score", table, "--rm", small_rm, "-o", output, "--no-cache", "--unchecked")
        command += ("--token-budget", 40)
        assert charm(*command).exit_code != 0
        assert not output.exists()
        batches.clear()
        batches += [0] * 10
        result = charm(*command)
        assert result.exit_code == 0, result.output
        assert "going on from" in result.stderr
        assert "from the store" in result.stderr
        assert sum(batches) < 12
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".")] == []
        assert not default_memo().exists()

    def test_a_store_that_is_none_is_named(
        self, charm: Charm, table: Path, small_rm: Path, tmp_path: Path
    ) -> None:
        result = charm("score", table, "--rm", small_rm, "-o", tmp_path / "s.parquet", "--cache", table)
        assert result.exit_code == 2
        assert "not a store of scores" in result.stderr

    def test_how_it_runs_is_kept(self, charm: Charm, table: Path, small_rm: Path, tmp_path: Path) -> None:
        output = tmp_path / "s.parquet"
        options = ("--attention", "eager", "--dtype", "bfloat16", "--device", "cpu,cpu", "--token-budget", 64)
        result = charm("score", table, "--rm", small_rm, "-o", output, *options)
        assert result.exit_code == 0, result.output
        about = load(Scores, output).provenance
        assert (about["attention"], about["dtype"], about["device"]) == ("eager", "bfloat16", "cpu")
        assert (about["token_budget"], about["from_store"]) == (64, 0)
        assert 0 <= about["padding_share"] < 1

    def test_unpadded_encoders_are_refused(
        self, charm: Charm, table: Path, small_rm: Path, tmp_path: Path
    ) -> None:
        result = charm("score", table, "--rm", small_rm, "-o", tmp_path / "s.parquet", "--unpadded")
        assert result.exit_code == 2
        assert "cannot be scored unpadded" in result.stderr

    def test_a_backbone_is_no_reward_model(
        self, charm: Charm, table: Path, minilm_dir: Path, tmp_path: Path
    ) -> None:
        result = charm("score", table, "--rm", minilm_dir, "-o", tmp_path / "s.parquet")
        assert result.exit_code == 2
        assert "not a reward model" in result.stderr
        assert "charm train" in result.stderr


@pytest.mark.models
@pytest.mark.parametrize("packing", ["--unpadded", "--padded"])
def test_unpadded_scoring_passes_the_doctor_too(charm: Charm, tmp_path: Path, packing: str) -> None:
    pytest.importorskip("torch", reason="needs the [hf] extra")
    rm = tiny_llama(tmp_path / "rm")
    rows = [{"prompt": f"why {p}", "policy": p, "response": f"good {p} fine"} for p in ("alpha", "beta")]
    table = write_frame(pl.DataFrame(rows), tmp_path / "r.jsonl")
    result = charm("score", table, "--rm", rm, "-o", tmp_path / "s.parquet", "--device", "cpu", packing)
    assert result.exit_code == 0, result.output
