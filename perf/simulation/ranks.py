"""Rank correlations and mean |favour|: do intervals cover the true ones, do tests of differences keep their size?"""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from perf.simulation.cell import Cell, coverage, size
from perf.simulation.world import World, draw_world

from charm_rm.errors import NotConverged, NotIdentifiable
from charm_rm.margins import pair_margins, swap_models, tally_margins
from charm_rm.mismatch.ordering import mean_favour, ordering_rows
from charm_rm.ratings import yardstick
from charm_rm.statistics import ELO_PER_LOGIT, kendall, spearman

METRICS = ("spearman", "kendall", "mean_abs_favour")
NAN = float("nan")


def cells() -> list[Cell]:
    """One model over sizes and scatter; two models alike, and two that differ."""
    found = []
    for policies, prompts, rating_se in (
        (6, 50, 5),
        (6, 200, 5),
        (10, 100, 5),
        (10, 100, 40),
        (20, 50, 5),
        (20, 200, 5),
    ):
        for favour in (0.0, 20.0, 80.0):
            where = {"policies": policies, "prompts": prompts, "rating_se": rating_se, "favour": favour}
            figures = (
                *(coverage(m, band=(0.9, 1.0)) for m in METRICS[:2]),
                coverage(METRICS[2], band=(0.85, 1.0)),
            )
            found.append(Cell(where, one_model, figures, replicates=200, small=10))
    for policies, other, shared in ((10, 40.0, 0.0), (20, 40.0, 0.9)):
        where = {
            "policies": policies,
            "prompts": 100,
            "rating_se": 5,
            "favour": 40.0,
            "other": other,
            "shared": shared,
        }
        figures = tuple(size(f"{m}: different", band=(0.0, 0.08)) for m in METRICS)
        found.append(Cell(where, two_models, figures, replicates=200, small=10))
    for policies, rating_se in ((10, 5), (20, 5), (20, 40)):
        where = {
            "policies": policies,
            "prompts": 100,
            "rating_se": rating_se,
            "favour": 80.0,
            "other": 20.0,
            "shared": 0.9,
        }
        figures = tuple(coverage(f"{m}: difference", band=(0.8, 1.0)) for m in METRICS)
        found.append(Cell(where, two_models, figures, replicates=200, small=10))
    return found


def one_model(rng: np.random.Generator, **sizes: Any) -> dict[str, float]:
    """Whether each interval holds the true figure."""
    world = draw_world(rng, **sizes)
    rows = _rows(world, None, rng)
    truth = _truth(world)
    return {m: _holds(rows[m].ci_low, rows[m].ci_high, truth[m]) if m in rows else NAN for m in METRICS}


def two_models(
    rng: np.random.Generator, *, favour: float, other: float, shared: float, **sizes: Any
) -> dict[str, float]:
    """A second model with the same favours on another scale, and the same noise on a share of the prompts."""
    world = draw_world(rng, favour=favour, **sizes)
    second = _another(world, rng, scale=other / favour, shared=shared)
    rows = _rows(world, second, rng)
    first, last = _truth(world), _truth(second)
    found = {}
    for m in METRICS:
        known = m in rows and rows[m].p_value is not None
        found[f"{m}: different"] = float(rows[m].p_value <= 0.05) if known else NAN
        gap = first[m] - last[m]
        found[f"{m}: difference"] = _holds(rows[m].diff_ci_low, rows[m].diff_ci_high, gap) if known else NAN
    return found


def _another(world: World, rng: np.random.Generator, *, scale: float, shared: float) -> World:
    strength = world.sharpness * (world.true_rating + world.true_favour) / ELO_PER_LOGIT
    noise = world.score - strength
    same = rng.random((len(noise), 1)) < shared
    noise = np.where(same, noise, rng.gumbel(size=noise.shape))
    favour = scale * world.true_favour
    score = world.sharpness * (world.true_rating + favour) / ELO_PER_LOGIT + noise
    return replace(world, true_favour=favour, score=score)


def _rows(world: World, second: World | None, rng: np.random.Generator) -> dict[str, Any]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        mine = pair_margins(world.scores())
        tally = tally_margins(mine)
        more: dict[str, Any] = {}
        if second is not None:
            theirs = pair_margins(second.scores())
            more = {
                "baseline": tally_margins(theirs),
                "swapped": swap_models(mine, theirs, permutations=300, rng=rng),
            }
        rated = yardstick(world.ratings(), tally.policies)
        try:
            rows = ordering_rows(tally, rated, draws=400, seed=int(rng.integers(1 << 30)), **more)
        except (NotIdentifiable, NotConverged):
            return {}
    return {row.metric: row for row in rows}


def _truth(world: World) -> dict[str, float]:
    strength, rating = world.true_rating + world.true_favour, world.true_rating
    return {
        "spearman": float(spearman(strength, rating)),
        "kendall": float(kendall(strength, rating)),
        "mean_abs_favour": float(mean_favour(strength / ELO_PER_LOGIT, rating / ELO_PER_LOGIT)),
    }


def _holds(low: float, high: float, truth: float) -> float:
    return float(low - 1e-9 <= truth <= high + 1e-9)
