"""Every command of docs/start.md runs, in the page's order, on files as people have them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from charm_rm.testbed import POLICIES, simulate_arena, true_preferences
from fuzz.library import write_models
from models.tiny_models import tiny_bert
from remote.fault_server import FaultServer
from remote.judge_server import prefers_longer

PAGE = Path(__file__).resolve().parents[1] / "docs" / "start.md"
# Models that the shipped ratings know, for the simulated ones.
NAMES = (
    *(
        "gpt-4.1-2025-04-14",
        "gemma-3-27b-it",
        "gpt-4o-2024-05-13",
        "gemma-3-12b-it",
        "gpt-4-turbo-2024-04-09",
    ),
    *("gemma-3-4b-it", "gpt-4o-mini-2024-07-18", "gemma-2-27b-it", "gemma-2-9b-it", "Qwen1.5-72B-Chat"),
    *("Yi-34B-Chat", "gemma-7b-it"),
)


def commands() -> list[str]:
    text = PAGE.read_text(encoding="utf-8")
    return [
        line
        for block in re.findall(r"^```bash\n(.*?)```", text, re.DOTALL | re.MULTILINE)
        for line in block.splitlines()
    ]


def have_files(folder: Path, tokenizer: Path) -> None:
    """The files that the page speaks of."""
    arena = simulate_arena(seed=0, n_prompts=60, n_votes=2000)
    names = dict(zip((p.name for p in POLICIES), NAMES, strict=True))
    named = pl.col("policy").replace_strict(names)
    row = pl.int_range(pl.len())
    lists = pl.when(row % 3 == 0).then(pl.lit("\n- also\n- 4 more")).otherwise(pl.lit("\n1. or\n2. this"))
    responses = arena.responses.frame.with_columns(named, pl.col("response") + lists)
    responses.write_ndjson(folder / "responses.jsonl")
    scores = arena.quality.select(
        "prompt_id", named, score=2 * pl.col("quality") + pl.col("style") + row % 7 / 50
    )
    scores.write_csv(folder / "scores.csv")
    scores.rename({"policy": "system", "score": "points"}).write_csv(folder / "renamed.csv")
    scores.with_columns(pl.col("policy").replace("gemma-7b-it", "google/gemma-7b-it")).write_csv(
        folder / "unmatched.csv"
    )
    scores.write_csv(folder / "before.csv")
    scores.with_columns(pl.col("score") + row % 5 / 10).write_csv(folder / "after.csv")
    scores.with_columns(pl.col("score") + row % 3 / 10).write_csv(folder / "third.csv")
    both = [pl.col(c).replace_strict(names) for c in ("policy_a", "policy_b")]
    arena.battles.frame.with_columns(both).write_csv(folder / "votes.csv")
    rates = pl.DataFrame(
        {
            "policy": NAMES[1:],
            "reference": NAMES[0],
            "win_rate": [0.4 - 0.02 * k for k in range(11)],
            "n": 805,
        }
    )
    rates.write_csv(folder / "leaderboard.csv")
    first = responses.filter(pl.col("policy") == NAMES[0]).select("prompt_id", "prompt", base="response")
    annotations = responses.filter(pl.col("policy") != NAMES[0]).join(first.drop("prompt"), on="prompt_id").select(
        instruction="prompt", output_1="base", output_2="response", generator_1=pl.lit(NAMES[0]), generator_2="policy",
        annotator=pl.lit("judge"), preference=1.1 + row % 9 / 10,
    )  # fmt: skip
    (folder / "annotations.json").write_text(json.dumps(annotations.to_dicts()))
    true_preferences(seed=0, n_pairs=20).frame.select("prompt", "chosen", "rejected").write_ndjson(
        folder / "held-out.jsonl"
    )
    tiny_bert(folder / "my-reward-model", tokenizer)
    responses.select("prompt_id", "prompt").unique("prompt_id", maintain_order=True).head(8).write_ndjson(
        folder / "prompts.jsonl"
    )
    write_models(folder)
    (folder / "causal").rename(folder / "my-model")


@pytest.mark.slow
@pytest.mark.models
def test_every_command_of_the_start_page_runs(tmp_path: Path, minilm_dir: Path) -> None:
    pytest.importorskip("trl", reason="needs the [hf] extra")
    assert len(NAMES) == len(POLICIES)
    assert len(commands()) > 20
    have_files(tmp_path, minilm_dir)
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with FaultServer(prefers_longer).running() as server:
        variables = {
            "OPENAI_BASE_URL": f"{server.url}/v1",
            "OPENAI_API_KEY": "sk-none",
            "PATH": path,
            "CHARM_CACHE": str(tmp_path / "cache"),
        }
        for command in commands():
            runs(command, tmp_path, os.environ | variables)
        assert server.asked


def runs(command: str, folder: Path, environment: dict[str, str]) -> None:
    if "--column" in command:
        command = command.replace("scores.csv", "renamed.csv")
    if "aliases.csv" in command:
        command = command.replace("scores.csv", "unmatched.csv")
    if command.startswith("charm train"):
        command += " --max-steps 2 --max-length 64"
    if "-o calibrated.csv" in command:
        (folder / "calibrated.csv").unlink(missing_ok=True)
    done = subprocess.run(command, shell=True, cwd=folder, env=environment, capture_output=True, text=True)
    gated = 3 if "--fail-if" in command else 0  # the simulated scorer is not fit for release
    assert done.returncode in (0, gated), f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
