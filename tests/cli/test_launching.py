"""``charm train --launch``: what is passed on, refused and held back (real processes: ``tests/models/training/test_together.py``)."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from charm_rm import store
from charm_rm.cli import launching, main
from charm_rm.errors import ConfigError, UnreadableFile
from models.tiny_models import simple_preferences

pytest.importorskip("accelerate", reason="needs the [hf] extra")
pytestmark = pytest.mark.models


def test_arguments_are_passed_on_without_the_option(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen: dict[str, Any] = {}

    def launched(config: str, arguments: list[str]) -> int:
        seen.update(config=config, arguments=arguments)
        return 3

    monkeypatch.setattr(launching, "launch", launched)
    pairs = tmp_path / "p.parquet"
    store.save(simple_preferences(4), pairs)
    given = [
        "train",
        str(pairs),
        "--rm",
        "m",
        "--launch",
        "cpu2",
        "-o",
        str(tmp_path / "out"),
        "--lr",
        "1e-3",
    ]
    assert CliRunner().invoke(main, given).exit_code == 3
    assert seen == {"config": "cpu2", "arguments": [*given[1:4], *given[6:]]}


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--dry-run"], "leave out --launch"),
        (["--responses", "r.parquet", "--ratings", "arena"], "several processes train, and do not score"),
        (
            ["--anchor", "r.parquet", "--ratings", "arena", "--anchor-weight", "1"],
            "an anchored training takes one process",
        ),
    ],
)
def test_what_several_processes_cannot_do_is_refused(options: list[str], says: str) -> None:
    found = CliRunner().invoke(main, ["train", "p", "--rm", "m", "-o", "out", "--launch", "cpu2", *options])
    assert found.exit_code == 2
    assert says in " ".join(found.output.split())


def test_configurations_that_cannot_be_used(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UnreadableFile, match="no such configuration"):
        launching.launch("nowhere.yaml", [])
    monkeypatch.setattr("charm_rm.models.devices.count_gpus", lambda: 0)
    with pytest.raises(ConfigError, match="spreads the weights over GPUs"):
        launching.launch("fsdp", [])


@pytest.mark.parametrize("name", launching.SHIPPED)
def test_accelerate_knows_every_key_of_the_shipped_configurations(name: str) -> None:
    from accelerate.commands.config.config_args import load_config_from_file
    from accelerate.commands.launch import launch_command_parser

    file = Path(launching.__file__).parents[1] / "data" / "launch" / f"{name}.yaml"
    found = load_config_from_file(str(file))
    assert found.num_machines == 1
    options = vars(launch_command_parser().parse_args(["script"]))
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    for key in [*content.get("fsdp_config", {}), *content.get("deepspeed_config", {})]:
        assert key in options


def test_what_a_launcher_says_of_an_end_is_held_back(capsys: pytest.CaptureFixture[str]) -> None:
    said = "training 1/2\nerror: it broke\nE1126 1:2 9 torch/distributed/elastic/api.py:1] failed\nTraceback (most recent call last):\n  x\n"
    held = launching._pass_on(io.StringIO(said))
    assert capsys.readouterr().err == "training 1/2\nerror: it broke\n"
    assert held.startswith("E1126")
