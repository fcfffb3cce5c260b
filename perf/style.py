"""A style calibration of many policies: seconds, processor time, peak memory.

    python perf/style.py                                            200 policies x 20,000 prompts x 30 features, made up
    python perf/style.py --policies 46 --prompts 200 --features 8   as small as a usual one

Features are columns of random numbers, so that the time is the solver's; `perf/features.py` times measuring them.
"""

from __future__ import annotations

import argparse
import os
import resource
import time
import warnings

import numpy as np
import polars as pl

from charm_rm.errors import CharmWarning
from charm_rm.style import solve_style_offsets
from charm_rm.tables import Ratings, Responses, Scores


def main() -> None:
    """Draw, solve, print one Markdown row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--policies", type=int, default=200)
    parser.add_argument("--prompts", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--draws", type=int, default=0)
    args = parser.parse_args()
    scores, responses, ratings = draw(args.policies, args.prompts, args.features)
    before, started, cpu = peak(), time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        found = solve_style_offsets(
            scores,
            responses,
            ratings,
            features=(),
            own=[f"column:x{j}" for j in range(args.features)],
            draws=args.draws,
        )
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(
        "| policies x prompts x features | draws | seconds | of CPU | peak memory, tables included | load |"
    )
    print("|---|---:|---:|---:|---:|---:|")
    print(
        f"| {args.policies} x {args.prompts:,} x {args.features} | {args.draws} | {seconds:.1f} | {cpu:.1f} | "
        f"{peak():,.0f} MiB ({before:,.0f} before) | {os.getloadavg()[0]:.1f} on {len(os.sched_getaffinity(0))} cores |"
    )
    print(f"first weights {found.weights[:3].round(3).tolist()}, planted -0.3, 0.2, -0.1")


def draw(policies: int, prompts: int, features: int) -> tuple[Scores, Responses, Ratings]:
    """Scores that over-value the first three features, 0.3, -0.2 and 0.1 a unit."""
    rng = np.random.default_rng(0)
    rating = 1000 + 100 * rng.standard_normal(policies)
    n = policies * prompts
    keys = pl.DataFrame(
        {
            "prompt_id": pl.Series(np.tile(np.arange(prompts), policies)).cast(pl.String),
            "policy": pl.Series(np.repeat(np.arange(policies), prompts)).cast(pl.String),
        }
    )
    columns = {}
    score = np.repeat((rating - 1000) / 174, prompts) + 0.7 * rng.standard_normal(n)
    for j in range(features):
        column = np.repeat(0.5 * rng.standard_normal(policies), prompts) + rng.standard_normal(n)
        score += (0.3, -0.2, 0.1)[j] * column if j < 3 else 0.0
        columns[f"x{j}"] = column
    texts = {"prompt": pl.lit(""), "response": pl.lit("")}
    return (
        Scores(keys.with_columns(score=score)),
        Responses(keys.with_columns(**texts).with_columns(**{k: pl.Series(v) for k, v in columns.items()})),
        Ratings(
            pl.DataFrame({"policy": [str(k) for k in range(policies)], "rating": rating, "std_err": 5.0})
        ),
    )


def peak() -> float:
    """Peak memory of the process, MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
