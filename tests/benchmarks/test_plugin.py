"""A benchmark of another package: really installed, listed by the command, loaded and scored."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

CODE = """
from charm_rm.benchmarks import Benchmark, benchmark, good_and_bad, mean_of_subsets

@benchmark(name="sums", about="does it know sums?", citation="me, 2026", licence="CC0", items=1, source="nowhere")
def load(folder):
    lines = (folder / "sums.txt").read_text().splitlines()
    items = tuple(good_and_bad(str(i), "sums", *line.split(",")[:1], *([t] for t in line.split(",")[1:])) for i, line in enumerate(lines))
    return Benchmark("sums", items, (mean_of_subsets("all", "accuracy", [["sums"]]),), 0.5)
"""
USE = """
import sys
from pathlib import Path
import numpy as np
from charm_rm.benchmarks import load_benchmark
from charm_rm.evaluate import evaluate_benchmark
found = load_benchmark("sums", Path(sys.argv[1]))
print(evaluate_benchmark(lambda p, r: np.array([float(x) for x in r]), found, draws=100).headline)
"""


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """A folder with the package in it, installed by pip from a wheel."""
    pytest.importorskip("pip")
    wheel = tmp_path / "sums_benchmark-1.0-py3-none-any.whl"
    info = "sums_benchmark-1.0.dist-info"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("sums_benchmark.py", CODE)
        archive.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: sums-benchmark\nVersion: 1.0\n")
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: me\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/entry_points.txt", "[charm_rm.benchmarks]\nsums = sums_benchmark:load\n")
        names = (
            "sums_benchmark.py",
            *(f"{info}/{n}" for n in ("METADATA", "WHEEL", "entry_points.txt", "RECORD")),
        )
        archive.writestr(f"{info}/RECORD", "".join(f"{name},,\n" for name in names))
    folder = tmp_path / "installed"
    pip = [
        sys.executable,
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-index",
        "--no-deps",
        "--target",
        str(folder),
    ]
    subprocess.run([*pip, str(wheel)], check=True, capture_output=True, timeout=120)
    return folder


@pytest.mark.slow
def test_an_installed_package_adds_a_benchmark(target: Path, tmp_path: Path) -> None:
    paths = os.pathsep.join([str(target), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = os.environ | {"PYTHONPATH": paths, "CHARM_CACHE": str(tmp_path / "store")}
    (tmp_path / "sums.txt").write_text("1+1,2,1\n2+2,4,3\n3+3,5,6\n")

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        )
        return done.stdout

    listed = json.loads(run("-c", "from charm_rm.cli import main; main()", "evaluate", "--list", "--json"))
    (mine,) = [one for one in listed if one["name"] == "sums"]
    assert (mine["about"], mine["items"], mine["licence"], mine["source"]) == (
        "does it know sums?",
        1,
        "CC0",
        "nowhere",
    )
    assert {"rewardbench", "rm-bench"} <= {one["name"] for one in listed}
    assert float(run("-c", USE, str(tmp_path))) == pytest.approx(2 / 3)
