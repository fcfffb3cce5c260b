"""Intervals of streamed audits: prompts drawn in random groups, of more prompts than there are groups."""

from __future__ import annotations

import numpy as np

from charm_rm.margins import PairCounter, influences, tally_counts
from charm_rm.mismatch.degree import mismatch_table
from charm_rm.ratings import Yardstick

from .cell import Cell, coverage
from .world import draw_world

DRAWS = 300
INTERVAL, ALL_ROWS = "interval of a pair", "simultaneous, all rows"


def cells() -> list[Cell]:
    """Complete and ragged scores; fewer prompts than groups, and three and seven prompts to a group."""
    figures = (coverage(INTERVAL), coverage(ALL_ROWS, band=(0.92, 0.985)))
    settings = [
        {"policies": k, "prompts": n, "missing": gone}
        for k, n, gone in ((6, 500, 0.0), (6, 6000, 0.0), (6, 6000, 0.4), (12, 14000, 0.1))
    ]
    return [Cell(one, streamed, figures, replicates=600, small=20) for one in settings]


def streamed(rng: np.random.Generator, *, policies: int, prompts: int, missing: float) -> dict[str, float]:
    """A model that prefers what people prefer, ratings all but certain, so that the draws of prompts are what covers."""
    world = draw_world(rng, policies=policies, prompts=prompts, rating_se=0.1, favour=np.zeros(policies))
    score = np.where(rng.random(world.score.shape) < missing, np.nan, world.score).T
    counter = PairCounter(policies, groups=True, keep=True)
    counter.add(score)
    counts = counter.counts()
    influence = influences(counter.balances, ~np.isnan(score), counts.rates("hard", "half")[0] / counts.n)
    tally = tally_counts(
        tuple(world.policies),
        counts,
        outcome="hard",
        ties="half",
        score_covariance=influence @ influence.T,
        win_rate_draws=counts.draw_rates("hard", "half", draws=DRAWS, rng=rng),
    )
    rated = Yardstick(tally.policies, world.rating, np.full(policies, 0.01), True)
    table = mismatch_table(tally, rated, rating_draws=rated.draw(DRAWS, rng), over_first=False).frame
    # The model is aligned: every true mismatch is 0.
    low, high, least, most = (
        table[c].to_numpy() for c in ("ci_low", "ci_high", "simultaneous_ci_low", "simultaneous_ci_high")
    )
    return {
        INTERVAL: float(((low <= 0) & (high >= 0)).mean()),
        ALL_ROWS: float(((least <= 0) & (most >= 0)).all()),
    }
