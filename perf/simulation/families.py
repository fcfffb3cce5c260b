"""Favour of groups of policies: intervals and tests where favours scatter, with and without a family that is favoured."""

from __future__ import annotations

import warnings
from collections import defaultdict

import numpy as np

from charm_rm.errors import CharmWarning, NotIdentifiable
from charm_rm.mismatch import family_contrasts
from charm_rm.settings import Scope

from .cell import Cell, coverage, figure, size
from .world import draw_world

GROUPS = 4


def _one_audit(
    rng: np.random.Generator,
    *,
    policies: int,
    favour: float,
    family: float,
    rating_se: float,
    scope: Scope,
) -> dict[str, float]:
    """The first of four groups is favoured by ``family`` more; single favours have the standard deviation ``favour``."""
    group = np.arange(policies) % GROUPS
    true = favour * rng.standard_normal(policies) + family * (group == 0)
    world = draw_world(rng, policies=policies, prompts=200, favour=true, sharpness=1.3, rating_se=rating_se)
    members = {name: f"g{g}" for name, g in zip(world.policies, group, strict=True)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        try:
            frame = family_contrasts(world.scores(), world.ratings(), members, scope=scope).frame
        except NotIdentifiable:
            return defaultdict(lambda: float("nan"))
    rows = {row["group"]: row for row in frame.iter_rows(named=True)}
    first = rows["g0"]
    if first["ci_low"] is None:
        return defaultdict(lambda: float("nan"))
    found = {
        "favour of the family": float(first["ci_low"] <= family <= first["ci_high"]),
        "found": float(first["q_value"] <= 0.05),
    }
    if family == 0:
        found["any false family"] = float((frame["q_value"] <= 0.05).any())
    return found


def cells() -> list[Cell]:
    """Few and many policies, scattered and no single favours, well and loosely known ratings, both scopes."""
    base = {"policies": 20, "favour": 50, "family": 0, "rating_se": 5, "scope": "sample"}
    worlds = [
        base,
        base | {"policies": 8},
        base | {"favour": 0},
        base | {"family": 80},
        base | {"family": 80, "rating_se": 30},
        base | {"favour": 0, "scope": "these"},
        base | {"favour": 0, "family": 60, "scope": "these"},
    ]
    return [
        Cell(settings=w, replicate=_one_audit, figures=_figures(w), replicates=600, small=60) for w in worlds
    ]


def _figures(world: dict[str, object]) -> tuple:
    found = [coverage("favour of the family"), figure("found")]
    return tuple(found if world["family"] else [*found, size("any false family", band=(0.0, 0.08))])
