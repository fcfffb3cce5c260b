"""Style calibration in worlds whose biases are planted: whether the weights' intervals hold them, and what the figures on policies left out are worth.

People's win rate of policies k over l is mean_i σ(q_ki - q_li) over prompts i, with q_ki = θ_k + noise (+ ``better``·φ_ki, where style makes answers better); the
ratings are Bradley-Terry's fit to these, with an error of 5 Elo. The reward model gives s_ki = q_ki + b·φ_ki + c_k + noise. The planted weights are -b, in score
units for one unit of a feature. ``favour`` is the standard deviation of c_k, of a policy's own favour that no feature tells of; with ``confounded`` c_k moves with the
policy's mean of the first feature. ``alike`` is the correlation of features, ``rare`` makes the last one that of two policies alone; with ``varying`` b differs from prompt to prompt with
that standard deviation, relative to b.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from charm_rm.errors import CharmWarning
from charm_rm.features import StyleFeatures
from charm_rm.margins import PairedMargins
from charm_rm.mismatch.strengths import fit_strengths
from charm_rm.statistics import ELO_PER_LOGIT, FloatArray, sigmoid
from charm_rm.style import solve_style_offsets
from charm_rm.style.cross_validation import cross_fit, deal_folds, held_out_margins
from charm_rm.style.fitting import Bounds, fit_weights
from charm_rm.style.held_out import held_out_figures
from charm_rm.style.inputs import Problem, pose_problem
from charm_rm.style.uncertainty import weight_intervals
from charm_rm.tables import Ratings, Responses, Scores

from .cell import Cell, Figure, coverage, figure, size

PLANTED = (0.3, -0.2, 0.1)
BETWEEN, QUALITY, NOISE, RATING_SE = 0.5, 0.5, 0.5, 5.0
_NODES, _MASS = np.polynomial.hermite_e.hermegauss(21)
ROWS = ("sharpness_fitted_mismatch", "spearman")
HEADLINE = (*ROWS, "mean_abs_mismatch", "mean_abs_favour")
PENALTY = 1e-3


@dataclass(frozen=True, eq=False)
class StyleWorld:
    """Scores (K, n), features (K, n, d) and ratings (K,) as seen; ``planted`` (d,) is b."""

    score: FloatArray
    features: FloatArray
    rating: FloatArray
    planted: FloatArray

    @property
    def names(self) -> list[str]:
        """The features' columns."""
        return [f"x{j}" for j in range(self.features.shape[2])]

    def keys(self) -> dict[str, np.ndarray]:
        """prompt_id and policy of every response."""
        k, n = self.score.shape
        return {
            "prompt_id": np.tile([f"p{i:05d}" for i in range(n)], k),
            "policy": np.repeat([f"m{j:03d}" for j in range(k)], n),
        }

    def columns(self) -> dict[str, FloatArray]:
        """The features by name."""
        return {name: self.features[:, :, j].ravel() for j, name in enumerate(self.names)}

    def scores(self) -> Scores:
        return Scores(pl.DataFrame(self.keys() | {"score": self.score.ravel()}))

    def responses(self) -> Responses:
        texts = {"prompt": [""] * self.score.size, "response": [""] * self.score.size}
        return Responses(pl.DataFrame(self.keys() | texts | self.columns()))

    def ratings(self) -> Ratings:
        policies = [f"m{j:03d}" for j in range(len(self.rating))]
        return Ratings(pl.DataFrame({"policy": policies, "rating": self.rating, "std_err": RATING_SE}))


