"""Several samples of a policy on a prompt: does the interval of a win rate over all pairs of samples hold the true one?

Two policies' scores on a prompt have a difference of their own there, d_i = 0.3 + Z_i, beside the noise of each sample, 0.7 normal: the
samples of a prompt are alike, and an interval that took each pair of samples for a comparison of its own would be too narrow.
"""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import polars as pl
from perf.simulation.cell import Cell, coverage, figure

from charm_rm.margins import pair_samples, tally_margins
from charm_rm.statistics import draw_prompt_weights, percentile_interval, wilson_interval
from charm_rm.tables import Scores

MEAN, NOISE = 0.3, 0.7


def cells() -> list[Cell]:
    """One sample, several, and as many as it happens."""
    return [
        Cell(
            {"prompts": prompts, "samples": samples},
            one_pair,
            (
                coverage("win rate"),
                figure("half-width"),
                figure("held, were every pair of samples a prompt of its own"),
                figure("bias", band=(-0.01, 0.01)),
            ),
            replicates=1000,
            small=60,
        )
        for prompts, samples in ((100, "1"), (100, "3"), (100, "1 to 5"), (400, "8"))
    ]


def one_pair(rng: np.random.Generator, *, prompts: int, samples: str) -> dict[str, float]:
    """One policy against another; the truth is P(d_i + noise > 0)."""
    least, _, most = samples.partition(" to ")
    counts = rng.integers(int(least), int(most or least) + 1, (2, prompts))
    gap = MEAN + rng.standard_normal(prompts)
    rows = [
        (f"p{i:04d}", policy, s, side * gap[i] + NOISE * rng.standard_normal())
        for side, policy in enumerate(("base", "mine"))
        for i in range(prompts)
        for s in range(counts[side, i])
    ]
    scores = Scores(pl.DataFrame(rows, schema=["prompt_id", "policy", "sample", "score"], orient="row"))
    drawn = draw_prompt_weights(prompts, draws=500, rng=rng)
    tally = tally_margins(pair_samples(scores), drawn=drawn)
    truth = 1 - NormalDist().cdf(MEAN / float(np.sqrt(1 + 2 * NOISE**2)))  # of base over mine
    low, high = (float(end[0]) for end in percentile_interval(tally.win_rate_draws))
    pairs = float((counts[0] * counts[1]).sum())
    naive = wilson_interval(tally.win_rate[0] * pairs, pairs)
    return {
        "win rate": float(low <= truth <= high),
        "half-width": (high - low) / 2,
        "held, were every pair of samples a prompt of its own": float(naive[0] <= truth <= naive[1]),
        "bias": float(tally.win_rate[0]) - truth,
    }
