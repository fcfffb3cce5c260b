"""Two models compared, prompt by prompt: no differences where there are none, and intervals that hold those that are.

On a share of the prompts both models draw the same noise, so that their errors go together as those of two models that read the same
responses do.
"""

from __future__ import annotations

import warnings
from collections import defaultdict
from dataclasses import replace

import numpy as np

from charm_rm.errors import CharmWarning, NotIdentifiable
from charm_rm.mismatch import compare_favour
from charm_rm.statistics import ELO_PER_LOGIT, kendall, spearman

from .cell import Cell, coverage, figure, size
from .world import World, draw_world

SHARED = 0.7


def draw_two(
    rng: np.random.Generator,
    *,
    policies: int,
    prompts: int,
    favour: float,
    own: float,
    sharpness: tuple[float, float],
    rating_se: float,
    shared: float = SHARED,
) -> tuple[World, World]:
    """Two models with the same favours, of standard deviation ``favour``, but that the first favours the first policy by ``own`` more."""
    world = draw_world(rng, policies=policies, prompts=prompts, favour=favour, rating_se=rating_se)
    common = rng.gumbel(size=world.score.shape)
    both = []
    for a, more in zip(sharpness, (own, 0.0), strict=True):
        true_favour = world.true_favour + more * (np.arange(policies) == 0)
        theta = a * (world.true_rating + true_favour) / ELO_PER_LOGIT
        alone = rng.gumbel(size=world.score.shape)
        noise = np.where(rng.random((prompts, 1)) < shared, common, alone)
        both.append(replace(world, true_favour=true_favour, sharpness=a, score=theta + noise))
    return both[0], both[1]


def _one_comparison(
    rng: np.random.Generator,
    *,
    policies: int,
    prompts: int,
    favour: float,
    own: float,
    sharpness: tuple[float, float],
    rating_se: float,
    shared: float = SHARED,
) -> dict[str, float]:
    one, other = draw_two(
        rng,
        policies=policies,
        prompts=prompts,
        favour=favour,
        own=own,
        sharpness=sharpness,
        rating_se=rating_se,
        shared=shared,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        try:
            found = compare_favour(one.scores(), other.scores(), one.ratings(), draws=300)
        except NotIdentifiable:  # by chance six policies rank upside down now and then
            return defaultdict(lambda: float("nan"))
    frame = found.frame.sort("policy")
    truth = own * (np.arange(policies) == 0)
    inside = (frame["ci_low"].to_numpy() <= truth) & (truth <= frame["ci_high"].to_numpy())
    rejected = frame["q_value"].to_numpy() <= 0.05
    rows = {row["figure"]: row for row in found.figures.iter_rows(named=True)}
    slope = rows["sharpness"]
    result = {
        "difference, the policy favoured": float(inside[0]),
        "difference, the others": float(inside[1:].mean()),
        "any false difference": float(rejected[truth == 0].any()) if own == 0 else float("nan"),
        "false share of differences found": float(rejected[truth == 0].sum() / max(rejected.sum(), 1)),
        "difference found": float(rejected[0]) if own else float("nan"),
        "error, paired over unpaired": float((frame["std_err"] / frame["std_err_unpaired"]).mean()),
        "sharpness difference": float(slope["ci_low"] <= sharpness[0] - sharpness[1] <= slope["ci_high"]),
    }
    for name, correlate in (("spearman", spearman), ("kendall", kendall)):
        gap = float(
            correlate(one.true_rating + one.true_favour, one.true_rating)
            - correlate(other.true_rating + other.true_favour, one.true_rating)
        )
        row = rows[name]
        result[f"{name} difference"] = float(row["ci_low"] <= gap + 1e-12 and gap - 1e-12 <= row["ci_high"])
        result[f"{name} called different"] = float(row["p_value"] <= 0.05) if gap == 0 else float("nan")
    return result


def cells() -> list[Cell]:
    """Equal and unequal sharpness, few and many policies, one policy favoured by one model, loosely known ratings."""
    base = {"policies": 10, "prompts": 200, "favour": 50, "own": 0, "sharpness": (1.0, 2.0), "rating_se": 5}
    worlds = [
        base | {"favour": 0, "sharpness": (1.0, 1.0)},
        base,
        base | {"policies": 20},
        base | {"policies": 20, "own": 100},
        base | {"policies": 20, "own": 100, "rating_se": 30},
        base | {"policies": 6, "prompts": 100},
        base | {"policies": 10, "own": 150},
        base | {"shared": 0.0},
    ]
    return [
        Cell(settings=w, replicate=_one_comparison, figures=_figures(w), replicates=300, small=20)
        for w in worlds
    ]


def _figures(world: dict[str, object]) -> tuple:
    found = [
        coverage("difference, the policy favoured"),
        coverage("difference, the others"),
        size("false share of differences found"),
        figure("error, paired over unpaired"),
        coverage("sharpness difference", band=(0.93, 1.0)),
        coverage("spearman difference", band=(0.93, 1.0)),
        coverage("kendall difference", band=(0.93, 1.0)),
    ]
    if not world["own"]:
        found += [size("any false difference")]
        found += [size("spearman called different"), size("kendall called different")]
    else:
        found += [figure("difference found")]
    return tuple(found)
