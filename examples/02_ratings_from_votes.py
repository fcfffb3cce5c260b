"""Fit ratings to votes and hold them against the truth, which a simulation knows.

python examples/02_ratings_from_votes.py
"""

from __future__ import annotations

import polars as pl

import charm_rm as charm
from charm_rm.testbed import simulate_arena


def main() -> None:
    """Print fitted and true ratings and how many intervals cover."""
    arena = simulate_arena(seed=0, n_prompts=300, n_votes=5000)
    fitted = charm.fit_ratings(arena.battles)
    true = arena.true_ratings.frame.select("policy", true="rating")
    level = float(arena.true_ratings.frame["rating"].mean() or 0.0) - 1000.0  # both levels are arbitrary
    table = fitted.frame.join(true.with_columns(pl.col("true") - level), on="policy")
    table = table.with_columns(covered=pl.col("true").is_between("ci_low", "ci_high"))
    print(table.select("policy", "rating", "ci_low", "ci_high", "true", "covered", "votes"))
    print(f"{int(table['covered'].sum())} of {table.height} intervals cover the true rating")


if __name__ == "__main__":
    main()
