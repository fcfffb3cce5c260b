"""Two real processes, started by ``accelerate launch``: they train what one trains, go on with what one began, and one tells of an error."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from charm_rm import store
from charm_rm.cli import launching
from charm_rm.models import load_reward_model
from charm_rm.models.training.settings import TrainSettings
from charm_rm.preferences import load_preferences
from models.tiny_models import simple_preferences, tiny_bert

pytest.importorskip("accelerate", reason="needs the [hf] extra")
pytestmark = pytest.mark.models

TESTS = Path(__file__).parents[2]
SETTINGS = {
    "learning_rate": 1e-3,
    "batch_size": 9,  # a step is shared unevenly, and the last is short
    "device_batch_size": 2,
    "eval_fraction": 0.2,
    "dropout": False,
    "epochs": 2.0,
    "save_every": 3,
}
OPTIONS = [
    "--lr",
    "1e-3",
    "--batch-size",
    "9",
    "--device-batch-size",
    "2",
    "--eval-fraction",
    "0.2",
    "--no-dropout",
    "--epochs",
    "2",
    "--save-every",
    "3",
]


def history(output: Path) -> list[dict[str, float]]:
    return json.loads((output / "training.json").read_text(encoding="utf-8"))["log_history"]


@pytest.mark.slow
def test_two_processes_train_what_one_trains(
    tmp_path: Path,
    minilm_dir: Path,
    interrupted: Callable[[int], AbstractContextManager[None]],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """One process begins and two go on; two begin, one of them fails, and one goes on: the losses are those of one process."""
    from charm_rm.models.training.train import train_reward_model

    rm = tiny_bert(tmp_path / "rm", minilm_dir)
    store.save(simple_preferences(60), tmp_path / "p.parquet")
    how: dict[str, Any] = {"settings": TrainSettings(**SETTINGS), "progress": False}
    read = load_preferences(tmp_path / "p.parquet")
    train_reward_model(read, rm, tmp_path / "one", **how)
    with interrupted(4):
        train_reward_model(read, rm, tmp_path / "one-two", **how)
    command = [str(tmp_path / "p.parquet"), "--rm", str(rm), *OPTIONS]
    assert launching.launch("cpu2", [*command, "-o", str(tmp_path / "one-two"), "--resume"]) == 0

    monkeypatch.setattr(launching, "MODULE", "models.training.one_fails")
    monkeypatch.setenv("PYTHONPATH", f"{TESTS}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    capfd.readouterr()
    assert launching.launch("cpu2", [*command, "-o", str(tmp_path / "two-one")]) == 2
    said = capfd.readouterr()
    assert said.err.count("error:") == 1
    assert "cuda:1: the second process lost its device\n  Fix: look at the device" in said.err
    assert "Traceback" not in said.err + said.out
    assert not (tmp_path / "two-one").exists()
    train_reward_model(read, rm, tmp_path / "two-one", resume=True, **how)

    expected = history(tmp_path / "one")
    assert [entry["step"] for entry in expected] == list(range(1, 13))
    for name in ("one-two", "two-one"):
        for found, entry in zip(history(tmp_path / name), expected, strict=True):
            for figure in ("loss", "accuracy", "margin", "grad_norm", "learning_rate"):
                assert found[figure] == pytest.approx(entry[figure], rel=1e-4, abs=1e-5), (name, figure)
    texts = (["how short", "a"], ["yes it is", "no"])
    one = load_reward_model(tmp_path / "one")(*texts)
    for name in ("one-two", "two-one"):
        assert load_reward_model(tmp_path / name)(*texts) == pytest.approx(one, abs=1e-4)
