"""Lay out the inputs of this example: link the data, pick the training pairs of the first reward model.

    python examples/alpaca_eval/prepare.py [--data FOLDER] [--pairs 1500]

FOLDER (default: $CHARM_DATA, else ../shared/data beside the checkout) holds alpaca_eval/responses.parquet, the
Arena snapshots, the benchmarks' original files and RMB's pairwise set. Nothing of it is copied into the project: the
folder ``inputs`` is ignored by git.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

import polars as pl

HERE = Path(__file__).resolve().parent
LINKS = {
    "responses.parquet": "alpaca_eval/responses.parquet",
    "arena.parquet": "arena/leaderboard_2024-06_2025-08.parquet",
    "benchmarks": "benchmarks",
}


def main() -> None:
    """Write ``inputs``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    default = os.environ.get("CHARM_DATA", HERE.parents[2] / "shared" / "data")
    parser.add_argument("--data", type=Path, default=Path(default))
    parser.add_argument("--pairs", type=int, default=1500)
    args = parser.parse_args()
    inputs = HERE / "inputs"
    shutil.rmtree(inputs, ignore_errors=True)
    inputs.mkdir()
    for name, source in LINKS.items():
        (inputs / name).symlink_to((args.data / source).resolve(strict=True))
    pairs = training_pairs(args.data / "preferences/rmb_pairwise.parquet", args.pairs)
    pairs.write_parquet(inputs / "pairs.parquet")
    print(f"{inputs}: {pairs.height} helpfulness pairs of {pairs['prompt'].n_unique()} prompts")


def training_pairs(path: Path, n: int) -> pl.DataFrame:
    """A seeded sample of RMB's helpfulness pairs, as ``charm train`` reads them."""
    helpful = pl.read_parquet(path).filter(pl.col("subset").str.contains("Helpfulness"))
    return helpful.sample(min(n, helpful.height), seed=0, shuffle=True).select(
        "prompt", "chosen", "rejected", "chosen_model", "rejected_model"
    )


if __name__ == "__main__":
    main()
