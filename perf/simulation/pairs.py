"""Pairs: their intervals, their tests in the tail that adjusting for many reads, and the top row of the table."""

from __future__ import annotations

import numpy as np

from charm_rm.margins import ScoreMargins, all_pairs, tally_margins
from charm_rm.mismatch.degree import mismatch_table
from charm_rm.mismatch.verdicts import TOO_OFTEN, TOO_RARELY
from charm_rm.ratings import Yardstick, expected_win_rate
from charm_rm.statistics import draw_prompt_weights

from .cell import Cell, coverage, figure, size
from .world import draw_world

DRAWS = 300
INTERVAL, ALL_ROWS, TOP = "interval of a pair", "simultaneous, all rows", "simultaneous, top row"
BIAS, RAW_BIAS = "bias of the top row, shrunk", "the same, raw"
ANY, FOUND = "any finding", "pairs found"


def cells() -> list[Cell]:
    """Aligned models, whose every finding is false; then models with favour spread or on one policy."""
    coverages = (
        # Simultaneous intervals are for any row; of one that is truly largest they hold more often.
        coverage(INTERVAL, band=(0.925, 0.985)),
        coverage(ALL_ROWS, band=(0.92, 0.985)),
        coverage(TOP, band=(0.93, 1.0)),
        figure(BIAS),
        figure(RAW_BIAS),
    )
    aligned = (size(ANY), *coverages)
    found = (*coverages, figure(FOUND))
    null = [
        {"policies": k, "prompts": n, "rating_se": se, "tie_step": step}
        for k, n, se, step in (
            (5, 20, 5, 0.0),
            (10, 12, 5, 0.0),
            (10, 50, 5, 0.0),
            (20, 100, 5, 0.0),
            (10, 50, 40, 0.0),
            (20, 100, 40, 0.0),
            (10, 50, 5, 0.5),
        )
    ]
    other = [
        {"policies": k, "prompts": n, "favour": favour, "one_at": one}
        for favour, one in ((50, 0), (0, 150))
        for k, n in ((5, 50), (10, 50), (10, 200), (20, 200))
    ]
    return [Cell(c, aligned_world, aligned, replicates=600, small=40) for c in null] + [
        Cell(c, favouring_world, found, replicates=300, small=25) for c in other
    ]


def aligned_world(
    rng: np.random.Generator, *, policies: int, prompts: int, rating_se: float, tie_step: float
) -> dict[str, float]:
    """A model that prefers what people prefer; scores on a grid of ``tie_step`` where it is above 0."""
    return _measure(rng, policies, prompts, rating_se=rating_se, favour=np.zeros(policies), tie_step=tie_step)


def favouring_world(
    rng: np.random.Generator, *, policies: int, prompts: int, favour: float, one_at: float
) -> dict[str, float]:
    """Favour of a standard deviation, and more on the first policy."""
    given = favour * rng.standard_normal(policies) + one_at * (np.arange(policies) == 0)
    return _measure(rng, policies, prompts, rating_se=5.0, favour=given, tie_step=0.0)


def _measure(
    rng: np.random.Generator,
    policies: int,
    prompts: int,
    *,
    rating_se: float,
    favour: np.ndarray,
    tie_step: float,
) -> dict[str, float]:
    world = draw_world(rng, policies=policies, prompts=prompts, rating_se=rating_se, favour=favour)
    names, pairs = tuple(world.policies), all_pairs(policies)
    score = np.round(world.score / tie_step) * tie_step if tie_step else world.score
    drawn = draw_prompt_weights(prompts, draws=DRAWS, rng=rng)
    tally = tally_margins(ScoreMargins(names, pairs, np.ascontiguousarray(score.T)), drawn=drawn)
    rated = Yardstick(names, world.rating, np.full(policies, rating_se**2), True)
    table = mismatch_table(tally, rated, rating_draws=rated.draw(DRAWS, rng), over_first=True).frame
    code = {name: i for i, name in enumerate(names)}
    k, r = (np.array([code[p] for p in table[side]]) for side in ("policy", "reference"))
    true = _true(world.true_rating, world.true_rating + world.true_favour, k, r)
    said = table["verdict"].is_in([TOO_OFTEN, TOO_RARELY]).to_numpy()
    both = {c: table[c].to_numpy() for c in table.columns if table[c].dtype.is_numeric()}
    alone = (both["ci_low"] <= true) & (true <= both["ci_high"])
    together = (both["simultaneous_ci_low"] <= true) & (true <= both["simultaneous_ci_high"])
    return {
        ANY: float(said.any()),
        FOUND: float(said.mean()),
        INTERVAL: float(alone.mean()),
        ALL_ROWS: float(together.all()),
        TOP: float(together[0]),
        BIAS: float(both["mismatch_shrunk"][0] - true[0]),
        RAW_BIAS: float(both["mismatch"][0] - true[0]),
    }


def _true(rating: np.ndarray, liked: np.ndarray, k: np.ndarray, r: np.ndarray) -> np.ndarray:
    """The mismatch with endless prompts and the true ratings."""
    return np.asarray(expected_win_rate(liked[k], liked[r]) - expected_win_rate(rating[k], rating[r]))
