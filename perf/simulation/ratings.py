"""Ratings from votes: do intervals of rating differences cover where votes on one prompt go together?

Prompts have likings of their own: on prompt i the log-odds of k over l are θ_k - θ_l + v_ik - v_il, with v normal. The truth is what
the fit is consistent for, the Bradley-Terry strengths of the win rates that come of averaging over all prompts.
"""

from __future__ import annotations

from functools import cache

import numpy as np
import polars as pl

from charm_rm.ratings import fit_ratings
from charm_rm.statistics import ELO_PER_LOGIT, FloatArray, sigmoid
from charm_rm.tables import Battles, Ratings

from .cell import Cell, coverage

POLICIES = 6
STRENGTHS = np.linspace(-0.8, 0.8, POLICIES)


def draw_votes(
    rng: np.random.Generator, *, prompts: int, votes: int, liking: float, ties: float = 0.0
) -> Battles:
    """``votes`` battles between random pairs on each prompt; ``liking`` is the standard deviation of v in log-odds."""
    size = prompts * votes
    prompt = np.repeat(np.arange(prompts), votes)
    first = rng.integers(POLICIES, size=size)
    second = (first + rng.integers(1, POLICIES, size=size)) % POLICIES
    strength = STRENGTHS + liking * rng.standard_normal((prompts, POLICIES))
    won = rng.random(size) < sigmoid(strength[prompt, first] - strength[prompt, second])
    winner = np.where(rng.random(size) < ties, "tie", np.where(won, "a", "b"))
    names = np.array([f"m{k}" for k in range(POLICIES)])
    return Battles(
        pl.DataFrame(
            {
                "policy_a": names[first],
                "policy_b": names[second],
                "winner": winner,
                "prompt_id": prompt.astype(str),
            }
        )
    )


@cache
def true_strengths(*, liking: float, ties: float) -> FloatArray:
    """Where the fit of ever more votes goes: the strengths fitted to the expected wins of every pair."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    gap = STRENGTHS[:, None] - STRENGTHS[None, :]
    spread = np.sqrt(2.0) * liking * nodes
    rate = (sigmoid(gap[..., None] + spread) * weights).sum(axis=-1) / weights.sum()
    rate = (1 - ties) * rate + ties / 2
    k, r = np.nonzero(~np.eye(POLICIES, dtype=bool))
    names = np.array([f"m{i}" for i in range(POLICIES)])
    expected = pl.DataFrame({"policy_a": names[k], "policy_b": names[r], "winner": "a", "weight": rate[k, r]})
    return _by_name(fit_ratings(Battles(expected)))


def _by_name(ratings: Ratings) -> FloatArray:
    return ratings.frame.sort("policy")["rating"].to_numpy() / ELO_PER_LOGIT


def _one_fit(
    rng: np.random.Generator, *, prompts: int, votes: int, liking_elo: float, ties: float
) -> dict[str, float]:
    """Of the gaps between m0 and the five others: the share whose interval holds the truth, by clusters or without."""
    liking = liking_elo / ELO_PER_LOGIT
    battles = draw_votes(rng, prompts=prompts, votes=votes, liking=liking, ties=ties)
    truth = true_strengths(liking=liking, ties=ties)
    gaps = (truth - truth[0]) * ELO_PER_LOGIT
    found = {}
    for name, cluster in (("prompts as clusters", "prompt_id"), ("votes as independent", None)):
        frame = fit_ratings(battles, anchor=("m0", 0.0), cluster=cluster).frame.sort("policy")
        low, high = frame["ci_low"].to_numpy(), frame["ci_high"].to_numpy()
        found[f"rating gap, {name}"] = float(((low <= gaps) & (gaps <= high))[1:].mean())
    return found


def cells() -> list[Cell]:
    """Prompts with and without likings, few and many, with and without ties."""
    worlds = [
        {"prompts": 400, "votes": 4, "liking_elo": 0, "ties": 0.0},
        {"prompts": 150, "votes": 4, "liking_elo": 200, "ties": 0.0},
        {"prompts": 100, "votes": 10, "liking_elo": 200, "ties": 0.0},
        {"prompts": 100, "votes": 10, "liking_elo": 200, "ties": 0.3},
        {"prompts": 30, "votes": 20, "liking_elo": 200, "ties": 0.0},
    ]
    return [
        Cell(
            settings=settings,
            replicate=_one_fit,
            figures=(
                coverage("rating gap, prompts as clusters"),
                # what is offered by cluster=None, to show what it costs where votes go together
                coverage("rating gap, votes as independent", band=(0.5, 0.985)),
            ),
            replicates=400,
            small=40,
        )
        for settings in worlds
    ]
