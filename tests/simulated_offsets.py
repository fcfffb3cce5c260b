"""Small seeded scores and ratings for the tests of the offset verbs."""

from __future__ import annotations

import numpy as np
import polars as pl

from charm_rm.tables import Ratings, Scores


def scores_of(values: dict[str, list[float | None]]) -> Scores:
    """Scores from one list per policy; None: not scored."""
    rows = [(f"p{i:04d}", name, s) for name, column in values.items() for i, s in enumerate(column)]
    frame = pl.DataFrame(rows, schema=["prompt_id", "policy", "score"], orient="row", strict=False)
    return Scores(frame.drop_nulls())


def ratings_of(values: dict[str, float], std_err: float = 5.0) -> Ratings:
    """Ratings with one standard error for all."""
    return Ratings(
        pl.DataFrame({"policy": list(values), "rating": list(values.values())}).with_columns(
            pl.lit(std_err).alias("std_err")
        )
    )


def arena(n: int, k: int, *, seed: int, missing: float = 0.0) -> tuple[Scores, Ratings]:
    """K policies A, B, ... on n prompts: scores with a prompt effect and a policy bias unlike the ratings."""
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 1)) + rng.normal(size=k) + rng.normal(size=(n, k))
    values[rng.random((n, k)) < missing] = np.nan
    names = [chr(ord("A") + j) for j in range(k)]
    columns = {
        name: [None if np.isnan(x) else float(x) for x in values[:, j]] for j, name in enumerate(names)
    }
    ratings = dict(zip(names, (1100 + 60 * rng.normal(size=k)).tolist(), strict=True))
    return scores_of(columns), ratings_of(ratings)
