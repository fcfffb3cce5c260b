"""All default features of a million responses: seconds, processor time, memory above the table itself.

    python perf/features.py RESPONSES [--n 1000000] [--mean-bytes 2000]

RESPONSES is any table of responses; the million is a bootstrap sample of it, of those at least so long that their mean is about ``--mean-bytes``. Memory is the
process's peak above what it takes before measuring.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from pathlib import Path

import polars as pl

from charm_rm.features import measure_features
from charm_rm.responses import load_responses
from charm_rm.tables import Responses

TARGET = 60.0  # seconds on two cores


def main() -> None:
    """Sample, measure, print one Markdown row."""
    args = parse_args()
    responses = sample(load_responses(args.responses), args.n, args.mean_bytes)
    n_bytes = responses.frame["response"].str.len_bytes().sum()
    before, started, cpu = peak(), time.perf_counter(), time.process_time()
    features = measure_features(responses)
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    cores = len(os.sched_getaffinity(0))
    print(
        "| responses | text | features | seconds | of CPU | CPU / 2 cores | memory above the table | load |"
        "\n|---|---|---|---:|---:|---:|---:|---:|"
    )
    print(
        f"| {len(features):,} | {n_bytes / 1e9:.2f} GB, {n_bytes / len(features):,.0f} bytes each | {len(features.features)} | {seconds:.1f} | {cpu:.1f} | "
        f"{cpu / 2:.1f} | {peak() - before:,.0f} MiB | {os.getloadavg()[0]:.1f} on {cores} cores |"
    )
    scaled = cpu / 2 * 1e6 / len(features)
    if scaled > TARGET:
        sys.exit(
            f"target missed: a million takes {scaled:.0f} s of both cores, at most {TARGET:.0f} are asked for"
        )


def parse_args() -> argparse.Namespace:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("responses", type=Path)
    parser.add_argument("--n", type=int, default=1_000_000)
    parser.add_argument("--mean-bytes", type=float, default=2000.0)
    return parser.parse_args()


def sample(responses: Responses, n: int, mean_bytes: float) -> Responses:
    """So many responses, drawn again and again from the longest ones, which have about this mean."""
    size = pl.col("response").str.len_bytes()
    longest = responses.frame.sort(size, descending=True)
    means = longest.select(size.cum_sum() / pl.int_range(1, pl.len() + 1)).to_series()
    kept = longest.head(max(int((means >= mean_bytes).sum()), 1))
    drawn = kept.select("prompt", "policy", "response").sample(n, with_replacement=True, seed=0)
    return Responses(drawn.with_columns(pl.int_range(n).cast(pl.String).alias("prompt_id")))


def peak() -> float:
    """The most memory that the process has held, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
