"""A scorer that likes style: find whom it favours, fix its scores, relabel, and say what no offset can fix.

python examples/03_offsets_and_labels.py
"""

from __future__ import annotations

import numpy as np
import polars as pl

import charm_rm as charm
from charm_rm.evaluate.attained import effect_of_offsets
from charm_rm.mismatch.metrics import METRICS, say_figure
from charm_rm.testbed import simulate_arena


def main() -> None:
    """Audit, solve joint offsets, audit again, relabel."""
    arena = simulate_arena(seed=0, n_prompts=300, n_votes=20_000)
    ratings = charm.fit_ratings(arena.battles)
    scores = style_loving_scores(arena.quality)
    before = charm.audit(scores, ratings)
    offsets = charm.solve_joint_offsets(scores, ratings)
    after = charm.audit(charm.apply_offsets(scores, offsets), ratings)
    print(
        "Most favoured before:",
        before.favouritism.frame.select("policy", "favour", "ci_low", "ci_high").head(3),
    )
    print(
        "Most favoured after:",
        after.favouritism.frame.select("policy", "favour", "ci_low", "ci_high").head(3),
    )
    for name, found in (("before", before), ("after", after)):
        label = "in-sample, on the prompts solved on" if found.in_sample else "as scored"
        print(f"{name} ({label}):")
        for row in found.summary["effect"]:
            print(f"  {say_figure(row)}")
    print("cross-fitted, as on as many fresh prompts:")
    for row in effect_of_offsets(offsets, ratings):
        print(f"  {METRICS[row['metric']].label}: {METRICS[row['metric']].shown(row['cross_fitted'])}")
    print(f"one number per policy leaves up to {residual(offsets):.3f} in a single pair")
    made = charm.relabel_preferences(scores, arena.responses, offsets, strategy="sampled", k=2)
    flipped = made.preferences.frame["flipped"].mean()
    print(f"{len(made.preferences)} pairs relabelled, {flipped:.0%} of the labels turned")


def style_loving_scores(quality: pl.DataFrame) -> charm.Scores:
    """Quality, a taste for style, and noise."""
    noise = np.random.default_rng(0).gumbel(size=quality.height)
    score = 3.0 * pl.col("quality") + 2.0 * pl.col("style") + 0.7 * pl.Series(noise)
    return charm.Scores(quality.select("prompt_id", "policy", score=score))


def residual(offsets: charm.Offsets) -> float:
    """The largest |win rate - target| left in one pair."""
    if offsets.residuals is None:
        raise SystemExit("these offsets carry no residuals")
    left = offsets.residuals.select((pl.col("after") - pl.col("target")).abs().max())
    return float(left.item())


if __name__ == "__main__":
    main()
