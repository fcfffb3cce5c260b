"""What judges said in the forms of other tools, as inputs of the fuzzer."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import polars as pl

from .contents import Content, Document, Raw, Rows


def pair_rows(margins: pl.DataFrame) -> Rows:
    won = pl.when(pl.col("margin") > 0).then(pl.lit("model_a")).otherwise(pl.lit("model_b"))
    return Rows(
        margins.select(
            pl.lit("gpt").alias("judge"),
            pl.format("why {}", "prompt_id").alias("prompt"),
            pl.col("policy").alias("model_a"),
            pl.col("reference").alias("model_b"),
            pl.when(pl.col("margin").abs() < 0.1)
            .then(pl.lit("tie (bothbad)"))
            .otherwise(won)
            .alias("winner"),
        )
    )


def numbered_pairs(margins: pl.DataFrame) -> Rows:
    frame = pair_rows(margins).frame
    return Rows(frame.with_columns(pl.int_range(pl.len()).mod(3).alias("winner"), pl.lit(1).alias("turn")))


def grades(scores: pl.DataFrame) -> Rows:
    return Rows(
        scores.select(
            pl.col("prompt_id").alias("question_id"),
            pl.col("policy").alias("model"),
            pl.lit("gpt").alias("judge"),
            (5 + 2 * pl.col("score")).round().clip(-1, 10).alias("score"),
            pl.lit(1).alias("turn"),
        )
    )


def leaderboard(win_rates: pl.DataFrame) -> Rows:
    board = win_rates.select(
        "policy",
        (100 * pl.col("win_rate")).alias("win_rate"),
        (100 * pl.col("std_err")).alias("standard_error"),
        pl.col("n").alias("n_total"),
    )
    itself = pl.DataFrame({"policy": ["oak"], "win_rate": [50.0], "standard_error": [0.0], "n_total": [200]})
    return Rows(pl.concat([board, itself], how="vertical_relaxed"))


def inspect_log(scores: pl.DataFrame, policy: str) -> dict[str, Any]:
    samples = [
        {
            "id": r["prompt_id"],
            "epoch": 1,
            "input": "why",
            "scores": {"grader": {"value": r["score"], "answer": "x"}},
        }
        for r in scores.filter(policy=policy).to_dicts()
    ]
    return {"version": 2, "status": "success", "eval": {"task": "t", "model": policy}, "samples": samples}


def inspect_folder(scores: pl.DataFrame) -> dict[str, Content]:
    return {f"{p}.json": Document(inspect_log(scores, p), ".json") for p in scores["policy"].unique().sort()}


def inspect_archives(scores: pl.DataFrame) -> dict[str, Content]:
    found: dict[str, Content] = {}
    for policy in scores["policy"].unique().sort():
        log = inspect_log(scores, policy)
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("header.json", json.dumps({"eval": log["eval"]}))
            archive.writestr("summaries.json", json.dumps(log["samples"]))
        found[f"{policy}.eval"] = Raw(packed.getvalue(), ".eval")
    return found


def promptfoo(scores: pl.DataFrame) -> Document:
    results = [
        {"provider": {"id": r["policy"], "label": ""}, "prompt": {"raw": r["prompt_id"]}, "success": True,
         "score": r["score"], "namedScores": {"tone": 0.5}, "failureReason": 0, "gradingResult": {"score": r["score"]}}
        for r in scores.to_dicts()
    ]  # fmt: skip
    return Document({"evalId": "e", "results": {"version": 3, "results": results}}, ".json")
