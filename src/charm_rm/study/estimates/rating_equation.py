"""Ratings of policies by people's votes: from the votes alone, and joined with what models say of every candidate.

Both are Bradley-Terry ratings of all candidates, each of which weighs 1. With x = e_a − e_b, σ = σ(x·θ), w the votes' weights, W = Σ w and N
candidates, θ(λ) solves

    Σ_votes (w / W) x [(1 − λ) σ − y + λ f] + (λ / N) Σ_all x (σ − f) = 0.

Each of the two sums over votes that have f in them has, on average, what the sum over all candidates takes off again, so that θ(λ) is
right whatever f is. λ = 0 is the weighted fit of the votes alone. Covariances are sandwiches over influences clustered by prompt and rater.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ...errors import NotConverged, NotIdentifiable
from ...estimates import LEVEL, Z95
from ...mismatch.student import student_quantile
from ...ratings.bradley_terry import Counts, Fit, maximise, pinned_information
from ...ratings.counts import joined, pseudo_battles
from ...ratings.fit import to_elo
from ...ratings.sandwich import at_least, one_battle_each, score_variance
from ...statistics import FloatArray, IntArray, sigmoid
from ..nouns import Counted
from .clusters import Clustered2
from .powered import Layout
from .predictions import Predictions

TOLERANCE, ITERATIONS = 1e-10, 200


@dataclass(frozen=True, eq=False)
class Sample:
    """Votes and candidates between the policies that have votes, as index arrays.

    ``weight`` of votes is scaled to their number; ``f`` and ``f_all`` are what is predicted of votes and candidates; ``pseudo`` is the prior's
    pseudo-votes, None without one; ``unrated`` are the policies of candidates that have no votes. ``prompts`` are the sorted names that
    the layout's codes are places of.
    """

    policies: list[str]
    first: IntArray
    second: IntArray
    y: FloatArray
    f: FloatArray
    weight: FloatArray
    first_all: IntArray
    second_all: IntArray
    f_all: FloatArray
    layout: Layout
    pseudo: Counts | None
    unrated: list[str]
    prompts: pl.Series

    @property
    def n(self) -> int:
        return len(self.y)

    @property
    def n_all(self) -> int:
        return len(self.first_all)

    @property
    def votes(self) -> Counts:
        """One row per vote."""
        return counts_of(self.first, self.second, self.y, self.weight, len(self.policies))

    def with_prior(self, rows: Counts) -> Counts:
        """The rows and the prior's pseudo-votes."""
        return rows if self.pseudo is None else joined(rows, self.pseudo)


def sample_of(counted: Counted, predicted: Predictions | None, prior: float) -> Sample:
    """The arrays of a study; without ``predicted``, f is 0 throughout.

    Raises:
        NotIdentifiable: there are no votes.
    """
    frame = counted.frame
    policies = sorted({*frame["policy_a"], *frame["policy_b"]})
    if not policies:
        raise NotIdentifiable("the study has no votes that count", fix="wait for votes")
    kept = counted.all["policy_a"].is_in(policies) & counted.all["policy_b"].is_in(policies)
    everything = counted.all.filter(kept)
    layout = Layout.of(Counted(frame, everything, counted.models))
    names = pl.Enum(policies)
    first, second, first_all, second_all = (
        table[side].cast(names).to_physical().cast(pl.Int64).to_numpy()
        for table in (frame, everything)
        for side in ("policy_a", "policy_b")
    )
    weight = layout.weight * len(layout.weight) / layout.weight.sum()
    y = frame["y"].to_numpy()
    rows = counts_of(first, second, y, weight, len(policies))
    return Sample(
        policies=policies,
        first=first,
        second=second,
        y=y,
        f=np.zeros(len(y)) if predicted is None else predicted.y,
        weight=weight,
        first_all=first_all,
        second_all=second_all,
        f_all=np.zeros(everything.height) if predicted is None else predicted.y_all[kept.to_numpy()],
        layout=layout,
        pseudo=pseudo_battles(rows, prior) if prior > 0 else None,
        unrated=sorted({*counted.all["policy_a"], *counted.all["policy_b"]} - set(policies)),
        prompts=pl.concat([frame["prompt_id"], everything["prompt_id"]]).unique().sort(),
    )


