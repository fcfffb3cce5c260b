"""How long `charm sample` takes and how much memory, by the size of its source: python perf/sampling.py [ROWS ...]

Prompts of 30 words drawn at random, one in ten the same as an earlier one, one in ten nearly so. Each size runs in a process of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl

CHUNK = 50_000


def write_source(folder: Path, rows: int) -> None:
    """Parquet files of 50,000 rows."""
    rng = np.random.default_rng(0)
    words = np.array([f"w{i}" for i in range(5_000)])
    for start in range(0, rows, CHUNK):
        n = min(CHUNK, rows - start)
        picked = words[rng.integers(len(words), size=(n, 30))]
        texts = [" ".join(row) for row in picked]
        for i in range(10, n, 10):
            texts[i] = texts[i - 1]
            texts[i - 5] = f"{texts[i - 7]} please"
        frame = pl.DataFrame({"prompt": texts, "response": ["x" * 500] * n})
        frame.write_parquet(folder / f"{start:09d}.parquet")


def measure(folder: Path, output: Path) -> None:
    from charm_rm.pipeline.stages.sample import sample_prompts
    from charm_rm.settings import SampleSettings

    start, used = time.perf_counter(), time.process_time()
    drawn = sample_prompts([folder], SampleSettings(n=1_000), output, seed=0)
    seconds, used = time.perf_counter() - start, time.process_time() - used
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    rows = int(drawn.ledger["rows"].sum())
    print(
        f"{rows:>10,} rows  {seconds:7.1f} s ({used:.1f} s of CPU)  {rows / used:8,.0f} rows per CPU second  peak {peak:6.0f} MiB  {dict(drawn.ledger.iter_rows())}"
    )


def main(sizes: list[int]) -> None:
    for rows in sizes:
        with tempfile.TemporaryDirectory() as place:
            source = Path(place) / "source"
            source.mkdir()
            write_source(source, rows)
            subprocess.run(
                [sys.executable, __file__, "--measure", source, Path(place) / "out.parquet"], check=True
            )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]), Path(sys.argv[3]))
    else:
        main([int(a) for a in sys.argv[1:]] or [20_000, 200_000, 1_000_000])
