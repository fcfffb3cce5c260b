"""The whole audit: time and peak memory, against the same statistics in a plain loop over pairs, one run.

    python perf/audit.py

Three sizes. 46 policies x 805 prompts with 1,000 bootstrap draws is also done by a loop over pairs that
resamples prompts pair by pair (what one would write first), on 40 of the 1,035 pairs and scaled up. 200
policies x 20,000 and x 10,000 prompts, point estimates with normal intervals, show growth in prompts; the largest also counts pair by
pair, as judgements are counted and scores were before. Each
case runs in a process of its own; memory is its peak above what imports take.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time

import numpy as np
import polars as pl

from charm_rm.margins import ScoreMargins, score_matrix
from charm_rm.mismatch import audit
from charm_rm.ratings import expected_win_rate
from charm_rm.tables import Ratings, Scores

CASES = {
    "46 x 805, 1,000 draws": (46, 805, 1000),
    "200 x 10,000": (200, 10_000, 0),
    "200 x 20,000": (200, 20_000, 0),
    "200 x 20,000, pair by pair": (200, 20_000, 0),
}
LIMITS = {"46 x 805, 1,000 draws": (2.0, 500), "200 x 20,000": (6.0, 1024)}
LOOPED_PAIRS = 40


def main() -> None:
    """Run every case, print one Markdown row each."""
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
        return
    found = {name: in_own_process(name) for name in CASES}
    print("| policies x prompts | pairs | audit | of CPU | peak memory | loop over pairs | ratio |")
    print("|---|---|---|---|---|---|---|")
    for name, row in found.items():
        loop = f"{row['loop']:.0f} s (scaled up)" if row["loop"] else "-"
        ratio = f"{row['loop'] / row['seconds']:,.0f}x" if row["loop"] else "-"
        print(
            f"| {name} | {row['pairs']:,} | {row['seconds']:.2f} s | {row['cpu']:.2f} s | {row['mib']:.0f} MiB | {loop} | {ratio} |"
        )
    growth = found["200 x 20,000"]["seconds"] / found["200 x 10,000"]["seconds"]
    print(f"\nTwice the prompts take {growth:.2f} times as long.")
    by_pair = found["200 x 20,000, pair by pair"]["cpu"] / found["200 x 20,000"]["cpu"]
    print(f"Pair by pair takes {by_pair:.1f} times the CPU time.")
    missed = [n for n, (s, m) in LIMITS.items() if found[n]["seconds"] > s or found[n]["mib"] > m]
    if missed:
        sys.exit(f"target missed: {missed}")


def in_own_process(name: str) -> dict[str, float]:
    """Measure a case in a fresh process."""
    out = subprocess.run([sys.executable, __file__, name], check=True, capture_output=True, text=True)
    found: dict[str, float] = json.loads(out.stdout)
    return found


def measure(name: str) -> dict[str, float]:
    """Seconds, peak memory above the start, and the loop's time where it is run."""
    policies, prompts, draws = CASES[name]
    if name.endswith("pair by pair"):
        ScoreMargins.of_all_pairs = property(lambda _: False)  # type: ignore[assignment,method-assign]
    start = peak_mib()
    scores, ratings = simulate(policies, prompts)
    clock, cpu = time.perf_counter(), time.process_time()
    found = audit(scores, ratings, draws=draws)
    seconds, cpu = time.perf_counter() - clock, time.process_time() - cpu
    mib = peak_mib() - start
    pairs = len(found.mismatch)
    loop = loop_over_pairs(scores, ratings, draws) * pairs / LOOPED_PAIRS if draws else 0.0
    return {"seconds": seconds, "cpu": cpu, "mib": mib, "pairs": pairs, "loop": loop}


def simulate(policies: int, prompts: int) -> tuple[Scores, Ratings]:
    """Seeded scores whose win rates are Bradley-Terry."""
    rng = np.random.default_rng(0)
    names = [f"policy-{k:03d}" for k in range(policies)]
    rating = rng.normal(1200, 80, policies)
    values = rng.gumbel(size=(prompts, policies)) + 1.5 * rating * np.log(10) / 400
    frame = pl.DataFrame(
        {
            "prompt_id": np.repeat([f"p{i}" for i in range(prompts)], policies),
            "policy": names * prompts,
            "score": values.ravel(),
        }
    )
    return Scores(frame), Ratings(pl.DataFrame({"policy": names, "rating": rating, "std_err": 4.0}))


def loop_over_pairs(scores: Scores, ratings: Ratings, draws: int) -> float:
    """Seconds for a plain loop: per pair and draw, resample prompts and ratings, take the difference."""
    matrix, rng = score_matrix(scores), np.random.default_rng(0)
    rated = dict(ratings.frame.select("policy", "rating").iter_rows())
    pairs = [(k, r) for k in range(len(matrix.policies)) for r in range(k)][:LOOPED_PAIRS]
    clock = time.perf_counter()
    for k, r in pairs:
        difference = matrix.values[:, k] - matrix.values[:, r]
        human = [rated[matrix.policies[k]], rated[matrix.policies[r]]]
        drawn = []
        for _ in range(draws):
            sample = difference[rng.integers(0, len(difference), len(difference))]
            win = np.mean((sample > 0) + 0.5 * (sample == 0))
            drawn.append(win - expected_win_rate(rng.normal(human[0], 4.0), rng.normal(human[1], 4.0)))
        np.quantile(drawn, [0.025, 0.975])
    return time.perf_counter() - clock


def peak_mib() -> float:
    """Peak resident memory of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
