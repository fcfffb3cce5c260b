"""Inputs, and one line of every command that prints a table, for the tests of how results look."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl

NAMES = ["Meta-Llama-3.1-405B-Instruct-bf16", "gpt-4o-mini-2024-07-18", "gemma-2-9b-it-SimPO", "d", "e"]


def write_inputs(folder: Path) -> Path:
    """Scores of policies with long names, so decided that q-values have three digits in their exponent."""
    rng = np.random.default_rng(0)
    rows = [
        {"prompt_id": f"p{i}", "prompt": f"Q{i}?", "policy": p, "response": "word " * (1 + (i + k) % 7), "score": k + 0.3 * float(rng.normal())}
        for i in range(700)
        for k, p in enumerate(NAMES)
    ]  # fmt: skip
    frame = pl.DataFrame(rows)
    frame.select("prompt_id", "policy", "score").write_parquet(folder / "scores.parquet")
    frame.select("prompt_id", "policy", score=3 * pl.col("score")).write_parquet(folder / "other.parquet")
    frame.drop("score").write_parquet(folder / "responses.parquet")
    frame.head(15).drop("score").write_parquet(folder / "few.parquet")
    pl.DataFrame({"policy": NAMES, "rating": [1000.0, 1100.0, 1250.0, 1272.25, 1290.5]}).write_csv(
        folder / "r.csv"
    )
    pairs = [{"prompt": f"{i}", "chosen": "long answer", "rejected": "no"} for i in range(4)]
    pl.DataFrame(pairs).write_ndjson(folder / "pairs.jsonl")
    battles = [
        {"model_a": a, "model_b": b, "winner": w}
        for a in NAMES for b in NAMES if a < b for w in ("model_a", "model_b", "tie")
    ]  # fmt: skip
    pl.DataFrame(battles).write_csv(folder / "battles.csv")
    return folder


SOLVE = "calibrate scores.parquet --ratings r.csv --method joint --draws 0 -o o.parquet --force"
COMMANDS = [
    "audit --example --draws 0",
    "audit scores.parquet --ratings r.csv --draws 0",
    "compare scores.parquet other.parquet --ratings r.csv --draws 0",
    "influence scores.parquet --ratings r.csv --top 2",
    "ratings show arena",
    "ratings fit battles.csv",
    "features responses.parquet --feature words --feature bold",
    "features responses.parquet --feature words --policy d",
    "features --list",
    "names scores.parquet --ratings r.csv",
    "convert scores.parquet",
    "convert battles.csv --as battles",
    "explain scores.parquet --responses responses.parquet --ratings r.csv --feature words --draws 0 --policy d",
    "calibrate scores.parquet --style --responses responses.parquet --ratings r.csv --feature words --draws 0",
    "calibrate scores.parquet --ratings r.csv --method joint --draws 0",
    "evaluate --scores scores.parquet --baseline-scores other.parquet --ratings r.csv --draws 100",
    "evaluate --rm python:benchmark_fakes:reward --pairs pairs.jsonl --draws 0 --no-cache",
    "judge few.parquet --judge python:benchmark_fakes:judge -o margins.parquet --no-cache --force",
    "score few.parquet --rm python:benchmark_fakes:reward -o s.parquet --no-cache --force",
    "relabel scores.parquet responses.parquet OFFSETS -o prefs --force --strategy all-pairs",
]