def counts_of(
    first: IntArray, second: IntArray, outcome: FloatArray, weight: FloatArray, n_policies: int
) -> Counts:
    """Rows of the Bradley-Terry solver, each a battle by itself."""
    return Counts(
        first=first,
        second=second,
        outcome=outcome,
        weight=weight,
        weight_sq=weight**2,
        heaviest=weight,
        covariates=np.zeros((len(first), 0)),
        n_policies=n_policies,
    )


# --- the equation -------------------------------------------------------------------------------


def solve(sample: Sample, lam: float) -> Fit:
    """θ(λ), by the solver of :mod:`charm_rm.ratings` on a sum per pair of policies.

    Raises:
        NotConverged: nothing solves the equation.
    """
    return maximise(sample.with_prior(pair_sums(sample, lam)), tolerance=TOLERANCE, max_iterations=ITERATIONS)


def pair_sums(sample: Sample, lam: float) -> Counts:
    """The equation as that of weighted battles, one row per pair of policies: its outcome is the share won.

    n_kl = (1 − λ) Σ w + λ (n / N) N_kl, won with Σ w (y − λ f) + λ (n / N) Σ_all f.
    """
    k = len(sample.policies)
    pair, pair_all = sample.first * k + sample.second, sample.first_all * k + sample.second_all
    scale = lam * sample.n / sample.n_all
    games = (1 - lam) * np.bincount(pair, sample.weight, k * k)
    games = games + scale * np.bincount(pair_all, minlength=k * k)
    won = np.bincount(pair, sample.weight * (sample.y - lam * sample.f), k * k)
    won = won + scale * np.bincount(pair_all, sample.f_all, k * k)
    met = np.flatnonzero(games > 0)
    first, second = np.divmod(met, k)
    weight: FloatArray = games[met].astype(np.float64)
    return counts_of(first, second, won[met] / weight, weight, k)


def score(sample: Sample, lam: float, theta: FloatArray) -> FloatArray:
    """(K,) n times the left side of the equation, turned round: 0 at θ(λ) where there is no prior."""
    votes, candidates = _scores(sample, lam, theta)
    return np.asarray(votes.sum(axis=0) + candidates.sum(axis=0))


