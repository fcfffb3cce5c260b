"""``charm run``: plan, run, skip, show; on scores made elsewhere, and once with a small model."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
import yaml

from charm_rm import store
from charm_rm.tables import Mismatch, Scores
from charm_rm.testbed import POLICIES, simulate_arena

STAGES = ["ratings", "responses", "score", "audit", "calibrate", "relabel"]


@pytest.fixture
def config(tmp_path):
    """A configuration beside its inputs, all paths relative."""
    arena = simulate_arena(seed=1, n_prompts=100, n_votes=5000)
    noise = pl.Series(np.random.default_rng(0).normal(scale=0.3, size=arena.quality.height))
    scores = arena.quality.select(
        "prompt_id", "policy", score=2 * pl.col("quality") + 2 * pl.col("style") + noise
    )
    store.save(arena.responses, tmp_path / "responses.parquet")
    store.save(arena.battles, tmp_path / "battles.parquet")
    store.save(arena.true_ratings, tmp_path / "true.parquet")
    store.save(Scores(scores), tmp_path / "scores.parquet")
    values = {
        "name": "here",
        "simulated": True,
        "truth": "true.parquet",
        "responses": {"source": "responses.parquet", "test_fraction": 0.4},
        "ratings": {"battles": "battles.parquet"},
        "score": {"scores": "scores.parquet"},
        "audit": {"draws": 100},
        "report": {"enabled": False},
    }
    path = tmp_path / "charm.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


def test_dry_run_lists_stages_and_writes_nothing(charm, config):
    result = charm("run", config, "--dry-run", "--json")
    assert result.exit_code == 0, result.output
    plan = json.loads(result.stdout)
    assert [row["stage"] for row in plan] == STAGES
    assert all(row["why"] == "has not run" for row in plan)
    assert not (config.parent / "here").exists()
    assert "has not run" in charm("run", config, "--dry-run").stdout


def test_run_then_up_to_date(charm, config):
    result = charm("run", config)
    assert result.exit_code == 0, result.output
    assert "[ 4/6] audit" in result.stderr
    assert "Calibrated: velvet against" in result.stdout
    assert "SIMULATED" in result.stdout
    assert "TRUE ratings" in result.stdout
    assert (config.parent / "here" / "offsets.parquet").exists()
    again = charm("run", config, "--json")
    assert "All stages are up to date" not in again.stdout
    assert json.loads(again.stdout)["ran"] == []
    assert "up to date" in again.stderr


def test_a_run_can_fail_on_its_last_audit(charm, config):
    passed = charm("run", config, "--until", "audit", "--fail-if", "favour>5000", "--quiet")
    assert passed.exit_code == 0, passed.output
    assert "passed: favour>5000" in passed.stderr
    assert passed.stdout.startswith("ran ratings, responses, score, audit; ")
    failed = charm("run", config, "--until", "audit", "--fail-if", "abs_favour>1")
    assert failed.exit_code == 3
    assert "FAILED: abs_favour>1" in failed.stderr
    early = charm("run", config, "--until", "responses", "-o", config.parent / "b", "--fail-if", "spearman<1")
    assert early.exit_code == 2
    assert "was not measured" in early.stderr


def test_mistakes_exit_with_2_and_a_short_message(charm, config):
    config.write_text(config.read_text().replace("draws", "draw"))
    result = charm("run", config)
    assert result.exit_code == 2
    assert "unknown key 'audit.draw'" in result.stderr
    assert "Traceback" not in result.stderr


def test_unknown_stage(charm, config):
    result = charm("run", config, "--until", "scor")
    assert result.exit_code == 2
    assert "Did you mean 'score'" in result.stderr


@pytest.mark.models
@pytest.mark.filterwarnings(
    "ignore::charm_rm.errors.CharmWarning"
)  # tiny data: underpowered, short of prompts
def test_the_whole_of_it_with_a_small_model(charm, tmp_path, small_rm):
    """Every stage that needs a model, on a dozen prompts; a second run does nothing, an anchor trains anew."""
    arena = simulate_arena(
        seed=2, n_prompts=14, n_votes=8000, policies=[p for p in POLICIES if p.skill > 0.65]
    )
    store.save(arena.responses, tmp_path / "responses.parquet")
    store.save(arena.battles, tmp_path / "battles.parquet")
    training = {"batch_size": 4, "max_length": 64, "dropout": False, "eval_fraction": 0.0, "save_every": 0}
    values = {
        "name": "out",
        "responses": {"source": "responses.parquet", "test_fraction": 0.4},
        "ratings": {"battles": "battles.parquet"},
        "rm": {"model": str(small_rm), "max_length": 64},
        "audit": {"draws": 0},
        "calibrate": {"over": "parade", "references": ["lantern"]},
        "train": {"learning_rate": 1e-4, **training},
        "evaluate": {},
        "report": {"enabled": False},
    }
    config = tmp_path / "charm.yaml"
    config.write_text(yaml.safe_dump(values))
    result = charm("run", config, "--json")
    assert result.exit_code == 0, result.output
    ran = json.loads(result.stdout)["ran"]
    assert ran == [*STAGES, "train", "rescore", "reaudit", "evaluate"]
    after = store.load(Mismatch, tmp_path / "out/after/mismatch.parquet")
    assert (after.frame["n"] == round(0.4 * 14)).all()
    assert "Mismatch with human ratings" in (tmp_path / "out/model/README.md").read_text()
    assert store.read_frame(tmp_path / "out/evaluation/alignment.parquet")["baseline_value"].null_count() == 0
    assert json.loads(charm("run", config, "--json").stdout)["ran"] == []
    values["train"] |= {"learning_rate": 2e-4, "anchor_weight": 10.0, "anchor_prompts": 4}
    config.write_text(yaml.safe_dump(values))
    assert json.loads(charm("run", config, "--json").stdout)["ran"] == [
        "train",
        "rescore",
        "reaudit",
        "evaluate",
    ]
    assert "policies x 8 prompts, weight 10" in (tmp_path / "out/model/README.md").read_text()
