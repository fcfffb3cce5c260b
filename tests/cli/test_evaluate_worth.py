"""``charm evaluate``: all benchmarks of a folder, placebos, repeats, the page, and input that it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import polars as pl
import pytest
from click.testing import Result

import benchmark_fakes
from charm_rm.cli.evaluation_tables import _saturation_lines

Charm = Callable[..., Result]
RM, OTHER, MOODY = (f"python:benchmark_fakes:{name}" for name in ("reward", "other_reward", "moody_judge"))
HERE = "python:test_evaluate_worth"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tiny LLMBar, and RM-Bench's chat domain, in their original layout."""
    folder = tmp_path / "data"
    natural, bench = folder / "LLMBar" / "Natural", folder / "RM-Bench"
    natural.mkdir(parents=True)
    bench.mkdir()
    rows = [
        {
            "input": f"q {i}",
            "output_1": f"yes {i} " * (1 + i % 3),
            "output_2": f"no {i} " * 2,
            "label": 1 + i % 2,
        }
        for i in range(40)
    ]
    (natural / "dataset.json").write_text(json.dumps(rows))
    styles = ["Short.", "A longer answer of some words.", "**A** longer answer\n- with markdown"]
    items = [
        {"id": i, "prompt": f"Q {i}", "chosen": [f"Yes {i}: {s}" for s in styles], "rejected": [f"{s} {i}" for s in styles]}
        for i in range(20)
    ]  # fmt: skip
    (bench / "chat_filtered.json").write_text(json.dumps(items))
    return folder


def evaluated(charm: Charm, *arguments: Any) -> Result:
    result = charm("evaluate", *arguments, "--draws", 100)
    assert result.exit_code == 0, result.output
    return result


def test_all_takes_what_is_there_and_says_what_is_not(charm: Charm, data: Path, tmp_path: Path) -> None:
    result = evaluated(charm, "--rm", RM, "--benchmark", "all", "--data", data, "-o", tmp_path / "out")
    assert "benchmarks found: llmbar, rm-bench" in result.stderr
    assert re.search(r"no files of: .*rewardbench", result.stderr)
    found = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert [one["benchmark"] for one in found["benchmarks"]] == ["llmbar", "rm-bench"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--benchmark", "all"], "no files of any benchmark below this folder"),
        (["--benchmark", "llmbar"], "no LLMBar files below this folder"),
        (["--benchmark", "all", "--benchmark", "llmbar"], "'all' is every benchmark"),
    ],
)
def test_a_benchmark_that_is_not_there(
    charm: Charm, tmp_path: Path, arguments: Sequence[str], message: str
) -> None:
    (tmp_path / "empty").mkdir()
    result = charm("evaluate", "--rm", RM, *arguments, "--data", tmp_path / "empty")
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_placebos_stand_beside_every_figure(charm: Charm, data: Path, tmp_path: Path) -> None:
    arguments = ("--rm", RM, "--benchmark", "all", "--data", data, "--placebos", "-o", tmp_path / "out")
    result = evaluated(charm, *arguments)
    assert re.search(r"subset +n +accuracy +longest +shortest +noise", result.stdout)
    table = pl.read_parquet(tmp_path / "out" / "placebos.parquet")
    rows = pl.read_parquet(tmp_path / "out" / "benchmarks.parquet").height
    assert table["placebo"].value_counts()["count"].to_list() == [rows] * 3
    assert not (tmp_path / "out" / "repeats.parquet").exists()


@pytest.mark.parametrize(
    ("notes", "said"),
    [
        ([["ceiling"]], "1 of 1 figure says little by itself"),
        ([["ceiling"], []], "1 of 2 figures says little by itself"),
        ([["ceiling"], ["ceiling"]], "2 of 2 figures say little by themselves"),
    ],
)
def test_how_many_figures_say_little_is_a_sentence(notes: list[list[str]], said: str) -> None:
    result = SimpleNamespace(frame=pl.DataFrame({"subset": ["all"] * len(notes)}))
    lines = list(_saturation_lines(cast("Any", result), cast("Any", SimpleNamespace(saturation=notes))))
    assert lines[-1].startswith(said)


