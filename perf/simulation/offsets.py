"""Offsets: the interval of one hard or sigmoid offset, and what in-sample, cross-fitted and fresh win rates say of joint ones."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

from charm_rm.errors import CharmWarning
from charm_rm.margins import hard_outcomes
from charm_rm.offsets import solve_joint_offsets, solve_offsets
from charm_rm.statistics import ELO_PER_LOGIT

from .cell import Cell, coverage, figure, size
from .world import World, draw_world

DRAWS = 300
INTERVAL, OPEN = "interval of an offset", "open intervals"
BEFORE, INSIDE, CROSSED, FRESH = "before", "in-sample", "cross-fitted", "fresh prompts"
RATIO, WORSE, REFUSED = "cross-fitted over fresh", "worse than none", "kept at 0"


def cells() -> list[Cell]:
    """One pair by prompts, target and rating error; several references; the sigmoid; joint offsets, with and without ties."""
    # Few expected wins make a count's interval wider than 95 %; so it may be in the cells of extreme targets.
    single = [
        {"prompts": n, "target": p, "rating_se": se, "references": 1, "temperature": 0.0}
        for n in (20, 50, 200, 805)
        for p in (0.02, 0.1, 0.3, 0.5, 0.9, 0.98)
        for se in (5, 40)
    ]
    other = [
        {"prompts": n, "target": p, "rating_se": 5, "references": refs, "temperature": tau}
        for n in (20, 200)
        for p in (0.1, 0.5)
        for refs, tau in ((3, 0.0), (1, 0.5))
    ]
    joint = [
        {"policies": k, "prompts": n, "favour": favour, "step": step}
        for favour in (0, 100)
        for step in (0.0, 1.0)
        for k, n in ((6, 100), (12, 200))
    ]
    one = (coverage(INTERVAL, band=(0.92, 1.0)), figure(OPEN))
    many = (
        *(figure(name) for name in (BEFORE, INSIDE, CROSSED, FRESH, RATIO)),
        size(WORSE, band=(0.0, 0.001)),
        figure(REFUSED),
    )
    return [Cell(c, one_offset, one, replicates=400, small=5) for c in (*single, *other)] + [
        Cell(c, joint_offsets, many, replicates=40, small=3) for c in joint
    ]


def one_offset(
    rng: np.random.Generator,
    *,
    prompts: int,
    target: float,
    rating_se: float,
    references: int,
    temperature: float,
) -> dict[str, float]:
    """A policy that its RM over-values by 100 Elo, over references of one rating: the true offset takes that back."""
    gap = float(ELO_PER_LOGIT * np.log(target / (1 - target)))
    rating = np.append(1000 + gap, np.full(references, 1000.0))
    favour = np.append(100.0, np.zeros(references))
    world = draw_world(
        rng,
        policies=references + 1,
        prompts=prompts,
        rating=rating,
        favour=favour,
        rating_se=rating_se,
    )
    truth = -100 / ELO_PER_LOGIT
    how: dict[str, Any] = {"over": world.policies[0], "references": world.policies[1:], "draws": DRAWS}
    if temperature:
        how |= {"link": "sigmoid", "temperature": temperature}
        truth = _true_sigmoid_offset(gap, temperature)
    row = _quietly(solve_offsets, world, seed=int(rng.integers(2**31)), cross_fit=False, **how).frame.row(
        0, named=True
    )
    low = -np.inf if row["ci_low"] is None else row["ci_low"]
    high = np.inf if row["ci_high"] is None else row["ci_high"]
    return {INTERVAL: float(low <= truth <= high), OPEN: float(row["ci_open"] is not None)}


def joint_offsets(
    rng: np.random.Generator, *, policies: int, prompts: int, favour: float, step: float
) -> dict[str, float]:
    """Mean |win rate - target| over pairs, before and after; scores on a grid of ``step`` where it is above 0."""
    drawn = draw_world(rng, policies=policies, prompts=2 * prompts, favour=favour)
    score = np.round(drawn.score / step) * step if step else drawn.score
    world, fresh = (_with_score(drawn, half) for half in (score[:prompts], score[prompts:]))
    solved = _quietly(solve_joint_offsets, world, draws=0)
    table, deltas = solved.residuals, solved.frame["delta"].to_numpy()
    inside, crossed, before = (
        float((table[c] - table["target"]).abs().mean()) for c in ("after", "after_cross_fitted", "before")
    )
    code = {name: k for k, name in enumerate(world.policies)}
    k, r = (np.array([code[p] for p in table[side]]) for side in ("policy", "reference"))
    moved = fresh.score + deltas
    rates = hard_outcomes(moved[:, k] - moved[:, r]).mean(axis=0)
    outside = float(np.abs(rates - table["target"].to_numpy()).mean())
    return {
        BEFORE: before,
        INSIDE: inside,
        CROSSED: crossed,
        FRESH: outside,
        RATIO: crossed / outside,
        WORSE: float(inside > before + 1e-9),
        REFUSED: float(not deltas.any()),
    }


def _true_sigmoid_offset(gap: float, temperature: float) -> float:
    """Δ with E σ((m + Δ)/τ) = P for logistic margins about the gap plus 100 Elo, by quantiles of the logistic."""
    share = (np.arange(200_000) + 0.5) / 200_000
    margins = (gap + 100) / ELO_PER_LOGIT + np.log(share / (1 - share))
    target, low, high = 1 / (1 + np.exp(-gap / ELO_PER_LOGIT)), -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2
        mean = np.mean(0.5 + 0.5 * np.tanh((margins + middle) / (2 * temperature)))
        low, high = (middle, high) if mean < target else (low, middle)
    return (low + high) / 2


def _with_score(world: World, score: np.ndarray) -> World:
    return World(world.true_rating, world.true_favour, world.sharpness, world.rating, world.rating_se, score)


def _quietly(verb: Any, world: World, **how: Any) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        return verb(world.scores(), world.ratings(), **how)
