"""A run can be copied, moved and shown: its memory knows files by name and content, not by where they lie."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
import yaml

from charm_rm import store
from charm_rm.pipeline import Config, load_config, plan_run, run_pipeline
from charm_rm.pipeline.portable import given_names, portable, without_places

pytestmark = pytest.mark.filterwarnings("ignore:the sharpness is imprecise")


@pytest.fixture
def project(arena_files: Path, tmp_path: Path) -> Path:
    """A folder with inputs and a configuration of relative paths, and its run."""
    folder = tmp_path / "project"
    shutil.copytree(arena_files, folder / "data")
    settings = {
        "name": "small",
        "responses": {"source": "data/responses.parquet", "test_fraction": 0.4},
        "ratings": {"battles": "data/battles.parquet"},
        "score": {"scores": "data/scores.parquet"},
        "audit": {"draws": 100},
        "report": {"enabled": False},
    }
    (folder / "charm.yaml").write_text(yaml.safe_dump(settings))
    run_pipeline(load_config(folder / "charm.yaml"), folder / "run")
    return folder


def _ran(folder: Path, run: Path | None = None) -> tuple[str, ...]:
    return run_pipeline(load_config(folder / "charm.yaml"), run or folder / "run").ran


def test_a_copied_project_runs_nothing_again(project: Path, tmp_path: Path) -> None:
    """Copies have new times and inodes."""
    copied = tmp_path / "somewhere" / "else"
    shutil.copytree(project, copied, copy_function=shutil.copyfile)
    assert _ran(copied) == ()


def test_a_moved_project_and_a_moved_run_run_nothing_again(project: Path, tmp_path: Path) -> None:
    moved = project.rename(tmp_path / "moved")
    assert _ran(moved) == ()
    run = (moved / "run").rename(moved / "results")
    assert _ran(moved, run) == ()


def test_moved_inputs_run_nothing_again_and_changed_ones_do(project: Path) -> None:
    (project / "data").rename(project / "inputs")
    text = (project / "charm.yaml").read_text()
    (project / "charm.yaml").write_text(text.replace("data/", "inputs/"))
    assert _ran(project) == ()
    for file in (project / "inputs").iterdir():
        os.utime(file, (1e9, 1e9))
    assert _ran(project) == ()
    scores = project / "inputs" / "scores.parquet"
    store.read_frame(scores).with_columns(pl.col("score") * 2).write_parquet(scores)
    config = load_config(project / "charm.yaml")
    why = {step.stage.name: step.why for step in plan_run(config, project / "run")}
    assert why["score"] == "input changed: scores.parquet"
    assert _ran(project)[0] == "score"


def test_the_manifest_tells_no_place(project: Path, tmp_path: Path) -> None:
    for name in ("manifest.json", ".hashes.json"):
        assert str(tmp_path) not in (project / "run" / name).read_text()
    manifest = json.loads((project / "run" / "manifest.json").read_text())
    assert manifest["config"]["responses"]["source"] == "responses.parquet"
    assert list(manifest["stages"]["score"]["inputs"]) == ["responses.parquet", "given:scores.parquet"]


def test_configurations_keep_names_and_ids(configure: Callable[..., Config], tmp_path: Path) -> None:
    config = configure(
        score={"scores": None},
        ratings={"battles": None, "source": "arena:coding"},
        rm={"model": str(tmp_path), "calibrator": "c.json"},
        evaluate={"pairs": "pairs.jsonl"},
    )
    found = portable(config)
    assert (found.rm and found.rm.model, found.rm and found.rm.calibrator) == (tmp_path.name, "c.json")
    assert (found.ratings.source, found.evaluate and found.evaluate.pairs) == ("arena:coding", "pairs.jsonl")
    assert portable(found) == found


def test_two_inputs_of_one_name_are_told_apart() -> None:
    assert given_names(["/a/x.csv", "/b/x.csv", "/a/x.csv", "owner/id"]) == {
        "given:x.csv": "/a/x.csv",
        "given:x.csv (2)": "/b/x.csv",
        "given:owner/id": "owner/id",
    }


def test_what_stages_say_names_files_alone(tmp_path: Path) -> None:
    said = f"{tmp_path}/data/x.csv: 3 rows dropped; wrote {tmp_path}/run/a.json in {tmp_path}/run"
    found = without_places(said, [f"{tmp_path}/data/x.csv"], tmp_path / "run")
    assert found == "x.csv: 3 rows dropped; wrote a.json in run"


def test_a_chosen_category_of_a_file_is_known_by_the_files_content(project: Path) -> None:
    config = project / "charm.yaml"
    board = project / "data" / "board.csv"
    true = store.read_frame(project / "data" / "true.parquet").select("policy", "rating")
    true.with_columns(category=pl.lit("coding"), std_err=5.0).write_csv(board)
    text = config.read_text().replace("battles: data/battles.parquet", "source: data/board.csv:coding")
    config.write_text(text)
    assert _ran(project)[0] == "ratings"
    assert _ran(project) == ()
    true.with_columns(pl.col("rating") * 1.5, category=pl.lit("coding"), std_err=5.0).write_csv(board)
    assert _ran(project)[0] == "ratings"
    assert str(project) not in (project / "run" / "manifest.json").read_text()
