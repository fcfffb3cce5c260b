"""``charm evaluate``."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result

import benchmark_fakes
from charm_rm.mismatch import METRICS

Charm = Callable[..., Result]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A tiny LLMBar and RM-Bench in their original layout."""
    folder = tmp_path / "benchmarks"
    natural = folder / "LLMBar" / "Natural"
    natural.mkdir(parents=True)
    pair = {"output_1": "Paris is the capital of France.", "output_2": "I like trains."}
    rows = [{"input": f"Capital of France? ({i})", "label": 1 + i % 2} | pair for i in range(6)]
    (natural / "dataset.json").write_text(json.dumps(rows))
    styles = ["Short.", "A longer answer of some words.", "**A** longer answer\n- with markdown"]
    items = [
        {"id": i, "prompt": f"Question {i}", "chosen": [f"Yes {i}: {s}" for s in styles], "rejected": styles}
        for i in range(4)
    ]
    (folder / "RM-Bench").mkdir()
    (folder / "RM-Bench" / "chat_filtered.json").write_text(json.dumps(items))
    return folder


@pytest.fixture
def scores(tmp_path: Path) -> tuple[Path, Path]:
    """Scores of four policies, and ratings that agree with them but for noise."""
    rng = np.random.default_rng(0)
    policies = ["ant", "bee", "cat", "dog"]
    frame = pl.DataFrame(
        [
            {"prompt_id": f"p{i}", "policy": p, "score": 0.5 * k + float(rng.normal())}
            for i in range(40)
            for k, p in enumerate(policies)
        ]
    )
    ratings = pl.DataFrame({"policy": policies, "rating": [1000, 1050, 1100, 1200], "std_err": [5] * 4})
    frame.write_parquet(tmp_path / "scores.parquet")
    ratings.write_csv(tmp_path / "ratings.csv")
    return tmp_path / "scores.parquet", tmp_path / "ratings.csv"


def test_alignment_needs_no_model(charm: Charm, scores: tuple[Path, Path], tmp_path: Path) -> None:
    result = charm("evaluate", "--scores", scores[0], "--ratings", scores[1], "-o", tmp_path / "evaluation")
    assert result.exit_code == 0, result.output
    assert "over 4 policies" in result.stdout
    frame = pl.read_parquet(tmp_path / "evaluation" / "alignment.parquet")
    assert frame["metric"].to_list() == list(METRICS)
    assert not (tmp_path / "evaluation" / "benchmarks.parquet").exists()


