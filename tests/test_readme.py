"""Every command of the README runs, in the README's order, in an empty folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from remote.fault_server import FaultServer
from remote.judge_server import prefers_longer

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
SETUP = ("make ", "pip install ")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def commands() -> list[str]:
    lines = [line.strip() for block in blocks("bash") for line in block.splitlines()]
    return [line for line in lines if line and not line.startswith("#")]


def test_the_readme_has_commands_and_ci_runs_those_that_install() -> None:
    setup = [c for c in commands() if c.startswith(SETUP)]
    assert {"make demo", "make test", "pip install ."} <= set(setup)
    ci = (ROOT / ".ci/run").read_text() + (ROOT / "Makefile").read_text()
    for command in setup:
        for word in re.findall(r"\w+", command.removeprefix("pip install ").split("==")[0]):
            assert word in ci, f"CI does not run {command!r}"


@pytest.mark.slow
@pytest.mark.models
def test_every_command_runs(tmp_path: Path) -> None:
    with FaultServer(prefers_longer).running() as server:
        _run_all(tmp_path, {"OPENAI_BASE_URL": f"{server.url}/v1", "OPENAI_API_KEY": "sk-none"})
        assert server.asked


def _run_all(tmp_path: Path, variables: dict[str, str]) -> None:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "CHARM_CACHE": str(tmp_path / "cache")} | variables
    if (
        ROOT / "charm-demo/report.html"
    ).exists():  # what `make demo` left: then `charm demo` finds all up to date
        shutil.copytree(ROOT / "charm-demo", tmp_path / "charm-demo")
    for command in commands():
        if command.startswith(SETUP):
            continue
        done = subprocess.run(
            command, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    assert (tmp_path / "charm-demo/report.html").stat().st_size > 10_000
    for script in blocks("python"):
        done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "velvet" in done.stdout