def test_repeats_ask_again_once_and_know_it_afterwards(charm: Charm, data: Path, tmp_path: Path) -> None:
    arguments = ("--judge", MOODY, "--benchmark", "llmbar", "--data", data, "--repeats", 3)
    benchmark_fakes.CALLS.update(judge=0)
    result = evaluated(charm, *arguments, "-o", tmp_path / "out")
    assert benchmark_fakes.CALLS["judge"] == 3 * 2 * 40
    assert "asked 3 times: 0.0 %" in result.stdout
    row = pl.read_parquet(tmp_path / "out" / "repeats.parquet").row(-1, named=True)
    assert (row["runs"], row["changed"], row["run_sd"]) == (3, 0.0, 0.0)
    benchmark_fakes.CALLS.update(judge=0)
    evaluated(charm, *arguments)
    assert benchmark_fakes.CALLS["judge"] == 0


def nan_reward(prompts: Sequence[Any], responses: Sequence[str]) -> np.ndarray:
    """No number where the response says no."""
    return np.array([np.nan if r.startswith("no") else 1.0 for _, r in zip(prompts, responses, strict=True)])


def mute_judge(prompts: Sequence[Any], _first: Sequence[str], _second: Sequence[str]) -> np.ndarray:
    """A judge that answers nothing."""
    return np.full(len(prompts), np.nan)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (("--rm", f"{HERE}:nan_reward"), "32 of 64 scores are not finite"),
        (("--judge", f"{HERE}:mute_judge"), "not one of 80 answers held a verdict"),
    ],
)
def test_models_that_give_nothing_usable_are_refused(
    charm: Charm, data: Path, tmp_path: Path, model: tuple[str, str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:  # fmt: skip
    monkeypatch.syspath_prepend(Path(__file__).parent)
    arguments = ("evaluate", *model, "--benchmark", "llmbar", "--data", data, "-o", tmp_path / "out")
    result = charm(*arguments)
    assert result.exit_code == 2, result.output
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_an_item_with_one_candidate_is_refused(charm: Charm, tmp_path: Path) -> None:
    rows = [{"id": "1", "prompt": "q", "chosen": ["only"], "rejected": ["a", "b", "c"]}]
    (tmp_path / "chat_filtered.json").write_text(json.dumps(rows))
    result = charm("evaluate", "--rm", RM, "--benchmark", "rm-bench", "--data", tmp_path)
    assert result.exit_code == 2
    assert "list of 3 texts" in result.output


@pytest.mark.usefixtures("drawn_charts")
def test_the_page_is_self_contained_and_escapes(charm: Charm, data: Path, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>"
    file = tmp_path / "pairs.jsonl"
    rows = [
        {"prompt": f"p{i}", "chosen": f"good {i}", "rejected": f"bad {i} " * (i % 4), "subset": evil}
        for i in range(30)
    ]
    file.write_text("\n".join(json.dumps(row) for row in rows))
    arguments = ("--rm", RM, "--baseline", OTHER, "--benchmark", "all", "--data", data, "--pairs", file)
    evaluated(charm, *arguments, "--placebos", "--repeats", 2, "-o", tmp_path / "out")
    page = (tmp_path / "out" / "evaluation.html").read_text()
    assert evil not in page
    assert "&lt;script&gt;alert(1)" in page
    assert 'http-equiv="Content-Security-Policy"' in page
    assert not re.search(r"(src|href)=\"(https?:)?//", page)
    assert str(tmp_path) not in page
    for title in (
        "llmbar",
        "rm-bench",
        "pairs",
        "Reliability",
        "Margins",
        "placebo: longest",
        "labels swapped",
    ):
        assert title in page
    again = evaluated(charm, *arguments, "--placebos", "--repeats", 2, "-o", tmp_path / "again")
    assert again.exit_code == 0
    assert (tmp_path / "again" / "evaluation.html").read_text() == page
