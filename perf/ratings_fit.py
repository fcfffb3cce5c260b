"""One fit with 95 % intervals, ours against evalica's with bootstrap intervals: same votes, one run.

    python perf/ratings_fit.py [--votes FILE] [--resamples 100] [--repeat 5]

Without ``--votes`` it simulates the same shape (135,624 battles of 53 policies). evalica's own default is 1,000
resamples by the BCa method, which needs one more fit per battle; here it gets 100 percentile resamples, so the ratio
printed is far below what its defaults would give. Its solver keeps its default tolerance. Both sides start from columns in memory. Each side's memory
is measured in a process of its own, as its peak above what the imports and the votes take.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl

from charm_rm.errors import CharmWarning
from charm_rm.ratings import fit_ratings, load_battles
from charm_rm.tables import Battles, Ratings

TARGET = 5.0


def main() -> None:
    """Time both sides, check that they agree, print one Markdown row."""
    args = parse_args()
    if args.side:
        print(json.dumps(measure(args)))
        return
    ours, theirs = (in_own_process(side) for side in ("ours", "evalica"))
    gap = max(abs(ours["log_strengths"][p] - theirs["log_strengths"][p]) for p in theirs["log_strengths"])
    ratio = theirs["seconds"] / ours["seconds"]
    battles = f"{ours['n_battles']:,} battles, {len(theirs['log_strengths'])} policies"
    print(
        "| votes | ours: fit + CIs | evalica: fit + bootstrap CIs | ratio | memory, ours / evalica | largest gap in log-strength |"
    )
    print("|---|---|---|---|---|---|")
    print(
        f"| {battles} | {ours['seconds'] * 1e3:.1f} ms | {theirs['seconds']:.2f} s ({args.resamples} resamples) | "
        f"{ratio:,.0f}x | {ours['mib']:.0f} / {theirs['mib']:.0f} MiB | {gap:.1e} |"
    )
    if ratio < TARGET or gap > 1e-6:
        sys.exit(f"target missed: ratio {ratio:.1f} (at least {TARGET}), gap {gap:.1e} (at most 1e-6)")


def parse_args() -> argparse.Namespace:
    """Command line; ``--side`` is for the child processes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--votes", type=Path, help="battles in any layout load_battles knows")
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--repeat", type=int, default=5, help="ours is the median of so many fits")
    parser.add_argument("--side", choices=["ours", "evalica"], help=argparse.SUPPRESS)
    return parser.parse_args()


def in_own_process(side: str) -> dict:
    """Run this script for one side and read what it measured."""
    command = [sys.executable, __file__, *sys.argv[1:], "--side", side]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def measure(args: argparse.Namespace) -> dict:
    """Seconds, peak memory above the start, and the log-strengths of one side."""
    battles = votes(args.votes)
    if args.side == "evalica":
        run, strengths, repeat = evalica_run(battles, args.resamples)
    else:
        run, strengths, repeat = lambda: fit_ratings(battles), log_strengths, args.repeat
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeat):
        start = time.perf_counter()
        result = run()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "seconds": float(np.median(seconds)),
        "mib": (peak - before) / 1024,
        "log_strengths": strengths(result),
        "n_battles": len(battles),
    }


def evalica_run(battles: Battles, resamples: int) -> tuple[Callable, Callable, int]:
    """evalica's bootstrap as a function of nothing; one run of it is long enough to time."""
    import evalica

    codes = {"a": evalica.Winner.X, "b": evalica.Winner.Y}
    winners = [codes.get(w, evalica.Winner.Draw) for w in battles.frame["winner"]]
    first, second = (battles.frame[c].to_list() for c in ("policy_a", "policy_b"))

    def run() -> evalica.BootstrapResult:
        return evalica.bootstrap(
            evalica.bradley_terry,
            first,
            second,
            winners,
            n_resamples=resamples,
            bootstrap_method="percentile",
            random_state=0,
        )

    def strengths(found: evalica.BootstrapResult) -> dict[str, float]:
        values = np.log(found.result.scores)
        return (values - values.mean()).to_dict()

    return run, strengths, 1


def log_strengths(ratings: Ratings) -> dict[str, float]:
    """Ratings in log-odds, mean 0."""
    values = ratings.frame["rating"].to_numpy() * np.log(10) / 400
    return dict(zip(ratings.frame["policy"], (values - values.mean()).tolist(), strict=True))


def votes(path: Path | None) -> Battles:
    """The votes in a file, or simulated ones."""
    if path:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            return load_battles(path)
    rng = np.random.default_rng(0)
    k, n = 53, 135_624
    theta = np.linspace(-0.7, 0.7, k)
    first = rng.integers(k, size=n)
    second = (first + rng.integers(1, k, size=n)) % k
    won = np.where(rng.random(n) < 1 / (1 + np.exp(theta[second] - theta[first])), "a", "b")
    names = np.array([f"policy-{i:02d}" for i in range(k)])
    winner = np.where(rng.random(n) < 0.27, "tie", won)
    return Battles(pl.DataFrame({"policy_a": names[first], "policy_b": names[second], "winner": winner}))


if __name__ == "__main__":
    main()
