"""A run that calibrates by style: its files, what is up to date, and ways of calibrating side by side."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from charm_rm import store
from charm_rm.errors import CharmWarning, ConfigError
from charm_rm.pipeline import check_config, run_pipeline
from charm_rm.pipeline.before_after import summarise
from charm_rm.solved_on import in_sample
from charm_rm.style import apply_calibrator, load_calibrator
from charm_rm.tables import Preferences, Responses, Scores
from style_worlds import world

STYLE: dict[str, Any] = {"method": "style", "features": ["words", "bold", "exclamations"]}


def config(folder: Path, **more: Any) -> Any:
    files = {"responses": {"source": "r.parquet"}, "ratings": {"source": "ratings.csv"}}
    values = {**files, "score": {"scores": "s.parquet"}, "audit": {"draws": 0}, "report": {"enabled": False}}
    return check_config(
        values | {"calibrate": STYLE, "relabel": {"strategy": "sampled"}} | more, folder=folder
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("style-run")
    found = world(80)
    store.save(found.scores, folder / "s.parquet")
    store.save(found.responses, folder / "r.parquet")
    store.save(found.ratings, folder / "ratings.csv")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)  # few prompts
        run_pipeline(config(folder), folder / "run")
    return folder


def test_the_calibrator_is_solved_on_train_prompts_and_its_scores_audited_on_the_others(folder: Path) -> None:
    run = folder / "run"
    calibrator = load_calibrator(run / "calibrator.json")
    sides = pl.read_parquet(run / "prompts.parquet")
    assert calibrator.solved_on is not None
    assert calibrator.solved_on["n_prompts"] == sides.filter(pl.col("split") == "train").height
    assert (run / "calibrated" / "audit.json").exists()
    assert not (run / "offsets.parquet").exists()
    scores, responses = (
        store.load(Scores, run / "before" / "scores.parquet"),
        store.load(Responses, run / "responses.parquet"),
    )
    moved = apply_calibrator(scores, calibrator, responses)
    for side, said in (("train", True), ("test", False)):
        ids = sides.filter(pl.col("split") == side)["prompt_id"].to_list()
        part = Scores(moved.frame.filter(pl.col("prompt_id").is_in(ids)), moved.provenance)
        assert (in_sample(part) is not None) == said


def test_labels_are_by_calibrated_score_with_the_temperature_of_people(folder: Path) -> None:
    pairs = store.load(Preferences, folder / "run" / "prefs" / "preferences.parquet")
    calibrator = load_calibrator(folder / "run" / "calibrator.json")
    assert pairs.provenance["temperature"] == calibrator.temperature
    assert pairs.provenance["calibrator"] == calibrator.fingerprint
    assert pairs.frame["flipped"].sum() > 0


def test_ways_of_calibrating_side_by_side(folder: Path) -> None:
    beside = pl.read_parquet(folder / "run" / "beside.parquet")
    row = {r["metric"]: r for r in beside.to_dicts()}
    fitted = row["sharpness_fitted_mismatch"]
    assert fitted["style"] < min(fitted[k] for k in ("before", "pair", "joint", "placebo", "length_only"))
    told = {r["metric"]: r for r in load_calibrator(folder / "run" / "calibrator.json").held_out}
    assert fitted["before"] == told["sharpness_fitted_mismatch"]["before"]


def test_a_second_run_finds_everything_done(folder: Path) -> None:
    again = run_pipeline(config(folder), folder / "run")
    assert again.ran == ()
    assert summarise(config(folder), folder / "run").frame.height


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"relabel": {"strategy": "pair"}},
            "relabel.strategy pair compares calibrated policies with their references",
        ),
        (
            {"calibrate": {"features": ["bold"]}},
            "calibrate: features is of a style calibration|features is of a style",
        ),
        ({"calibrate": {**STYLE, "over": "oak"}}, "over is of offsets"),
        ({"calibrate": {**STYLE, "sharpness": True}}, "sharpness corrects no feature"),
        ({"calibrate": {**STYLE, "fix": ["bold"]}}, "is not NAME=WEIGHT"),
    ],
)
def test_settings_that_do_not_fit_are_refused_before_any_work(
    tmp_path: Path, more: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        config(tmp_path, **more)