def test_the_panel_needs_no_data_and_shows_before_and_after(
    charm: Charm, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    rulers = tmp_path / "panel_rulers.py"
    rulers.write_text(
        "def longer(prompts, responses):\n    return [float(len(r)) for r in responses]\n"
        "def shorter(prompts, responses):\n    return [-float(len(r)) for r in responses]\n"
    )
    how = ["--rm", "python:panel_rulers:shorter", "--baseline", "python:panel_rulers:longer"]
    result = charm("evaluate", *how, "--panel", "--draws", 100, "-o", tmp_path / "panel", "--no-cache")
    assert result.exit_code == 0, result.output
    frame = pl.read_parquet(tmp_path / "panel" / "benchmarks.parquet")
    rows = {r["subset"]: r for r in frame.iter_rows(named=True)}
    assert (rows["length"]["baseline_accuracy"], rows["length"]["accuracy"]) == (0.0, 1.0)
    assert (rows["brevity"]["baseline_accuracy"], rows["brevity"]["accuracy"]) == (1.0, 0.0)
    assert rows["length"]["q_value"] < 0.001
    assert rows["position"]["difference"] == 0.0
    assert charm("evaluate", "--panel").exit_code == 2


def test_alignment_against_a_baseline(charm: Charm, scores: tuple[Path, Path]) -> None:
    arguments = ("--scores", scores[0], "--ratings", scores[1], "--baseline-scores", scores[0], "--json")
    found = json.loads(charm("evaluate", *arguments).stdout)
    assert [row["difference"] for row in found["alignment"]] == [0] * len(METRICS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "give --rm with --benchmark"),
        (["--benchmark", "llmbar"], "--rm, --benchmark and --data go together"),
        (["--rm", "x"], "--rm, --benchmark and --data go together"),
        (["--scores", "s.parquet"], "--scores and --ratings go together"),
        (["--rm", "x", "--benchmark", "llmbar", "--data", ".", "--limit", "0"], "--limit"),
    ],
)
def test_incomplete_requests_say_what_is_missing(charm: Charm, arguments: list[str], message: str) -> None:
    result = charm("evaluate", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_an_unknown_benchmark_is_refused_before_any_model_is_loaded(charm: Charm, data: Path) -> None:
    result = charm("evaluate", "--rm", "no-such-model", "--benchmark", "lmbar", "--data", data)
    assert result.exit_code == 2
    assert "Did you mean 'llmbar'" in result.output


def test_an_existing_evaluation_is_refused_before_the_work(charm: Charm, data: Path, tmp_path: Path) -> None:
    (tmp_path / "evaluation.json").write_text("{}")
    arguments = ("--rm", "no-such-model", "--benchmark", "llmbar", "--data", data, "-o", tmp_path)
    result = charm("evaluate", *arguments)
    assert result.exit_code == 2
    assert "already exists" in result.output


def test_help_shows_examples(charm: Charm) -> None:
    assert "charm evaluate --rm my-rm --benchmark llmbar" in charm("evaluate", "--help").output


def test_the_list_says_what_each_benchmark_is(charm: Charm) -> None:
    shown = charm("evaluate", "--list").stdout
    assert "llmbar: does it see" in shown
    assert "419 items; licence: MIT" in shown
    assert "ICLR 2025" in shown
    rows = {row["name"]: row for row in json.loads(charm("evaluate", "--list", "--json").stdout)}
    assert rows["rm-bench"]["items"] == 1327


def test_help_and_list_need_no_names_in_the_command() -> None:
    """What is registered is looked up when a name is asked for; help loads nothing of it."""
    code = "from charm_rm.cli import main; main(['evaluate', '--help'], standalone_mode=False)\n"
    code += "import sys; print(*sorted(sys.modules), file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stderr.split()
    assert "charm_rm.cli.evaluate" in loaded
    assert not {"numpy", "polars", "charm_rm.benchmarks", "charm_rm.pipeline"} & set(loaded)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rm", "a", "--judge", "python:benchmark_fakes:judge"], "a reward model or a judge, not both"),
        (["--rm", "a", "--baseline", "b", "--baseline-judge", "c"], "a reward model or a judge, not both"),
        (["--judge", "python:benchmark_fakes:judge"], "--rm, --benchmark and --data go together"),
        (["--pairs", "pairs.jsonl"], "--rm, --benchmark and --data go together"),
        (["--rm", "a", "--pairs", "pairs.jsonl", "--benchmark", "llmbar"], "go together"),
        (["--rm", "a", "--pairs", "p.jsonl", "--cache", "x", "--no-cache"], "exclude each other"),
    ],
)
def test_models_and_benchmarks_that_do_not_fit_together(
    charm: Charm, arguments: list[str], message: str
) -> None:
    result = charm("evaluate", *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_a_judge_is_benchmarked_in_both_orders_and_a_second_run_asks_nothing(
    charm: Charm, data: Path, tmp_path: Path
) -> None:
    arguments = (
        "--judge",
        "python:benchmark_fakes:judge",
        "--benchmark",
        "llmbar",
        "--benchmark",
        "rm-bench",
    )
    arguments += ("--data", data, "--baseline", "python:benchmark_fakes:reward")
    benchmark_fakes.CALLS.update(reward=0, judge=0)
    result = charm("evaluate", *arguments, "-o", tmp_path / "evaluation")
    assert result.exit_code == 0, result.output
    assert benchmark_fakes.CALLS["judge"] == 2 * (6 + 9 * 4)
    frame = pl.read_parquet(tmp_path / "evaluation" / "benchmarks.parquet")
    assert frame["difference"].to_list() == [0.0] * len(frame)  # the judge is of the reward's opinion
    summary = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert [one["unanswered"] for one in summary["benchmarks"]] == [0, 0]
    assert set(summary["provenance"]["truncated"]) == {"rm", "baseline"}
    benchmark_fakes.CALLS.update(reward=0, judge=0)
    again = charm("evaluate", *arguments, "--json")
    assert again.exit_code == 0, again.output
    assert benchmark_fakes.CALLS == {"reward": 0, "judge": 0}
    assert json.loads(again.stdout)["benchmarks"] == summary["benchmarks"]


def test_an_option_that_no_model_takes_is_refused(charm: Charm, data: Path) -> None:
    arguments = ("--judge", "python:benchmark_fakes:judge", "--baseline", "python:benchmark_fakes:reward")
    arguments += ("--benchmark", "llmbar", "--data", str(data))
    result = charm("evaluate", *arguments, "--dtype", "bfloat16", "--timeout", "3")
    assert result.exit_code == 2
    assert "timeout, dtype have no effect on the models that are evaluated" in result.output
    assert "--dtype (dtype= in Python)" in result.output


def test_an_option_that_one_model_takes_is_not_refused(charm: Charm, data: Path) -> None:
    arguments = ("--rm", "python:benchmark_fakes:reward", "--baseline", "dpo:no/policy,no/reference")
    arguments += ("--benchmark", "llmbar", "--data", str(data))
    result = charm("evaluate", *arguments, "--beta", "0.5")
    assert "no effect" not in result.output


def test_silent_judges_are_told_of(charm: Charm, data: Path) -> None:
    arguments = ("--judge", "python:benchmark_fakes:silent_judge", "--benchmark", "llmbar", "--data", data)
    file = data / "LLMBar" / "Natural" / "dataset.json"
    file.write_text(file.read_text().replace("I like trains.", "Trains?", 1))
    result = charm("evaluate", *arguments)
    assert result.exit_code == 0, result.output
    assert "without a verdict in either order: 1 comparisons (counted wrong)" in result.stdout
    assert "2 of 12 answers held no verdict" in result.stderr


def test_pairs_of_several_turns(charm: Charm, tmp_path: Path) -> None:
    turns = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi."}]
    rows = [{"prompt": turns, "chosen": f"Hello {i}.", "rejected": f"No {i}."} for i in range(5)]
    (tmp_path / "pairs.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    arguments = ("--rm", "python:benchmark_fakes:reward", "--pairs", tmp_path / "pairs.jsonl", "--json")
    found = json.loads(charm("evaluate", *arguments).stdout)
    assert (found["benchmarks"][0]["benchmark"], found["benchmarks"][0]["items"]) == ("pairs", 5)


def test_without_a_cache_nothing_is_kept(charm: Charm, data: Path, tmp_path: Path) -> None:
    arguments = (
        "--rm",
        "python:benchmark_fakes:reward",
        "--benchmark",
        "llmbar",
        "--data",
        data,
        "--no-cache",
    )
    asked = []
    for more in ((), ("-o", tmp_path / "evaluation")):
        benchmark_fakes.CALLS.update(reward=0)
        assert charm("evaluate", *arguments, *more).exit_code == 0
        asked.append(benchmark_fakes.CALLS["reward"])
    assert asked == [12, 12]
    assert sorted(p.name for p in tmp_path.iterdir() if p.name != "benchmarks") == ["evaluation"]


@pytest.mark.models
def test_a_reward_model_on_both_benchmarks(
    charm: Charm, data: Path, minilm_rm_dir: Path, tmp_path: Path
) -> None:
    arguments = ("--rm", minilm_rm_dir, "--benchmark", "llmbar", "--benchmark", "rm-bench", "--data", data)
    result = charm("evaluate", *arguments, "--baseline", minilm_rm_dir, "-o", tmp_path / "evaluation")
    assert result.exit_code == 0, result.output
    assert "llmbar (PARTIAL)" in result.stdout
    assert "* partial: math, code, safety-refuse, safety-response missing" in result.stdout
    frame = pl.read_parquet(tmp_path / "evaluation" / "benchmarks.parquet")
    assert set(frame["benchmark"]) == {"llmbar", "rm-bench"}
    assert frame["difference"].to_list() == [0.0] * len(frame)  # the model against itself
    assert frame["p_value"].to_list() == [1.0] * len(frame)
    natural = frame.row(by_predicate=pl.col("subset") == "Natural", named=True)
    assert natural["accuracy"] == 0.5  # either output is the better one three times
    assert natural["partial"]  # a few items of a hundred


@pytest.mark.models
def test_truncated_conversations_are_said_and_counted(
    charm: Charm, data: Path, small_rm: Path, tmp_path: Path
) -> None:
    arguments = ("--rm", small_rm, "--benchmark", "llmbar", "--data", data, "--max-length", 12)
    result = charm("evaluate", *arguments, "-o", tmp_path / "evaluation")
    assert result.exit_code == 0, result.output
    assert "longer than 12 tokens" in result.stderr
    found = json.loads((tmp_path / "evaluation" / "evaluation.json").read_text())
    assert found["provenance"]["truncated"]["rm"]["llmbar"] > 0
    assert found["benchmarks"][0]["truncated"] == {
        "model": {"Natural": found["provenance"]["truncated"]["rm"]["llmbar"]}
    }
    assert pl.read_parquet(tmp_path / "evaluation" / "items.parquet")["truncated"].all()
    assert found["provenance"]["settings"]["max_length"] == 12
    assert any("longer than 12 tokens" in note for note in found["warnings"])


@pytest.mark.models
def test_a_limit_is_labelled_as_a_sample(charm: Charm, data: Path, small_rm: Path) -> None:
    arguments = ("--rm", small_rm, "--benchmark", "rm-bench", "--data", data, "--limit", "2", "--json")
    found = json.loads(charm("evaluate", *arguments).stdout)
    assert found["benchmarks"][0]["items"] == 2
    assert any("a seeded sample of 2 of 4 items" in note for note in found["warnings"])
    assert all(row["partial"] for row in found["benchmarks"][0]["metrics"])
