"""Small seeded worlds for the tests of style calibration: scores, texts' features as columns, ratings."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from charm_rm.features import StyleFeatures
from charm_rm.statistics import FloatArray
from charm_rm.style.inputs import Problem, pose_problem
from charm_rm.tables import Margins, Ratings, Responses, Scores


@dataclass(frozen=True, eq=False)
class World:
    """``score`` (K, n), NaN where missing; ``phi`` (K, n, d); ``rating`` (K,)."""

    score: FloatArray
    phi: FloatArray
    rating: FloatArray

    @property
    def names(self) -> list[str]:
        return [f"x{j}" for j in range(self.phi.shape[2])]

    @property
    def own(self) -> list[str]:
        return [f"column:{name}" for name in self.names]

    @property
    def policies(self) -> list[str]:
        return [f"m{k:02d}" for k in range(len(self.rating))]

    def _frame(self) -> pl.DataFrame:
        k, n = self.score.shape
        keys = {
            "prompt_id": np.tile([f"p{i:04d}" for i in range(n)], k),
            "policy": np.repeat(self.policies, n),
        }
        values = {name: self.phi[:, :, j].ravel() for j, name in enumerate(self.names)}
        return pl.DataFrame(keys | {"score": self.score.ravel()} | values)

    def scores(self) -> Scores:
        frame = self._frame().filter(pl.col("score").is_not_nan())
        return Scores(frame.select("prompt_id", "policy", "score"))

    def margins(self) -> Margins:
        """Every pair's differences of scores, as judgements."""
        one = self.scores().frame
        both = one.join(one.rename({"policy": "reference", "score": "other"}), on="prompt_id")
        both = both.filter(pl.col("policy") < pl.col("reference"))
        margin = (pl.col("score") - pl.col("other")).alias("margin")
        return Margins(both.select("prompt_id", "policy", "reference", margin))

    def responses(self) -> Responses:
        frame = self._frame().drop("score")
        return Responses(frame.with_columns(prompt=pl.lit("ask"), response=pl.lit("say")))

    def ratings(self) -> Ratings:
        return Ratings(pl.DataFrame({"policy": self.policies, "rating": self.rating, "std_err": 5.0}))

    def features(self) -> StyleFeatures:
        return StyleFeatures(self._frame().drop("score"))

    def problem(self, *, limit: float = 4.0) -> Problem:
        return pose_problem(self.scores(), self.features(), self.ratings(), limit=limit)

    def expected(self) -> FloatArray:
        """(K, K) P_kl by the definition of Elo."""
        return 1 / (1 + 10 ** ((self.rating - self.rating[:, None]) / 400))


def world(
    seed: int = 0,
    *,
    policies: int = 8,
    prompts: int = 60,
    planted: tuple[float, ...] = (0.6, -0.4, 0.0),
    favour: float = 0.1,
    missing: float = 0.0,
) -> World:
    """s = θ + b·φ + favour + noise: the right weights are -b."""
    rng = np.random.default_rng(seed)
    theta = 0.6 * rng.standard_normal(policies)
    shape = (policies, prompts)
    phi = 0.5 * rng.standard_normal((policies, 1, len(planted))) + rng.standard_normal((*shape, len(planted)))
    score = theta[:, None] + phi @ np.array(planted) + 0.3 * rng.standard_normal(shape)
    score += favour * rng.standard_normal((policies, 1)) + 2 * rng.standard_normal(prompts)
    score[rng.random(shape) < missing] = np.nan
    return World(score, phi, 1000 + 400 / np.log(10) * theta)
