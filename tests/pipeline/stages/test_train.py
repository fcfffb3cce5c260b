"""The training stage: what an anchored training reads, and whom it may not see."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from charm_rm import store
from charm_rm.pipeline import Config, run_pipeline
from charm_rm.pipeline.graph import planned_stages, stage_named
from charm_rm.pipeline.run import Run
from charm_rm.pipeline.stages.train import _anchor
from charm_rm.settings import TrainSectionSettings

TRAINED = {"rm": {"model": "some/model"}, "score": {"scores": None}}


def test_an_anchored_training_depends_on_more(configure: Callable[..., Config]) -> None:
    plain, anchored = (
        stage_named("train", planned_stages(configure(**TRAINED, train={"anchor_weight": weight})))
        for weight in (0.0, 10.0)
    )
    assert set(anchored.reads) - set(plain.reads) == {
        "responses.parquet",
        "ratings.parquet",
        "prompts.parquet",
    }
    config = configure(**TRAINED, train={"anchor_weight": 10.0}, calibrate={"held_out": ["parade"]})
    assert anchored.settings(config)["held_out"] == ("parade",)
    assert "held_out" not in plain.settings(configure(**TRAINED))


@pytest.mark.filterwarnings("ignore::charm_rm.errors.CharmWarning")
def test_the_anchor_has_train_prompts_and_no_policy_held_out(
    configure: Callable[..., Config], tmp_path: Path
) -> None:
    config = configure(calibrate={"held_out": ["parade"]})
    run_pipeline(config, tmp_path / "run", until="calibrate", progress=False)
    run = Run(config, tmp_path / "run")
    anchor = _anchor(run)
    assert set(anchor.prompt_ids) == set(run.prompts("train"))
    assert "parade" not in anchor.policies
    everyone = store.read_frame(run.directory / "responses.parquet").select(pl.col("policy").unique())
    assert set(anchor.policies) == set(everyone["policy"]) - {"parade"}
    assert anchor.record()["split"] == {"side": "train"}


def test_settings_of_the_section_reach_the_training() -> None:
    section = TrainSectionSettings(anchor_weight=3.0, anchor_estimate="running", keep_scores=0.1)
    settings = section.as_train_settings(new_head=False, seed=4)
    assert (settings.anchor_weight, settings.anchor_estimate, settings.keep_scores) == (3.0, "running", 0.1)
    assert settings.seed == 4
