"""The same inputs in two places, and what every command makes of them there: other folder, other time, other process, other threads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import yaml

from charm_rm import store
from charm_rm.ratings import fit_ratings
from charm_rm.tables import Scores
from charm_rm.testbed import simulate_arena, true_preferences

HERE = Path(__file__).resolve().parent
POLICIES = ("oak", "heron", "velvet", "thistle", "reed")
USER = "quibblewick"
OWN_MODEL = """
def score(prompts, responses):
    return [0.01 * len(r) + (hash_of(r) % 97) / 97 for r in responses]

def other(prompts, responses):
    return [(hash_of(r) % 89) / 89 for r in responses]

def judge(prompts, first, second):
    return [0.25 + 0.5 * (hash_of(a) > hash_of(b)) for a, b in zip(first, second)]

def answer(prompts):
    return [f"answer {hash_of(p)}" for p in prompts]

def draw(prompts, seeds):
    return [f"{p} {s}" for p, s in zip(prompts, seeds)]

def hash_of(text):
    import zlib
    return zlib.crc32(text.encode())
"""


@dataclass(frozen=True)
class Place:
    """A folder in which everything was run: what must not be told to others, and what came of it."""

    root: Path
    outputs: Path

    @property
    def secrets(self) -> dict[str, str]:
        """What no file may hold."""
        return {"the folder": str(self.root), "home": str(self.root / "home"), "the user": USER}


def write_inputs(folder: Path) -> Path:
    """Small inputs of every kind; what a path stands in (configurations) is relative."""
    folder.mkdir(parents=True)
    arena = simulate_arena(seed=0, n_prompts=40, n_votes=4000)
    noise = pl.Series(np.random.default_rng(0).normal(scale=0.3, size=arena.quality.height))
    scores = arena.quality.select(
        "prompt_id", "policy", score=2 * pl.col("quality") + 2 * pl.col("style") + noise
    )
    store.save(arena.responses, folder / "responses.parquet")
    arena.responses.frame.write_csv(folder / "responses.csv")
    store.save(arena.battles, folder / "battles.parquet")
    votes = arena.battles.frame.head(300).with_row_index()
    votes.select(
        "prompt_id", "policy_a", "policy_b", "winner", rater=pl.format("rater {}", pl.col("index") % 6)
    ).write_csv(folder / "votes.csv")
    ratings = fit_ratings(arena.battles)
    store.save(ratings, folder / "ratings.parquet")
    board = ratings.frame.select(pl.col("policy").str.to_uppercase(), "rating", "ci_low", "ci_high")
    board.with_columns(date=pl.lit("2026-01-31")).write_csv(folder / "board.csv")
    names = board["policy"].to_list()
    pl.DataFrame({"policy": [n.lower() for n in names], "arena_name": names}).write_csv(
        folder / "aliases.csv"
    )
    groups = ["trees" if n.lower() in ("oak", "reed", "thistle") else "others" for n in names]
    pl.DataFrame({"policy": [n.lower() for n in names], "group": groups}).write_csv(folder / "groups.csv")
    store.save(Scores(scores), folder / "scores.parquet")
    scores.write_csv(folder / "scores.csv")
    prompts = scores.select("prompt_id").unique(maintain_order=True).with_row_index()
    split = pl.when(pl.col("index") % 3 == 0).then(pl.lit("test")).otherwise(pl.lit("train"))
    prompts.select("prompt_id", split=split).write_csv(folder / "prompts.csv")
    store.save(true_preferences(seed=0, n_pairs=20), folder / "true_pairs.parquet")
    (folder / "own_model.py").write_text(OWN_MODEL)
    _write_annotations(folder)
    _write_benchmarks(folder / "benchmarks")
    for name, sections in _RUNS.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(_BASE | sections))
    return folder


_BASE: dict[str, Any] = {
    "name": "small",
    "responses": {"source": "responses.csv", "test_fraction": 0.4, "policies": list(POLICIES)},
    "ratings": {"battles": "battles.parquet"},
    "audit": {"draws": 100},
    "calibrate": {"over": "velvet", "references": "auto"},
}
_RUNS: dict[str, dict[str, Any]] = {
    "scored": {"score": {"scores": "scores.parquet"}},
    "judged": {
        "judge": {"spec": "python:own_model:judge"},
        "ratings": {"source": "board.csv", "aliases": "aliases.csv"},
    },
    "asked": {
        "prompts": {"sources": ["responses.csv"], "n": 30},
        "policies": [
            {"name": name, "spec": "python:own_model:draw", "seed": seed}
            for seed, name in enumerate((*POLICIES, "newcomer"))
        ],
        "responses": {"test_fraction": 0.4},
        "judge": {"spec": "python:own_model:judge"},
        "audit": {"draws": 100, "candidates": ["newcomer"]},
        "calibrate": {"over": "velvet", "references": ["oak"]},
        "votes_simulated": True,
    },
    "whole": {
        "rm": {"model": "rm", "device": "cpu", "max_length": 64},
        "score": {"unchecked": True},
        "train": {"learning_rate": 1e-3, "batch_size": 8, "max_steps": 2, "max_length": 64},
        "evaluate": {"pairs": "true_pairs.parquet"},
    },
}


def _write_annotations(folder: Path) -> None:
    """AlpacaEval's annotations against oak."""
    rng = np.random.default_rng(1)
    rows = [
        {
            "instruction": f"Ask {i}", "output_1": f"oak {i}", "output_2": f"{policy} {i}", "generator_1": "oak",
            "generator_2": policy, "annotator": "mild", "preference": 1 + float(rng.random()),
        }
        for policy in POLICIES[1:] for i in range(40)
    ]  # fmt: skip
    pl.DataFrame(rows).write_json(folder / "annotations.json")


