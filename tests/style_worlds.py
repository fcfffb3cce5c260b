"""A small arena whose policies differ in style and quality, and scores that over-value bold spans and, a little, length."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import polars as pl

from charm_rm.features import measure_features
from charm_rm.tables import Margins, Ratings, Responses, Scores
from charm_rm.testbed import simulate_arena

FEATURES = ("words", "bold", "exclamations")
BOLD, WORDS = 0.8, 0.3


@dataclass(frozen=True, eq=False)
class World:
    scores: Scores
    responses: Responses
    ratings: Ratings


@cache
def world(n_prompts: int = 60, *, seed: int = 0) -> World:
    """Scores of 12 policies: three times the quality, plus what a standard deviation of bold and of words is over-valued by."""
    import numpy as np

    arena = simulate_arena(seed=seed, n_prompts=n_prompts)
    style = measure_features(arena.responses, features=["bold", "words"]).values
    style = (style - style.mean(axis=0)) / style.std(axis=0)
    noise = np.random.default_rng(seed).normal(size=len(style))
    score = 3 * arena.quality["quality"].to_numpy() + style @ [BOLD, WORDS] + 0.3 * noise
    frame = arena.responses.frame.select("prompt_id", "policy").with_columns(pl.Series("score", score))
    ratings = Ratings(arena.true_ratings.frame.with_columns(std_err=pl.lit(8.0)))
    return World(Scores(frame), arena.responses, ratings)


def margins_of(scores: Scores) -> Margins:
    """Every pair's difference of scores as a judge's margins."""
    left = scores.frame.rename({"score": "a"})
    right = scores.frame.select("prompt_id", pl.col("policy").alias("reference"), pl.col("score").alias("b"))
    both = left.join(right, on="prompt_id").filter(pl.col("policy") < pl.col("reference"))
    return Margins(
        both.select("prompt_id", "policy", "reference", (pl.col("a") - pl.col("b")).alias("margin"))
    )