def draw_style_world(
    rng: np.random.Generator,
    *,
    policies: int,
    prompts: int,
    features: int = 5,
    planted: bool = True,
    favour: float = 0.0,
    confounded: float = 0.0,
    better: float = 0.0,
    alike: float = 0.0,
    rare: bool = False,
    varying: float = 0.0,
) -> StyleWorld:
    """One world, as the head of this file has it."""
    mix = np.linalg.cholesky((1 - alike) * np.eye(features) + alike)
    b = np.zeros(features)
    b[: len(PLANTED)] = np.array(PLANTED) * planted
    means = BETWEEN * rng.standard_normal((policies, features)) @ mix.T
    within = np.sqrt(1 - BETWEEN**2) * rng.standard_normal((policies, prompts, features)) @ mix.T
    phi = means[:, None] + within
    if rare:
        phi[:, :, -1] = 0.0
        phi[:2, :, -1] = 3.0 * (rng.random((2, prompts)) < 0.5)
    theta = 100 / ELO_PER_LOGIT * rng.standard_normal(policies)
    quality = theta[:, None] + better * phi[:, :, 0] + QUALITY * rng.standard_normal((policies, prompts))
    own = favour * rng.standard_normal(policies) + confounded * means[:, 0] / BETWEEN
    by_prompt = b * (1 + varying * rng.standard_normal((1, prompts, 1)))
    score = quality + (phi * by_prompt).sum(axis=2) + own[:, None]
    score += NOISE * rng.standard_normal((policies, prompts))
    noise = np.sqrt(2 * (QUALITY**2 + better**2 * (1 - BETWEEN**2)))
    rating = _ratings(theta + better * means[:, 0], noise) + RATING_SE * rng.standard_normal(policies)
    return StyleWorld(score, phi, rating, b)


def _ratings(level: FloatArray, noise: float) -> FloatArray:
    """Bradley-Terry's Elo of win rates E σ(level_k - level_l + noise z), z normal."""
    gaps = (level[:, None] - level)[:, :, None] + noise * _NODES
    wins = (sigmoid(gaps) * _MASS / _MASS.sum()).sum(axis=2)
    np.fill_diagonal(wins, 0.0)
    return np.asarray(1000 + ELO_PER_LOGIT * fit_strengths(wins).theta)


def _one_fit(rng: np.random.Generator, **settings: Any) -> dict[str, float]:
    """Intervals of the weights against -b, with one penalty: they are around weights without it."""
    world = draw_style_world(rng, **settings)
    problem = _problem(world)
    common: dict[str, Any] = {"scale": problem.spread, "bounds": Bounds.none(len(problem.names))}
    fitted = fit_weights([problem.part], temperature=None, penalty=PENALTY, **common)
    found = weight_intervals([problem.part], fitted, **common)
    truth = -world.planted * problem.sd / problem.spread
    covered, null = (found.low <= truth) & (truth <= found.high), world.planted == 0
    significant = (found.low > 0) | (found.high < 0)
    return {
        "weights": float(covered.mean()),
        "the first weight": float(covered[0]),
        "no bias called one": float(significant[null].mean()),
        "the first found": float(significant[0]),
        "the first less the truth, score": float((found.estimate - truth)[0] * problem.spread),
        "its standard error": float(found.std_err[0] * problem.spread),
    }


def _one_calibration(rng: np.random.Generator, **settings: Any) -> dict[str, float]:
    """The public verb, as a user has it: what the figures on policies left out say where there is something to correct, and where not."""
    world = draw_style_world(rng, **settings)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        found = solve_style_offsets(
            world.scores(),
            world.responses(),
            world.ratings(),
            features=(),
            own=[f"column:{name}" for name in world.names],
            draws=0,
        )
    rows = {row["metric"]: row for row in found.held_out}
    return {
        "first weight in use, score / sd": float(found.weights[0]),
        "mean abs(P̂-P), sharpness fitted": rows[ROWS[0]]["before"],
        "its change, held out": rows[ROWS[0]]["after"] - rows[ROWS[0]]["before"],
        "change of Spearman, held out": rows[ROWS[1]]["after"] - rows[ROWS[1]]["before"],
        "kept": found.kept,
    }


FRESH_PROMPTS = 1000


