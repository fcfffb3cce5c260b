"""Small inputs for every command that is killed: an arena, scores, offsets, a tiny random model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from charm_rm import store
from charm_rm.ratings import fit_ratings
from charm_rm.tables import Scores
from charm_rm.testbed import simulate_arena, true_preferences
from models.tiny_models import simple_preferences, tiny_bert

POLICIES = ("oak", "heron", "velvet", "thistle", "reed")


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """responses, battles, ratings, scores and two kinds of pairs, on 40 prompts."""
    folder = tmp_path_factory.mktemp("inputs")
    arena = simulate_arena(seed=0, n_prompts=40, n_votes=4000)
    noise = pl.Series(np.random.default_rng(0).normal(scale=0.3, size=arena.quality.height))
    scores = arena.quality.select(
        "prompt_id", "policy", score=2 * pl.col("quality") + 2 * pl.col("style") + noise
    )
    store.save(arena.responses, folder / "responses.parquet")
    store.save(arena.battles, folder / "battles.parquet")
    store.save(fit_ratings(arena.battles), folder / "ratings.parquet")
    store.save(Scores(scores), folder / "scores.parquet")
    store.save(true_preferences(seed=0, n_pairs=20), folder / "true_pairs.parquet")
    store.save(simple_preferences(40), folder / "pairs.parquet")
    return folder


@pytest.fixture(scope="session")
def rm(inputs: Path, minilm_dir: Path) -> Path:
    """A tiny random encoder with a reward head."""
    pytest.importorskip("trl", reason="needs the [hf] extra")
    return tiny_bert(inputs / "rm", minilm_dir)


@pytest.fixture(scope="session")
def config(inputs: Path, rm: Path) -> Path:
    """Every stage of a run but the report, each as small as it can be."""
    training = {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 6, "save_every": 2, "max_length": 64}
    return _config(
        inputs / "charm.yaml",
        rm={"model": str(rm), "device": "cpu", "max_length": 64},
        score={"token_budget": 2000},
        train=training,
        evaluate={"pairs": "true_pairs.parquet"},
    )


@pytest.fixture(scope="session")
def config_without_model(inputs: Path) -> Path:
    """A run that takes its scores from a file."""
    return _config(inputs / "scored.yaml", score={"scores": "scores.parquet"})


@pytest.fixture(scope="session")
def config_from_instructions(inputs: Path) -> Path:
    """A run whose policies answer prompts drawn from preferences."""
    policies = [
        {"name": name, "spec": "python:kills.hooks:slow_answer", "seed": seed}
        for seed, name in enumerate(POLICIES)
    ]
    return _config(
        inputs / "asking.yaml",
        prompts={"sources": ["responses.parquet"], "n": 20},
        policies=policies,
        responses={"test_fraction": 0.4},
        judge={"spec": "python:kills.hooks:slow_verdict"},
        calibrate={"over": "velvet", "references": ["oak"]},
    )


def _config(path: Path, **sections: Any) -> Path:
    settings = {
        "name": "small",
        "responses": {"source": "responses.parquet", "test_fraction": 0.4, "policies": list(POLICIES)},
        "ratings": {"battles": "battles.parquet"},
        "audit": {"draws": 100},
        "calibrate": {"over": "velvet", "references": "auto"},
        "report": {"enabled": False},
    }
    path.write_text(yaml.safe_dump(settings | sections))
    return path
