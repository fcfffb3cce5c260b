"""Candidates: does the interval of what a policy without a rating would be rated hold it?

A candidate is drawn like the rated policies, favour and all, and its rating is kept from the audit. ``implied`` is where people would rate it if it were favoured
like the average policy: its true rating plus its true favour. ``rating`` is the true rating, which the favour of its own hides.
"""

from __future__ import annotations

import contextlib
import warnings
from typing import Any

import numpy as np
import polars as pl
from perf.simulation.cell import Cell, coverage, figure
from perf.simulation.world import draw_world

from charm_rm.errors import NotConverged, NotIdentifiable
from charm_rm.mismatch import place_candidates
from charm_rm.tables import Ratings

NAN = float("nan")


def cells() -> list[Cell]:
    """One candidate beside few and many rated policies, favoured alike or not."""
    found = []
    for policies, prompts, favour in (
        (4, 200, 0.0),
        (4, 200, 40.0),
        (6, 200, 40.0),
        (10, 100, 0.0),
        (10, 200, 40.0),
        (20, 200, 40.0),
        (20, 200, 80.0),
    ):
        where = {"policies": policies, "prompts": prompts, "favour": favour}
        figures = (
            coverage("implied", band=(0.92, 1.0)),
            coverage("rating", band=(0.92, 1.0)),
            figure("bias of implied, Elo", band=(-15, 15)),
            figure("half-width of implied, Elo"),
            figure("half-width of rating, Elo"),
        )
        found.append(Cell(where, one_candidate, figures, replicates=300, small=12))
    return found


def one_candidate(rng: np.random.Generator, *, policies: int, **sizes: Any) -> dict[str, float]:
    """Place the last policy of a world without its rating."""
    world = draw_world(rng, policies=policies + 1, sharpness=1.5, **sizes)
    name, row = world.policies[-1], None
    rated = Ratings(world.ratings().frame.filter(pl.col("policy") != name))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with contextlib.suppress(NotIdentifiable, NotConverged):
            row = place_candidates(world.scores(), rated, [name]).frame.row(0, named=True)
    if row is None:
        names = (
            "implied",
            "rating",
            "bias of implied, Elo",
            "half-width of implied, Elo",
            "half-width of rating, Elo",
        )
        return dict.fromkeys(names, NAN)
    rating = float(world.true_rating[-1])
    implied = rating + float(world.true_favour[-1])
    return {
        "implied": held(row["ci_low"], implied, row["ci_high"]),
        "rating": held(row["predicted_low"], rating, row["predicted_high"]),
        "bias of implied, Elo": row["implied_elo"] - implied,
        "half-width of implied, Elo": half(row["ci_low"], row["ci_high"]),
        "half-width of rating, Elo": half(row["predicted_low"], row["predicted_high"]),
    }


def held(low: float | None, truth: float, high: float | None) -> float:
    """1 where the interval, whose ends may be open, holds the truth."""
    return float((low is None or low <= truth) and (high is None or truth <= high))


def half(low: float | None, high: float | None) -> float:
    """Half the width; NaN where an end is open."""
    return NAN if low is None or high is None else (high - low) / 2