def _one_headline(rng: np.random.Generator, *, prompts: int, **settings: Any) -> dict[str, float]:
    """Intervals of the figures on policies left out, against the same policies and weights on many fresh prompts, and against fresh policies."""
    world = draw_style_world(rng, prompts=prompts + FRESH_PROMPTS, **settings)
    whole = _problem(world)
    here = np.arange(prompts + FRESH_PROMPTS) < prompts
    near, far = whole.at(here), whole.at(~here)
    folds = deal_folds(near, folds=5, seed=0)
    fits = cross_fit(near, folds, bounds=Bounds.none(len(whole.names)))
    seen = _figures(near, held_out_margins(near, fits, folds, keep=0.0), draws=400)
    other = replace(folds, prompt=np.arange(FRESH_PROMPTS) % 2)
    true = _figures(far, held_out_margins(far, fits, other, keep=0.0), draws=0)
    found = {}
    for name in HEADLINE:
        low, high = seen[name]["ci_low"], seen[name]["ci_high"]
        found[f"{name}: these policies"] = float(low <= true[name]["after"] <= high)
    strangers = _strangers(draw_style_world(rng, prompts=FRESH_PROMPTS, **settings), whole)
    fresh = _figures(strangers, held_out_margins(strangers, fits, other, keep=0.0), draws=0)["spearman"]
    row = seen["spearman"]
    found["spearman, held out less that of fresh policies"] = row["after"] - fresh["after"]
    found["spearman: fresh policies"] = float(row["ci_low"] <= fresh["after"] <= row["ci_high"])
    return found


def _problem(world: StyleWorld) -> Problem:
    table = StyleFeatures(pl.DataFrame(world.keys() | world.columns()))
    return pose_problem(world.scores(), table, world.ratings(), limit=4.0)


def _figures(problem: Problem, margins: PairedMargins, *, draws: int) -> dict[str, dict[str, Any]]:
    rows = held_out_figures(problem, margins, length_only=None, draws=draws, seed=0)
    return {row["metric"]: row for row in rows}


def _strangers(world: StyleWorld, whole: Problem) -> Problem:
    """Other policies, their features standardised as those of the whole."""
    problem = _problem(world)
    values = problem.part.features * problem.sd + problem.centre
    part = replace(problem.part, features=(values - whole.centre) / whole.sd)
    return replace(problem, part=part)


def cells() -> list[Cell]:
    """Few and many policies and prompts, favour of their own, features alike or rare, no bias, style that helps, confounding; the headline."""
    base: dict[str, Any] = {"policies": 20, "prompts": 100}
    fits = [
        base,
        base | {"prompts": 200},
        base | {"favour": 0.3},
        base | {"favour": 0.3, "alike": 0.6},
        base | {"features": 12, "favour": 0.3},
        base | {"rare": True, "favour": 0.3},
        base | {"varying": 1.0},
        base | {"policies": 46},
        base | {"policies": 46, "favour": 0.3},
        base | {"planted": False, "favour": 0.3},
        base | {"planted": False, "better": 0.3, "favour": 0.1},
        base | {"confounded": 0.1, "favour": 0.1},
        base | {"confounded": 0.3, "favour": 0.1},
    ]
    calibrations = [
        base | {"favour": 0.1},
        base | {"planted": False, "favour": 0.1},
        base | {"planted": False, "favour": 0.3},
        base | {"planted": False, "better": 0.3, "favour": 0.1},
        base | {"planted": False, "confounded": 0.3, "favour": 0.1},
    ]
    return [
        *(Cell(w, _one_fit, _fit_figures(w), replicates=200, small=20) for w in fits),
        *(Cell(w, _one_calibration, _calibration_figures(w), replicates=60, small=5) for w in calibrations),
        Cell(base | {"favour": 0.3}, _one_headline, _headline_figures(), replicates=40, small=2),
    ]


def _fit_figures(world: dict[str, Any]) -> tuple[Figure, ...]:
    anywhere = (0.0, 1.0) if world.get("confounded") else None
    return (
        coverage("weights", band=anywhere),
        coverage("the first weight", band=anywhere),
        size("no bias called one", band=anywhere or (0.0, 0.07)),
        figure("the first found"),
        figure("the first less the truth, score"),
        figure("its standard error"),
    )


def _calibration_figures(world: dict[str, Any]) -> tuple[Figure, ...]:
    return (
        figure("first weight in use, score / sd"),
        figure("mean abs(P̂-P), sharpness fitted"),
        figure("its change, held out", band=None if world.get("planted", True) else (-1.0, 0.01)),
        figure("change of Spearman, held out"),
        figure("kept"),
    )


def _headline_figures() -> tuple[Figure, ...]:
    return (
        *(coverage(f"{name}: these policies", band=(0.85, 1.0)) for name in HEADLINE),
        figure("spearman, held out less that of fresh policies"),
        figure("spearman: fresh policies"),
    )
