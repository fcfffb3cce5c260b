"""Sample sizes: with the prompts, items or votes that ``charm power`` asks for, is the effect found as often as it says?

Every world has the number that was planned for a power of 0.8, and the effect that was planned for. Found means what the audit or the
comparison means by it: q <= 5 % and an interval that leaves out 0.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from functools import lru_cache

import numpy as np
import polars as pl

from charm_rm.errors import CharmWarning
from charm_rm.evaluate import exact_mcnemar
from charm_rm.margins import Tally, pair_margins, tally_margins
from charm_rm.mismatch import compare_favour
from charm_rm.mismatch.favour import leave_one_out
from charm_rm.mismatch.measured import measure_line
from charm_rm.mismatch.pair_tests import pair_p_values
from charm_rm.mismatch.strengths import rm_strengths
from charm_rm.planning import (
    Asked,
    How,
    World,
    assume_accuracy,
    assume_favour,
    assume_favour_gap,
    assume_mismatch,
    votes_for_width,
)
from charm_rm.planning.plans import pairs_of
from charm_rm.ratings import fit_ratings, yardstick
from charm_rm.statistics import ELO_PER_LOGIT, benjamini_hochberg, sigmoid
from charm_rm.tables import Battles, Ratings

from .cell import Cell, figure
from .world import draw_world

POWER = 0.8
# The test of one of many is adjusted for as if no other were found, and the pilot's stand-in has noise of its own.
BAND = (0.77, 0.87)


@lru_cache
def _needed(kind: str, effect: float, world: World) -> int:
    asked, how = Asked(), How()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        if kind == "mismatch":
            plan = assume_mismatch(world, mismatch=effect, asked=asked, how=how)
        else:
            plan = (assume_favour if kind == "favour" else assume_favour_gap)(
                world, favour=effect, asked=asked, how=how
            )
    if plan.needed is None:
        raise ValueError(f"no number of prompts shows {kind} {effect}")
    return plan.needed


def _favour(
    rng: np.random.Generator, *, favour: float, policies: int, rating_error: float, scatter: float
) -> Mapping[str, float]:
    """One favoured policy, any of them: is it found?"""
    world = World(policies=policies, rating_error=rating_error, scatter=scatter)
    prompts = _needed("favour", favour, world)
    true = scatter * rng.standard_normal(policies)
    k = int(rng.integers(policies))
    true[k] = favour
    drawn = draw_world(
        rng, policies=policies, prompts=prompts, favour=true, rating=world.rating(), rating_se=rating_error
    )
    rated = yardstick(drawn.ratings(), tuple(drawn.policies))
    measured = measure_line(rm_strengths(tally_margins(pair_margins(drawn.scores()))), rated)
    found = leave_one_out(measured, "sample")
    q = benjamini_hochberg(found.p)
    return {"power": float(q[k] <= 0.05 and found.low[k] > 0), "prompts": float(prompts)}


def _gap(
    rng: np.random.Generator, *, favour: float, policies: int, rating_error: float, agreement: float
) -> Mapping[str, float]:
    """Two models that differ in one policy."""
    world = World(policies=policies, rating_error=rating_error, agreement=agreement)
    prompts = _needed("gap", favour, world)
    k = int(rng.integers(policies))
    common, alone = rng.gumbel(size=(2, prompts, policies))
    second = np.where(rng.random((prompts, 1)) < agreement, common, alone)
    own = favour / ELO_PER_LOGIT * (np.arange(policies) == k)
    rating = world.rating() + rating_error * rng.standard_normal(policies)
    seen = Ratings(pl.DataFrame({"policy": world.names(), "rating": rating, "std_err": rating_error}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        found = compare_favour(world.scores(common + own), world.scores(second), seen, draws=0)
    row = found.frame.row(by_predicate=pl.col("policy") == world.names()[k], named=True)
    return {"power": float(row["verdict"] == "first favours it more"), "prompts": float(prompts)}


@lru_cache
def _pairs(world: World) -> tuple[np.ndarray, np.ndarray]:
    """P of every pair and the variance of its log-odds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        expected = pairs_of(world.held(How()))[0]
    return expected, np.full(len(expected), 2 * (world.rating_error / ELO_PER_LOGIT) ** 2)


