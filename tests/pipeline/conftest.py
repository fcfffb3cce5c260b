"""A small run without a model: the simulated arena, and scores made elsewhere that over-value style."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import yaml

from charm_rm import store
from charm_rm.pipeline import Config, load_config
from charm_rm.tables import Scores
from charm_rm.testbed import simulate_arena
from plain_charts import plain_charts  # noqa: F401  (a fixture)


@pytest.fixture(autouse=True)
def no_drawing(plain_charts: object) -> None:  # noqa: F811
    """The pages of a run without drawn charts: how charts look is tested where they are made."""


@pytest.fixture(scope="session")
def arena_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """responses, battles, true ratings and scores = 2 quality + 2 style + noise, on 100 prompts."""
    folder = tmp_path_factory.mktemp("arena")
    arena = simulate_arena(seed=0, n_prompts=100, n_votes=5000)
    noise = pl.Series(np.random.default_rng(0).normal(scale=0.3, size=arena.quality.height))
    scores = arena.quality.select(
        "prompt_id", "policy", score=2 * pl.col("quality") + 2 * pl.col("style") + noise
    )
    store.save(arena.responses, folder / "responses.parquet")
    store.save(arena.battles, folder / "battles.parquet")
    store.save(arena.true_ratings, folder / "true.parquet")
    store.save(Scores(scores), folder / "scores.parquet")
    return folder


@pytest.fixture
def settings(arena_files: Path) -> dict[str, Any]:
    """Those of :func:`small`, to be changed at will."""
    return small(arena_files)


def small(arena_files: Path) -> dict[str, Any]:
    """Plain values of a configuration that needs no model, and no report."""
    return {
        "name": "small",
        "responses": {"source": str(arena_files / "responses.parquet"), "test_fraction": 0.4},
        "ratings": {"battles": str(arena_files / "battles.parquet")},
        "score": {"scores": str(arena_files / "scores.parquet")},
        "audit": {"draws": 100},
        "report": {"enabled": False},
    }


@pytest.fixture
def configure(tmp_path: Path, settings: dict[str, Any]) -> Callable[..., Config]:
    """Write the settings, with sections updated, to a file and load it."""

    def make(**sections: Any) -> Config:
        values = dict(settings)
        for name, value in sections.items():
            both = isinstance(value, dict) and isinstance(values.get(name), dict)
            values[name] = {**values[name], **value} if both else value
        path = tmp_path / "config.yaml"
        path.write_text(yaml.safe_dump(values))
        return load_config(path)

    return make
