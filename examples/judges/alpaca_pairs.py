"""Real pairs with a real judge's verdicts: AlpacaEval responses that GPT-4-turbo compared with gpt4_1106_preview's.

Shared by the scripts of this folder. Nothing of the data is copied into the project.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from charm_rm.judging import clustered_mean
from charm_rm.statistics import basic_interval, spearman
from charm_rm.tables import Margins, Responses

DATA = Path(os.environ.get("CHARM_DATA", Path(__file__).resolve().parents[3] / "shared" / "data"))
ANNOTATOR = "weighted_alpaca_eval_gpt4_turbo"
REFERENCE = "gpt4_1106_preview"


def real_pairs(
    n: int, *, longest: int = 2400, seed: int = 0, data: Path = DATA
) -> tuple[Responses, pl.DataFrame]:
    """``n`` pairs of different prompts, the policies drawn at random: their responses, and the pairs.

    Only pairs whose prompt and responses have at most ``longest`` characters together: a processor takes them in
    minutes, not hours. The pairs have the columns prompt_id, policy, reference, and ``gpt4``: GPT-4's preference for ``policy``, in [0, 1].
    """
    responses = pl.read_parquet(data / "alpaca_eval/responses.parquet")
    judged = pl.read_parquet(data / "alpaca_eval/judge_annotations.parquet").filter(
        annotator=ANNOTATOR, generator_1=REFERENCE
    )
    judged = judged.filter(pl.col("policy") == pl.col("generator_2"), pl.col("policy") != REFERENCE)
    judged = judged.unique(["prompt_id", "policy"], keep="none")
    size = pl.col("response").str.len_chars().cast(pl.Int64)
    sizes = responses.select("prompt_id", "policy", size=size, prompt=pl.col("prompt").str.len_chars())
    judged = judged.join(sizes, on=["prompt_id", "policy"]).join(
        sizes.filter(policy=REFERENCE).select("prompt_id", other="size"), on="prompt_id"
    )
    judged = judged.filter(pl.col("size") + pl.col("other") + pl.col("prompt") <= longest)
    rng = np.random.default_rng(seed)
    judged = judged.sort("prompt_id", "policy").with_columns(draw=pl.Series(rng.random(judged.height)))
    drawn = judged.sort("draw").unique("prompt_id", keep="first", maintain_order=True).head(n)
    pairs = drawn.sort("prompt_id").select(
        "prompt_id", "policy", reference=pl.lit(REFERENCE), gpt4=pl.col("preference") - 1
    )
    sides = pl.concat([pairs.select("prompt_id", p) for p in ("policy", pl.col("reference").alias("policy"))])
    return Responses(responses.join(sides, on=["prompt_id", "policy"], how="semi")), pairs


def compare(margins: Margins, pairs: pl.DataFrame, responses: Responses) -> dict[str, Any]:
    """Agreement with GPT-4 on the winner (a tie counts ½) and rank correlation, 95 % intervals; and what length alone would do."""
    lengths = responses.frame.select("prompt_id", "policy", length=pl.col("response").str.len_chars())
    table = (
        margins.frame.join(pairs, on=["prompt_id", "policy", "reference"])
        .join(lengths, on=["prompt_id", "policy"])
        .join(lengths.rename({"policy": "reference", "length": "other"}), on=["prompt_id", "reference"])
    )
    gpt4 = table["gpt4"].to_numpy() - 0.5
    margin = table["margin"].to_numpy()
    longer = (table["length"].cast(pl.Int64) - table["other"].cast(pl.Int64)).to_numpy()
    prompts = table["prompt_id"].to_numpy()
    decided = gpt4 != 0
    by = {"judge": margin, "longer_wins": longer, "reference_wins": -np.ones(len(margin))}
    agreement = {
        name: asdict(clustered_mean((np.sign(x) * np.sign(gpt4))[decided] / 2 + 0.5, prompts[decided]))
        for name, x in by.items()
    }
    return {
        "pairs": table.height,
        "agreement_with_gpt4": agreement,
        "rank_correlation_with_gpt4": _rank_correlation(margin, gpt4),
        "win_rate_of_policies": {
            "judge": asdict(clustered_mean(np.sign(margin) / 2 + 0.5, prompts)),
            "gpt4": asdict(clustered_mean(np.sign(gpt4) / 2 + 0.5, prompts)),
        },
    }


def _rank_correlation(x: np.ndarray, y: np.ndarray, *, draws: int = 2000) -> dict[str, float]:
    rows = np.random.default_rng(0).integers(0, len(x), (draws, len(x)))
    value = float(spearman(x[None], y[None])[0])
    low, high = basic_interval(value, spearman(x[rows], y[rows]), low=-1.0, high=1.0)
    return {"value": value, "ci_low": low, "ci_high": high}
