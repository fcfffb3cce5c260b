"""The same weights from votes on the responses themselves, where there are votes with text.

A vote says which of two responses to one prompt a person prefers: log-odds (s'_a - s'_b) / T = β (s_a - s_b) + γ·(φ_a - φ_b), so that
w = γ / β and T = 1 / β. A fit to policies' ratings sees differences between policies alone, and takes what goes with style there for
style (ecological inference); votes see differences within policies, too. The two are compared feature by feature, and can be put together.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from ..errors import CharmError, ConfigError, NoOverlap, NotConverged, NotIdentifiable
from ..estimates import Z95
from ..features import StyleFeatures
from ..given import ScoresLike, as_scores
from ..ratings import BattlesLike, as_battles
from ..samples import refuse_samples
from ..statistics import FloatArray, IntArray, sigmoid, two_sided_p
from ..tables import Battles, Scores
from .calibrator import Calibrator

_STEPS, _STILL = 60, 1e-10


@dataclass(frozen=True, eq=False)
class VoteWeights:
    """Weights (d,) in the scores' unit for one standard deviation of a feature, their covariance (d, d), and T, from votes."""

    names: tuple[str, ...]
    weights: FloatArray
    covariance: FloatArray
    temperature: float
    n_votes: int
    n_prompts: int

    @property
    def std_err(self) -> FloatArray:
        return np.asarray(np.sqrt(np.diag(self.covariance)))


def fit_vote_weights(
    votes: BattlesLike, scores: ScoresLike, features: StyleFeatures, calibrator: Calibrator
) -> VoteWeights:
    """Fit w and T to votes by maximum likelihood, with a covariance clustered by prompt.

    Args:
        votes: with ``prompt_id``; ties count half.
        scores: of the responses voted on.
        features: of the same responses (:func:`charm_rm.style.apply.measure_for`).
        calibrator: whose features, centred and scaled as there, are weighed.

    Raises:
        ConfigError: the votes name no prompts, or the calibrator is of judgements.
        NoOverlap: no vote is on two responses with scores and features.
        NotIdentifiable: the votes do not tell the features apart, or go against the scores.
    """
    votes = as_battles(votes)
    scores = as_scores(scores)
    refuse_samples(features, why="a vote is on one response of each")
    if "prompt_id" not in votes.frame.columns:
        raise ConfigError(
            "the votes name no prompts, so that responses cannot be found", fix="add a column prompt_id"
        )
    if calibrator.unit != "score":
        raise ConfigError(
            "weights from votes need scores; this calibrator is of judgements",
            fix="use a calibrator of scores",
        )
    rows, outcome, prompt = _differences(votes, scores, features, calibrator)
    beta, covariance = _logistic(rows, outcome, prompt)
    if not beta[0] > 0:
        raise NotIdentifiable(
            f"votes go against the scores (slope {beta[0]:.3g}): no scale turns one into the other",
            where="style calibration, votes",
            fix="check prompt_id and policies, and which way scores point",
        )
    weights = beta[1:] / beta[0]
    # w = γ / β: ∂w/∂β = -γ / β², ∂w/∂γ = 1 / β
    slope = np.hstack([-(weights / beta[0])[:, None], np.eye(len(weights)) / beta[0]])
    return VoteWeights(
        calibrator.names,
        np.asarray(weights),
        np.asarray(slope @ covariance @ slope.T),
        float(1 / beta[0]),
        len(outcome),
        int(prompt.max()) + 1,
    )


def compare_with_votes(calibrator: Calibrator, votes: VoteWeights) -> pl.DataFrame:
    """One row a feature: the weight from policies (without the penalty) and from votes with 95 % intervals, their difference and its p."""
    ours = np.array([f.unpenalised for f in calibrator.features])
    errors = np.array([np.nan if f.std_err is None else f.std_err for f in calibrator.features])
    gap = votes.weights - ours
    return pl.DataFrame(
        {
            "feature": calibrator.names,
            "policies": ours,
            "policies_ci_low": [f.ci_low for f in calibrator.features],
            "policies_ci_high": [f.ci_high for f in calibrator.features],
            "votes": votes.weights,
            "votes_ci_low": votes.weights - Z95 * votes.std_err,
            "votes_ci_high": votes.weights + Z95 * votes.std_err,
            "difference": gap,
            "p_value": two_sided_p(gap, np.sqrt(errors**2 + votes.std_err**2)),
        }
    )