def _write_benchmarks(folder: Path) -> None:
    """Two benchmarks in their authors' layouts, a few items each."""
    rows = [
        {"input": f"Why {i}?", "output_1": f"Because {i}.", "output_2": f"No, {i * i}.", "label": 1 + i % 2}
        for i in range(12)
    ]
    chosen, rejected = (
        [f"{word} {style}" for style in ("short", "with detail", "in **bold**")]
        for word in ("Right", "Wrong")
    )
    items = [{"id": f"c{i}", "prompt": f"Why {i}?", "chosen": chosen, "rejected": rejected} for i in range(6)]
    for name, content in (("LLMBar/Natural/dataset.json", rows), ("RM-Bench/chat_filtered.json", items)):
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text(json.dumps(content))


def write_models(folder: Path, minilm: Path) -> None:
    """A tiny reward model, and pairs that it can learn from; a causal model, and texts in its words."""
    from fuzz.library import write_models as write_more
    from models.tiny_models import simple_preferences, tiny_bert

    write_more(folder)
    words = ["alpha good long", "beta fine", "short bad", "good why"]
    rows = [
        {"prompt": f"why {w}", "policy": p, "response": f"{w} {v}"}
        for w in words for p, v in (("oak", "good"), ("reed", "bad"))
    ]  # fmt: skip
    pl.DataFrame(rows).write_csv(folder / "words.csv")
    tiny_bert(folder / "rm", minilm)
    policies = [
        {"name": "greedy", "spec": "hf:causal"},
        {"name": "drawn", "spec": "hf:causal", "system": "good", "temperature": 0.9, "samples": 2},
    ]
    (folder / "policies.yaml").write_text(yaml.safe_dump({"policies": policies}))
    store.save(simple_preferences(24), folder / "pairs.parquet")


def run_in(inputs: Path, root: Path, *, models: bool, threads: int) -> Place:
    """Copy the inputs into ``root``, and run everything there.

    ``threads`` are those of Polars, and without models of BLAS, too: what torch adds up depends on how many there are.
    """
    (root / "home").mkdir(parents=True)
    shutil.copytree(inputs, root / "inputs", copy_function=shutil.copyfile)
    outputs = root / "outputs"
    environment = {
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1] / "src"), os.environ.get("PYTHONPATH", "")]),
        **dict.fromkeys(("USER", "LOGNAME", "USERNAME"), USER),
        "OMP_NUM_THREADS": "1" if models else str(threads),
        "POLARS_MAX_THREADS": str(threads),
        "PYTHONHASHSEED": str(threads), "HOME": str(root / "home"), "CHARM_CACHE": str(root / "cache"),
        "TZ": f"UTC+{threads}", "TOKENIZERS_PARALLELISM": "false",
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, HERE / "everything.py", root / "inputs", outputs, *(["models"] if models else [])],
        env={k: v for k, v in os.environ.items() if k != "OPENBLAS_NUM_THREADS"} | environment, cwd=root, capture_output=True, text=True, timeout=900,
    )  # fmt: skip
    assert done.returncode == 0, f"{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return Place(root, outputs)