def _scores(sample: Sample, lam: float, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """(n, K) w x (y − λ f − (1 − λ) σ) of each vote, and (n_prompts, K) Σ λ (n / N) x (f − σ) of each prompt's candidates."""
    k, n_prompts = len(sample.policies), sample.layout.n_prompts
    sigma = sigmoid(theta[sample.first] - theta[sample.second])
    error = sample.weight * (sample.y - lam * sample.f - (1 - lam) * sigma)
    votes, rows = np.zeros((sample.n, k)), np.arange(sample.n)
    votes[rows, sample.first], votes[rows, sample.second] = error, -error
    spread = lam * sample.n / sample.n_all * (sample.f_all - sigmoid(theta[sample.first_all] - theta[sample.second_all]))  # fmt: skip
    at = sample.layout.prompt_all * k
    of_prompt = np.bincount(at + sample.first_all, spread, n_prompts * k)
    of_prompt = of_prompt - np.bincount(at + sample.second_all, spread, n_prompts * k)
    return votes, of_prompt.astype(np.float64).reshape(n_prompts, k)


# --- how sure -----------------------------------------------------------------------------------


def tuned_lam(sample: Sample, theta: FloatArray) -> float:
    """λ = −Σ_k cov(own, more)_k / Σ_k var(more)_k, within [0, 1]: the trace of V(λ) = V + 2 λ cov + λ² var is least there.

    At the classical θ, by prompt alone, as in :func:`.powered.tuned`.
    """
    layout = sample.layout
    by_prompt = []
    parts = 0.0
    for lam in (0.0, 1.0):
        u = influences(sample, lam, theta)
        parts += float((u * u).sum())
        of_votes = [np.bincount(layout.prompt, column, layout.n_prompts) for column in u[: sample.n].T]
        by_prompt.append(np.column_stack(of_votes) + u[sample.n :])
    own, more = by_prompt[0], by_prompt[1] - by_prompt[0]
    variance = float((more * more).sum())
    # With votes on all candidates predictions add nothing but rounding, whose quotient would be anything.
    if variance <= 1e-12 * float((own * own).sum() + parts):
        return 0.0
    return float(np.clip(-(own * more).sum() / variance, 0.0, 1.0))


def influences(sample: Sample, lam: float, theta: FloatArray) -> FloatArray:
    """(votes + prompts, K): what each vote, and each prompt's candidates, add to θ (mean 0): H⁻¹ times their scores less the mean score.

    The means go off because both sums of the equation are means: over weights, and over candidates.
    """
    votes, candidates = _scores(sample, lam, theta)
    size = np.bincount(sample.layout.prompt_all, minlength=sample.layout.n_prompts) / sample.n_all
    votes = votes - sample.weight[:, None] * votes.sum(axis=0) / sample.n
    candidates = candidates - size[:, None] * candidates.sum(axis=0)
    stacked: FloatArray = np.vstack([votes, candidates]) @ bread(sample, lam, theta)
    return stacked


def bread(sample: Sample, lam: float, theta: FloatArray) -> FloatArray:
    """H⁻¹, H = (1 − λ) Σ w p q x x' + λ (n / N) Σ_all p q x x', and the prior's part.

    Raises:
        NotConverged: H cannot be inverted.
    """
    try:
        return np.asarray(np.linalg.inv(pinned_information(theta, sample.with_prior(pair_sums(sample, lam)))))
    except np.linalg.LinAlgError as error:
        raise NotConverged(
            "the ratings' errors cannot be computed: the information matrix is almost singular",
            fix="give a prior, or leave out policies that almost never win or lose",
        ) from error


@dataclass(frozen=True, eq=False)
class RatingErrors:
    """How sure θ with mean 0 is: ``influence`` (votes + prompts, K), its covariance by two clusterings, and what it lacks.

    ``lacking`` (K, K) is the prior's own variance, and what the covariance falls short of one battle of every policy, as in
    :func:`charm_rm.fit_ratings`: a run without a defeat is no certainty.
    """

    influence: FloatArray
    clustered: Clustered2
    lacking: FloatArray


def rating_errors(sample: Sample, lam: float, theta: FloatArray) -> RatingErrors:
    """The errors of θ(λ), log-odds."""
    gauge = np.eye(len(theta)) - 1.0 / len(theta)
    inverse = bread(sample, lam, theta)
    influence = influences(sample, lam, theta) @ gauge
    clustered = sample.layout.covariance(influence)
    if not np.isfinite(clustered.covariance).all():
        return RatingErrors(influence, clustered, np.zeros_like(inverse))
    information = np.linalg.inv(inverse)
    found = information @ clustered.covariance @ information
    filling = found if sample.pseudo is None else found + score_variance(theta, sample.pseudo)
    filling = at_least(filling, one_battle_each(theta, sample.with_prior(sample.votes)))
    return RatingErrors(influence, clustered, gauge @ inverse @ (filling - found) @ inverse @ gauge)


def with_errors(
    sample: Sample, lam: float, theta: FloatArray, mean: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Ratings (K,) on the Elo scale, their covariance (K, K), widened by Student's t, and its degrees of freedom (K,).

    Raises:
        NotIdentifiable: one rater on one prompt.
    """
    errors = rating_errors(sample, lam, theta)
    df = np.array([errors.clustered.along(direction)[1] for direction in np.eye(len(theta))])
    if not (df > 0).all():
        raise NotIdentifiable(
            "votes of one rater on one prompt tell nothing of how sure ratings are",
            fix="gather votes on more prompts, or of more raters",
        )
    gauge = np.eye(len(theta)) - 1.0 / len(theta)
    rating, covariance = to_elo(theta, errors.clustered.covariance + errors.lacking, gauge, mean)
    widen = student_quantile(df, tail=1 - LEVEL) / Z95
    return rating, covariance * np.outer(widen, widen), df