def _mismatch(
    rng: np.random.Generator, *, mismatch: float, policies: int, rating_error: float
) -> Mapping[str, float]:
    """Every pair by itself, with ratings that are off by their errors, tested at the level of one among all."""
    world = World(policies=policies, rating_error=rating_error)
    prompts = _needed("mismatch", mismatch, world)
    expected, doubt = _pairs(world)
    rate = expected + np.where(rng.random(len(expected)) < 0.5, -1, 1) * mismatch
    rate = np.where((rate > 0) & (rate < 1), rate, 2 * expected - rate)
    wins = rng.binomial(prompts, rate)
    gap = np.log(expected / (1 - expected)) + np.sqrt(doubt) * rng.standard_normal(len(expected))
    tally = _tally(wins, prompts)
    p = pair_p_values(tally, gap, doubt)
    found = (p <= 0.05 / len(p)) & ((wins / prompts > sigmoid(gap)) == (rate > expected))
    return {"power": float(found.mean()), "prompts": float(prompts)}


def _tally(wins: np.ndarray, n: int) -> Tally:
    """Counts of pairs; the test reads no more of a tally."""
    size = len(wins)
    rate = wins / n
    many = np.full(size, float(n))
    zero = np.zeros(size)
    pairs = np.zeros((size, 2), dtype=np.int64)
    return Tally(("a", "b"), pairs, many, rate, np.sqrt(rate * (1 - rate) / n), wins.astype(float), zero, None, None, np.zeros((2, 2)))  # fmt: skip


@lru_cache
def _items(accuracy: float, discordant: float) -> int:
    items = assume_accuracy(discordant, accuracy=accuracy).needed
    if items is None:
        raise ValueError("no number of items")
    return items


def _accuracy(rng: np.random.Generator, *, accuracy: float, discordant: float) -> Mapping[str, float]:
    """Two models on the same items, by McNemar's exact test."""
    items = _items(accuracy, discordant)
    differ = rng.binomial(items, discordant)
    better = int(rng.binomial(differ, (1 + accuracy / discordant) / 2))
    return {"power": float(exact_mcnemar(better, differ - better) <= 0.05), "items": float(items)}


def _votes(
    rng: np.random.Generator, *, width: float, policies: int, spread: float, ties: float
) -> Mapping[str, float]:
    """Ratings of so many votes: how wide are their intervals?"""
    votes = votes_for_width(width, policies=policies, spread=spread, ties=ties)
    rating = World(policies=policies, spread=spread).rating() / ELO_PER_LOGIT
    first = rng.integers(policies, size=votes)
    second = (first + rng.integers(1, policies, size=votes)) % policies
    p = sigmoid(rating[first] - rating[second])
    chance = rng.random(votes)
    # A tie takes half of its share from either side, so that the mean outcome stays p.
    winner = np.where(chance < p - ties / 2, "a", np.where(chance < p + ties / 2, "tie", "b"))
    names = np.array([f"m{k:02d}" for k in range(policies)])
    battles = Battles(pl.DataFrame({"policy_a": names[first], "policy_b": names[second], "winner": winner}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        errors = fit_ratings(battles).frame["std_err"].to_numpy()
    return {"half width over that asked for": float(1.96 * errors.mean() / width), "votes": float(votes)}


def cells() -> list[Cell]:
    """One world a kind of plan, and a second where its assumptions differ."""
    power = figure("power", band=BAND)
    prompts, items = figure("prompts"), figure("items")
    favour = [
        {"favour": 50.0, "policies": 20, "rating_error": 6.0, "scatter": 0.0},
        {"favour": 120.0, "policies": 12, "rating_error": 10.0, "scatter": 20.0},
    ]
    mismatch = [
        {"mismatch": 0.1, "policies": 10, "rating_error": 5.0},
        {"mismatch": 0.15, "policies": 6, "rating_error": 15.0},
    ]
    width = figure("half width over that asked for", band=(0.97, 1.03))
    return [
        *(Cell(s, _favour, (power, prompts), replicates=800, small=60) for s in favour),
        Cell({"favour": 40.0, "policies": 12, "rating_error": 6.0, "agreement": 0.5}, _gap, (power, prompts), replicates=800, small=40),
        *(Cell(s, _mismatch, (power, prompts), replicates=800, small=100) for s in mismatch),
        Cell({"accuracy": 0.05, "discordant": 0.2}, _accuracy, (power, items), replicates=4000, small=400),
        Cell({"width": 15.0, "policies": 10, "spread": 80.0, "ties": 0.3}, _votes, (width, figure("votes")), replicates=200, small=10),
    ]  # fmt: skip