def with_votes(calibrator: Calibrator, votes: VoteWeights) -> Calibrator:
    """The calibrator with each weight the mean of both (that from policies without the penalty), weighed by precision: (w₁/e₁² + w₂/e₂²) / (1/e₁² + 1/e₂²).

    Its held-out figures were those of the weights from policies alone, and are left out. T stays.

    Raises:
        ConfigError: its weights have no standard errors.
    """
    features = []
    for one, weight, error in zip(calibrator.features, votes.weights, votes.std_err, strict=True):
        if one.std_err is None:
            raise ConfigError(
                "the calibrator's weights have no standard errors to weigh them by",
                fix="solve it on more policies than features, with no weight fixed",
            )
        precision, other = 1 / max(one.std_err, 1e-300) ** 2, 1 / max(float(error), 1e-300) ** 2
        both = float((one.unpenalised * precision + weight * other) / (precision + other))
        spread = float((precision + other) ** -0.5)
        features.append(
            replace(
                one,
                weight=both,
                estimate=both,
                std_err=spread,
                ci_low=both - Z95 * spread,
                ci_high=both + Z95 * spread,
            )
        )
    told = {**calibrator.provenance, "votes": {"n": votes.n_votes, "prompts": votes.n_prompts}}
    return replace(calibrator, features=tuple(features), held_out=(), provenance=told)


# --- the fit ----------------------------------------------------------------------------------------


def _differences(
    votes: Battles, scores: Scores, features: StyleFeatures, calibrator: Calibrator
) -> tuple[FloatArray, FloatArray, IntArray]:
    """(n, 1 + d) score and feature differences of each vote, its outcome, and the number of its prompt."""
    names = list(calibrator.names)
    standard = calibrator.standardised(features.frame.select(names).to_numpy())
    seen = features.frame.select("prompt_id", "policy").with_columns(
        pl.Series(f"f{j}", standard[:, j]) for j in range(len(names))
    )
    seen = seen.join(scores.frame.select("prompt_id", "policy", "score"), on=["prompt_id", "policy"])
    columns = ["score", *(f"f{j}" for j in range(len(names)))]
    frame = votes.frame.select("prompt_id", "policy_a", "policy_b", "winner").drop_nulls()
    for side in "ab":
        mine = seen.rename({"policy": f"policy_{side}"} | {c: f"{c}_{side}" for c in columns})
        frame = frame.join(mine, on=["prompt_id", f"policy_{side}"])
    if frame.is_empty():
        raise NoOverlap(
            "no vote is on two responses that have scores and texts",
            where="style calibration, votes",
            fix="check prompt_id and the names of policies",
        )
    rows = np.column_stack([(frame[f"{c}_a"] - frame[f"{c}_b"]).to_numpy() for c in columns])
    outcome = frame["winner"].replace_strict(Battles.worth, return_dtype=pl.Float64).to_numpy()
    prompt = frame["prompt_id"].rank("dense").to_numpy().astype(np.int64) - 1
    return rows, outcome, prompt


def _logistic(rows: FloatArray, outcome: FloatArray, cluster: IntArray) -> tuple[FloatArray, FloatArray]:
    """Logistic regression without intercept by Newton's method, and its covariance H⁻¹ (Σ_g u_g u_g') H⁻¹ G/(G-1)."""
    scale = np.sqrt((rows**2).mean(axis=0))
    if not (scale > 0).all():
        raise _not_told()
    x = rows / scale
    beta = np.zeros(x.shape[1])
    try:
        for _ in range(_STEPS):
            p = sigmoid(x @ beta)
            step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x, x.T @ (outcome - p))
            beta = beta + step * min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-300))
            if np.abs(step).max() < _STILL:
                break
        else:
            raise NotConverged(
                "the fit to votes does not settle: some difference all but decides them",
                where="style calibration, votes",
                fix="use fewer features, or more votes",
            )
        p = sigmoid(x @ beta)
        bread = np.linalg.inv((x * (p * (1 - p))[:, None]).T @ x)
    except np.linalg.LinAlgError:
        raise _not_told() from None
    n = int(cluster.max()) + 1
    score = np.zeros((n, x.shape[1]))
    np.add.at(score, cluster, x * (outcome - p)[:, None])
    covariance = bread @ (score.T @ score) @ bread * n / max(n - 1, 1)
    return beta / scale, np.asarray(covariance / np.outer(scale, scale))


def _not_told() -> CharmError:
    return NotIdentifiable(
        "the votes do not tell scores and features apart",
        where="style calibration, votes",
        fix="use fewer features, or more votes",
    )
