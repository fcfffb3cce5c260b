"""Control arms: labels turned back, or turned at random."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import BadSetting, ConfigError
from charm_rm.models.training.labels import with_labels
from charm_rm.settings import TrainSettings
from charm_rm.tables import Preferences
from models.tiny_models import simple_preferences, tiny_bert

FLIPPED = [i % 4 == 0 for i in range(40)]


def relabelled() -> Preferences:
    policies = [f"p{i % 3}" for i in range(40)]
    return simple_preferences(40, flipped=FLIPPED, chosen_policy=policies, rejected_policy=["q"] * 40)


def turned(one: Preferences, other: Preferences) -> np.ndarray:
    """Where the sides are exchanged, checked to be exchanged whole or not at all."""
    a, b = one.frame, other.frame
    same = (a["chosen"] == b["chosen"]).to_numpy()
    for left, right in (("chosen", "rejected"), ("chosen_policy", "rejected_policy")):
        for name, twin in ((left, right), (right, left)):
            expected = [b[name][i] if same[i] else b[twin][i] for i in range(len(a))]
            assert [str(x) for x in a[name].to_list()] == [str(x) for x in pl.Series(expected).to_list()]
    return np.asarray(~same)


def test_given_labels_are_left_alone() -> None:
    preferences = relabelled()
    assert with_labels(preferences, "given") is preferences


def test_labels_from_before_calibration() -> None:
    preferences = relabelled()
    np.testing.assert_array_equal(turned(with_labels(preferences, "uncalibrated"), preferences), FLIPPED)


def test_random_flips_are_as_many_and_elsewhere() -> None:
    preferences = relabelled()
    before = with_labels(preferences, "uncalibrated")
    for seed in range(5):
        flips = turned(with_labels(preferences, "random-flips", seed=seed), before)
        assert flips.sum() == sum(FLIPPED)
        assert flips.tolist() != FLIPPED
    one, again = (with_labels(preferences, "random-flips", seed=3).frame for _ in range(2))
    assert one.equals(again)


@pytest.mark.parametrize("columns", [{}, {"flipped": [None, *FLIPPED[1:]]}])
def test_it_has_to_be_known_what_calibration_turned(columns: dict[str, list[bool | None]]) -> None:
    with pytest.raises(ConfigError, match=r"'flipped'[\s\S]*charm relabel"):
        with_labels(simple_preferences(40, **columns), "random-flips")


def test_soft_labels_of_other_labels_are_refused() -> None:
    with pytest.raises(BadSetting, match="not of labels 'uncalibrated'"):
        TrainSettings(labels="uncalibrated", soft_labels=True)


@pytest.mark.models
def test_training_takes_them(minilm_dir: Path, tmp_path: Path) -> None:
    pytest.importorskip("trl", reason="needs the [hf] extra")
    from charm_rm.models.training.train import train_reward_model

    rm = tiny_bert(tmp_path / "rm", minilm_dir)
    every = relabelled().frame.with_columns(flipped=True)
    losses = {}
    for labels in ("given", "uncalibrated"):
        settings = TrainSettings(labels=labels, max_steps=1, eval_fraction=0.0, dropout=False)
        out = train_reward_model(Preferences(every), rm, tmp_path / labels, settings=settings, progress=False)
        losses[labels] = out.log_history[0]["loss"], out.log_history[0]["margin"]
    assert losses["given"][1] == pytest.approx(-losses["uncalibrated"][1], abs=1e-6)
    assert "`uncalibrated`, for comparison" in (tmp_path / "uncalibrated/README.md").read_text("utf-8")
