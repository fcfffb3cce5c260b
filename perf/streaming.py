"""Audits of scores that need not fit memory: time and peak memory at growing sizes, and the in-memory audit beside them.

    python perf/streaming.py [--millions 5 20 100] [--memory 3GB] [--folder DIR]

200 policies; 5, 20 and 100 million seeded scores, a tenth of the policies on each prompt missing at random in none of the sizes but
``--missing 0.1`` asks. The rows of one prompt lie in two files and are scattered in each. Every audit runs in a process of its own;
memory is the peak of its resident set, everything counted. At the smallest size the audit in memory runs too, and the two are compared. The files
are deleted as they are done with.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

import charm_rm as charm

POLICIES, PROMPTS_A_FILE = 200, 12_500
MISMATCH = ["win_rate", "expected", "mismatch", "mismatch_degree", "p_value", "q_value"]


def main() -> None:
    """Generate, audit, compare and delete, size by size; print Markdown rows."""
    options = argparse.ArgumentParser()
    options.add_argument("--millions", type=float, nargs="+", default=[5, 20, 100])
    options.add_argument("--memory", default="3GB")
    options.add_argument("--missing", type=float, default=0.0)
    options.add_argument("--draws", type=int, default=1000)
    options.add_argument("--folder", type=Path)
    options.add_argument("--one", nargs=2, metavar=("ENGINE", "FOLDER"))
    given = options.parse_args()
    if given.one:
        measure(given.one[0], Path(given.one[1]), given.memory, given.draws)
        return
    print(
        "| scores | engine | seconds | of CPU | seconds a million | peak memory |\n|---|---|---:|---:|---:|---:|"
    )
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        for i, millions in enumerate(sorted(given.millions)):
            data = Path(folder) / "scores"
            generate(data, round(millions * 1e6 / POLICIES), given.missing)
            for engine in ("memory", "streaming") if i == 0 else ("streaming",):
                out = subprocess.run(
                    [
                        *(sys.executable, __file__, "--one", engine, str(data.parent)),
                        *("--memory", given.memory, "--draws", str(given.draws)),
                    ],
                    check=True,
                    capture_output=True,
                    text=True,
                )
                found = json.loads(out.stdout)
                print(
                    f"| {millions:g} million | {engine} | {found['wall']:.1f} | {found['cpu']:.1f} | "
                    f"{found['cpu'] / millions:.2f} | {found['mib']:,.0f} MiB |",
                    flush=True,
                )
            shutil.rmtree(data)
            if i == 0:
                compare(Path(folder))


def generate(folder: Path, prompts: int, missing: float) -> None:
    """Seeded Bradley-Terry scores: each prompt's policies in two files, in the order of the policies."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    rating = rng.normal(1200, 80, POLICIES)
    names = pl.Series([f"policy-{k:03d}" for k in range(POLICIES)])
    pl.DataFrame({"policy": names, "rating": rating, "std_err": 4.0}).write_csv(folder.parent / "ratings.csv")
    for start in range(0, prompts, PROMPTS_A_FILE):
        n = min(PROMPTS_A_FILE, prompts - start)
        ids = pl.Series([f"prompt-{i:07d}" for i in range(start, start + n)])
        values = rng.gumbel(size=(POLICIES, n)) + (1.5 * rating * np.log(10) / 400)[:, None]
        kept = rng.random(values.shape) >= missing
        for half in (0, 1):
            k, i = np.nonzero(kept & (np.arange(POLICIES) % 2 == half)[:, None])
            frame = pl.DataFrame({"prompt_id": ids[i], "policy": names[k], "score": values[k, i]})
            frame.write_parquet(folder / f"part-{start:07d}-{half}.parquet", compression="lz4")


def measure(engine: str, folder: Path, memory: str, draws: int) -> None:
    """One audit; figures to standard output, tables for :func:`compare` into the folder."""
    ratings, clock, cpu = charm.load_ratings(folder / "ratings.csv"), time.perf_counter(), time.process_time()
    if engine == "memory":
        found = charm.audit(charm.load_scores(folder / "scores"), ratings, draws=draws)
    else:
        with charm.stream_scores(folder / "scores", memory=memory, folder=folder) as scores:
            found = charm.audit(scores, ratings, draws=draws)
    took = {"wall": time.perf_counter() - clock, "cpu": time.process_time() - cpu}
    found.mismatch.frame.write_parquet(folder / f"{engine}-mismatch.parquet")
    if found.favouritism is not None:
        found.favouritism.frame.write_parquet(folder / f"{engine}-favour.parquet")
    print(json.dumps(took | {"mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


def compare(folder: Path) -> None:
    """What differs between the engines at the smallest size."""
    one, other = (
        pl.read_parquet(folder / f"{e}-mismatch.parquet").sort("policy", "reference")
        for e in ("memory", "streaming")
    )
    equal = [c for c in MISMATCH if one[c].equals(other[c])]
    width = one["ci_high"] - one["ci_low"]
    ends = pl.concat([(one[c] - other[c]).abs() / width for c in ("ci_low", "ci_high")])
    ratio = (other["ci_high"] - other["ci_low"]) / width
    print(f"\nequal in every bit: {', '.join(equal)}")
    print(f"ends of intervals differ by {ends.mean():.3f} of a width in the mean, {ends.max():.3f} at most")
    print(f"widths, streaming over memory: mean {ratio.mean():.4f}, sd {ratio.std():.4f}")
    favour = [pl.read_parquet(folder / f"{e}-favour.parquet").sort("policy") for e in ("memory", "streaming")]
    gaps = [
        f"{c} {(favour[0][c] - favour[1][c]).abs().max():.1e}"
        for c in ("favour", "std_err", "ci_low", "ci_high")
    ]
    print(f"largest gap in favour's table, Elo: {', '.join(gaps)}\n", flush=True)


if __name__ == "__main__":
    main()
