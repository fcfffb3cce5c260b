"""Policies whose style a reward model over-values by known amounts, small enough for tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.tables import Ratings, Responses, Scores

FAST = {"fit_temperature": 1.4, "penalty": 1e-3, "draws": 100}
OWN = ("column:x0", "column:x1")


@dataclass(frozen=True, eq=False)
class Styled:
    """Scores s = ρ + favour + Σ_j slope_j φ_j + Gumbel noise, of policies with mean features ``mean`` (K, 2)."""

    scores: Scores
    responses: Responses
    ratings: Ratings
    mean: np.ndarray


def styled(
    *,
    slope: tuple[float, float] = (1.0, 0.0),
    favour: float = 0.0,
    policies: int = 16,
    prompts: int = 100,
    seed: int = 0,
) -> Styled:
    """Draw such a world; ``favour`` is the standard deviation of what style does not explain, in Elo points."""
    rng = np.random.default_rng(seed)
    names = [f"m{k:02d}" for k in range(policies)]
    rating = 1000 + 150 * rng.standard_normal(policies)
    mean = 0.8 * rng.standard_normal((policies, 2))
    style = mean + 0.5 * rng.standard_normal((prompts, policies, 2))
    theta = (rating + favour * rng.standard_normal(policies)) / ELO_PER_LOGIT
    score = theta + style @ np.array(slope) + rng.gumbel(size=(prompts, policies))
    keys = {
        "prompt_id": np.repeat([f"p{i:03d}" for i in range(prompts)], policies),
        "policy": np.tile(names, prompts),
    }
    texts = {"prompt": keys["prompt_id"], "response": keys["policy"]}
    columns = {f"x{j}": style[:, :, j].ravel() for j in range(2)}
    return Styled(
        Scores(pl.DataFrame(keys | {"score": score.ravel()})),
        Responses(pl.DataFrame(keys | texts | columns)),
        Ratings(pl.DataFrame({"policy": names, "rating": rating, "std_err": np.full(policies, 3.0)})),
        mean,
    )
