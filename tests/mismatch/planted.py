"""Small models with planted favour, shared by the tests of what is built on audits."""

from __future__ import annotations

import numpy as np
import polars as pl

from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.tables import Ratings, Scores

POLICIES = ["ant", "bee", "cow", "dog", "elk", "fox", "gnu", "hen"]
RATING = dict(zip(POLICIES, [1300.0, 1240.0, 1200.0, 1150.0, 1110.0, 1060.0, 1000.0, 940.0], strict=True))


def ratings(std_err: float = 8.0) -> Ratings:
    """Ratings of the eight policies."""
    return Ratings(pl.DataFrame({"policy": POLICIES, "rating": list(RATING.values()), "std_err": std_err}))


def noise(seed: int, prompts: int = 120) -> np.ndarray:
    """Gumbel noise, (prompts, policies): differences of scores are logistic."""
    return np.random.default_rng(seed).gumbel(size=(prompts, len(POLICIES)))


def scores(chance: np.ndarray, *, favour: dict[str, float] | None = None, sharpness: float = 1.5) -> Scores:
    """Scores with this noise, of a model with these favours."""
    level = [sharpness * (RATING[p] + (favour or {}).get(p, 0.0)) / ELO_PER_LOGIT for p in POLICIES]
    values = np.array(level) + chance
    prompts = [f"p{i:04d}" for i in range(len(values))]
    return Scores(
        pl.DataFrame(
            {
                "prompt_id": np.repeat(prompts, len(POLICIES)),
                "policy": POLICIES * len(values),
                "score": values.ravel(),
            }
        )
    )
