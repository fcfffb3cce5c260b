"""Ratings of policies by people's votes: from the votes alone, and joined with what models say of every candidate."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl

from ...errors import CharmWarning, NotConverged, NotIdentifiable, listing
from ...errors import counted as count_of
from ...estimates import Z95
from ...ratings.identifiable import check_identifiable
from ...statistics import FloatArray
from ...tables import Ratings
from ..nouns import Counted
from ..results import CLASSICAL, POWERED
from .predictions import Predictions, predict_votes
from .rating_equation import TOLERANCE, Sample, sample_of, solve, tuned_lam, with_errors

SCHEMA = {
    "policy": pl.String, "estimator": pl.String, "rating": pl.Float64, "std_err": pl.Float64,
    "ci_low": pl.Float64, "ci_high": pl.Float64, "votes": pl.Int64,
}  # fmt: skip


def rating_table(
    counted: Counted, predicted: Predictions | None = None, *, prior: float = 0.0
) -> tuple[pl.DataFrame, Ratings | None, Ratings | None]:
    """The ``ratings`` table of :class:`..results.StudyAnalysis`, and the classical and the powered ratings as nouns.

    Args:
        counted: the votes that count, and every candidate.
        predicted: what :func:`.predictions.predict_votes` said of them; made where it is not given.
        prior: pseudo-votes per pair of policies that met, half won and half lost, each of the weight of an average vote.

    Where votes do not determine the ratings, a warning says why, and there are none; likewise where only the powered ones do not exist.
    """
    try:
        classical = study_ratings(counted, prior=prior)
    except (NotIdentifiable, NotConverged) as error:
        _warn(f"there are no ratings by people: {error.what}. {error.fix or ''}".rstrip())
        return pl.DataFrame(schema=SCHEMA), None, None
    powered = None
    if counted.models:
        predicted = predict_votes(counted) if predicted is None else predicted
        try:
            powered = study_ratings(counted, predicted, prior=prior)
        except (NotIdentifiable, NotConverged) as error:
            _warn(f"there are no {POWERED} ratings: {error.what}")
    parts = [_rows(classical, CLASSICAL)] + ([] if powered is None else [_rows(powered, POWERED)])
    return pl.concat(parts), classical, powered


def study_ratings(
    counted: Counted,
    predicted: Predictions | None = None,
    *,
    lam: float | None = None,
    prior: float = 0.0,
    mean: float = 1000.0,
) -> Ratings:
    """Bradley-Terry ratings of all candidates, with 95 % intervals and their covariance, best first.

    Args:
        counted: the votes that count, and every candidate.
        predicted: f, the expected outcome of every vote and candidate; None: the votes alone.
        lam: λ, how much the predictions count; None: what makes the sum of the ratings' variances least.
        prior: pseudo-votes per pair that met; 0 is plain maximum likelihood.
        mean: of the ratings.

    Errors and covariance are widened by Student's t of each rating, as those of :func:`charm_rm.fit_ratings` are, so that whoever takes
    them for normal ones gets the interval. Policies without votes have no rating, which a warning says.

    Raises:
        NotIdentifiable: the votes do not determine the ratings: there are none, groups that never meet, undefeated policies without a prior.
        NotConverged: no ratings solve the equation.
    """
    sample = sample_of(counted, predicted, prior)
    if sample.unrated:
        _warn(
            f"{count_of(len(sample.unrated), 'policy has', 'policies have')} no votes, and no rating: {listing(sample.unrated)}"
        )
    check_identifiable(sample.with_prior(sample.votes), sample.policies)
    fit = solve(sample, 0.0)
    if predicted is None:
        lam = 0.0
    elif lam is None:
        lam = tuned_lam(sample, fit.parameters)
    if lam > 0.0:
        fit = solve(sample, lam)
    rating, covariance, df = with_errors(sample, lam, fit.parameters, mean)
    about = {
        "verb": "study_ratings",
        "model": "Bradley-Terry, ties and both_bad as half a win, every candidate weighs 1",
        "estimator": CLASSICAL if predicted is None else POWERED,
        "lam": lam,
        "gauge": f"mean = {mean:g}",
        "prior": prior,
        "covariance": "sandwich, clustered by prompt and rater",
        "degrees_of_freedom": float(df.min()),
        "n_votes": sample.n,
        "n_candidates": sample.n_all,
        "solver": "Newton",
        "tolerance": TOLERANCE,
        "iterations": fit.iterations,
        "converged": True,
    }
    return _noun(sample, rating, covariance, about)


def _noun(sample: Sample, rating: FloatArray, covariance: FloatArray, about: dict[str, Any]) -> Ratings:
    order = np.argsort(-rating, kind="stable")
    error = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    votes = np.bincount(np.concatenate([sample.first, sample.second]), minlength=len(sample.policies))
    frame = pl.DataFrame(
        {
            "policy": sample.policies,
            "rating": rating,
            "std_err": error,
            "ci_low": rating - Z95 * error,
            "ci_high": rating + Z95 * error,
            "votes": votes.astype(np.int64),
            "source": ["the study's votes"] * len(sample.policies),
        }
    )
    return Ratings(frame[order], provenance=about, covariance=covariance[np.ix_(order, order)])


def _rows(ratings: Ratings, estimator: str) -> pl.DataFrame:
    return ratings.frame.with_columns(pl.lit(estimator).alias("estimator")).select(list(SCHEMA))


def _warn(message: str) -> None:
    warnings.warn(message, CharmWarning, stacklevel=3)
