"""Lay out the inputs of the study with a reward model of one's own: training pairs, responses, ratings, JudgeBench as pairs.

    python examples/style/prepare.py [--data FOLDER]

FOLDER (default: $CHARM_DATA, else ../shared/data beside the checkout) is read only; ``inputs`` is ignored by git.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import polars as pl

HERE = Path(__file__).resolve().parent
LINKS = {"responses.parquet": "alpaca_eval/responses.parquet", "benchmarks": "benchmarks"}
N_PAIRS = 4200


def main() -> None:
    """Write ``inputs``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = os.environ.get("CHARM_DATA", HERE.parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    data = parser.parse_args().data
    inputs = HERE / "inputs"
    shutil.rmtree(inputs, ignore_errors=True)
    inputs.mkdir()
    for name, source in LINKS.items():
        (inputs / name).symlink_to((data / source).resolve(strict=True))
    training_pairs(data / "preferences/rmb_pairwise.parquet").write_parquet(inputs / "pairs.parquet")
    ratings(data / "alpaca_eval/arena_names.csv").write_parquet(inputs / "ratings.parquet")
    judgebench(data / "benchmarks/JudgeBench").write_parquet(inputs / "judgebench.parquet")
    print(f"wrote {inputs}")


def training_pairs(path: Path) -> pl.DataFrame:
    """A seeded sample of RMB's helpfulness pairs, as ``charm train`` reads them."""
    helpful = pl.read_parquet(path).filter(pl.col("subset").str.contains("Helpfulness"))
    return helpful.sample(N_PAIRS, seed=0, shuffle=True).select(
        "prompt", "chosen", "rejected", "chosen_model", "rejected_model"
    )


def ratings(path: Path) -> pl.DataFrame:
    """Arena ratings of 2024-12-31 under the names of the responses."""
    table = pl.read_csv(path, schema_overrides={"rating": pl.Float64})
    return table.select("policy", "rating", "ci_low", "ci_high")


def judgebench(folder: Path) -> pl.DataFrame:
    """JudgeBench's pairs: of two responses by one model, the one whose answer is right is chosen."""
    rows = pl.concat([pl.read_ndjson(file) for file in sorted(folder.glob("*.jsonl"))])
    first = pl.col("label") == "A>B"
    a, b = pl.col("response_A"), pl.col("response_B")
    return rows.select(
        prompt="question",
        chosen=pl.when(first).then(a).otherwise(b),
        rejected=pl.when(first).then(b).otherwise(a),
        subset=pl.col("source").str.extract(r"^([a-z]+)"),
    )


if __name__ == "__main__":
    main()
