"""Reward models with known favour, on simulated prompts: what every table of coverage is drawn from.

With θ_k = a·ρ_k + b_k and s_ki = θ_k + Gumbel noise the difference of two scores is logistic, so that policy k wins with
probability sigmoid(θ_k - θ_l), exactly: hard win rates follow Bradley-Terry, a is the sharpness and b_k / a the favour.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from charm_rm.statistics import ELO_PER_LOGIT, FloatArray
from charm_rm.tables import Ratings, Scores


@dataclass(frozen=True, eq=False)
class World:
    """One draw: the truth, and what an audit is given.

    ``true_rating`` (K,) and ``true_favour`` (K,) are in Elo points; ``rating`` is what the audit sees, with standard
    error ``rating_se``; ``score`` is (n_prompts, K).
    """

    true_rating: FloatArray
    true_favour: FloatArray
    sharpness: float
    rating: FloatArray
    rating_se: float
    score: FloatArray

    @property
    def policies(self) -> list[str]:
        """Their names, in the order of the arrays."""
        return [f"m{k:02d}" for k in range(len(self.rating))]

    def ratings(self) -> Ratings:
        """The ratings as an audit reads them."""
        return Ratings(
            pl.DataFrame({"policy": self.policies, "rating": self.rating, "std_err": self.rating_se})
        )

    def scores(self) -> Scores:
        """The scores as an audit reads them."""
        n_prompts, size = self.score.shape
        return Scores(
            pl.DataFrame(
                {
                    "prompt_id": np.repeat([f"p{i:05d}" for i in range(n_prompts)], size),
                    "policy": np.tile(self.policies, n_prompts),
                    "score": self.score.ravel(),
                }
            )
        )


def draw_world(
    rng: np.random.Generator,
    *,
    policies: int,
    prompts: int,
    favour: FloatArray | float = 0.0,
    sharpness: float = 1.0,
    spread: float = 100.0,
    rating_se: float = 5.0,
    rating: FloatArray | None = None,
) -> World:
    """Draw ratings (normal, standard deviation ``spread`` Elo, unless ``rating`` is given), what is seen of them, and scores.

    ``favour`` is b_k / a in Elo points: one number per policy, or a standard deviation to draw them with.
    """
    true_rating = (
        1000 + spread * rng.standard_normal(policies) if rating is None else np.asarray(rating, float)
    )
    true_favour = favour * rng.standard_normal(policies) if np.isscalar(favour) else np.asarray(favour, float)
    theta = sharpness * (true_rating + true_favour) / ELO_PER_LOGIT
    return World(
        true_rating=true_rating,
        true_favour=true_favour,
        sharpness=sharpness,
        rating=true_rating + rating_se * rng.standard_normal(policies),
        rating_se=rating_se,
        score=theta + rng.gumbel(size=(prompts, policies)),
    )
