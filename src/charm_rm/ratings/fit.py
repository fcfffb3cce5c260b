"""Ratings from battles: Bradley-Terry maximum likelihood with honest intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..errors import ConfigError, UnknownPolicy
from ..estimates import Z95
from ..policy_names import near_policies
from ..statistics import ELO_PER_LOGIT
from ..tables import Battles, Ratings
from .bradley_terry import Counts, Fit, Floats, maximise
from .clusters import AUTO, cluster_column, clustered_battles
from .counts import as_counts, count_battles, joined, pseudo_battles, single_battles, style_covariates
from .given import BattlesLike, as_battles
from .identifiable import check_identifiable
from .sandwich import Clustered, cluster_score_variance, robust_covariance, score_variance

# What battles know of themselves, and ratings keep.
_OF_BATTLES = ("votes", "judge", "left_out", "style_counts")
_FILE = ("source", "source_sha256")


def fit_ratings(
    battles: BattlesLike,
    *,
    anchor: tuple[str, float] | None = None,
    mean: float = 1000.0,
    style: Sequence[str] = (),
    prior: float = 0.0,
    cluster: str | None = AUTO,
    tolerance: float = 1e-10,
    max_iterations: int = 200,
) -> Ratings:
    """Fit Bradley-Terry ratings to battles, with 95 % intervals and the full covariance.

    Args:
        battles: votes; ``tie`` and ``both_bad`` are half a win each; ``weight`` (default 1) says how much a
            battle counts.
        anchor: ``(policy, rating)`` fixes the level by one policy, whose error is then 0 and all others'
            include the anchor's. Otherwise the unweighted mean over policies is ``mean``.
        style: names whose columns ``<name>_a`` and ``<name>_b`` are controlled for; where these are absent and the name is one of
            :data:`charm_rm.features.FEATURES`, its raw numbers, counted in the texts of the battles (:func:`with_style_counts`).
        prior: pseudo-battles per pair that met, half won and half lost; 0 is plain maximum likelihood.
        cluster: column of ``battles`` whose equal values mark votes that go together, such as a prompt's or a
            voter's; errors are then robust to that. ``auto`` is ``prompt_id``, where there is one; None takes
            every vote as independent.
        tolerance: largest last Newton step, in log-odds.
        max_iterations: Newton iterations before giving up.

    Returns:
        Ratings on the Elo scale, best first, with the sandwich covariance in row order; provenance holds
        solver, log-likelihood, outcome counts, clusters, gauge and style coefficients.

    Raises:
        NotIdentifiable: the battles do not determine the ratings (groups that never meet, undefeated or
            winless policies without a prior, redundant styles).
        NotConverged: Newton's method stopped short of ``tolerance``.
        SchemaError: a style or cluster column is missing or unusable.
    """
    kept = [] if cluster in (None, AUTO) else [str(cluster)]
    battles = as_battles(battles, keep=kept, style=style)
    tally = count_battles(battles)
    # of the counts: far quicker than of the battles
    policies = sorted({*tally["policy_a"], *tally["policy_b"]})
    _check_settings(policies, anchor, prior)
    column = cluster_column(battles, cluster)
    if style:
        from .style_counts import (
            with_style_counts,
        )  # features of texts are loaded where styles are controlled for

        battles = with_style_counts(battles, style)
    covariates = style_covariates(battles, style) if style else None
    counts = as_counts(single_battles(battles) if style else tally, policies, covariates)
    pseudo = pseudo_battles(counts, prior) if prior > 0 else None
    total = counts if pseudo is None else joined(counts, pseudo)
    check_identifiable(total, policies)
    fit = maximise(total, tolerance=tolerance, max_iterations=max_iterations)
    clusters = clustered_battles(battles, column, policies, covariates)
    parameter_covariance = _covariance(fit.parameters, total, pseudo, clusters)
    gauge, level = _gauge(policies, anchor), anchor[1] if anchor else mean
    quantile = _quantile(clusters)
    # Widened, so that whoever reads the errors as normal ones, an audit for one, gets the interval that few clusters deserve.
    parameter_covariance = (quantile / Z95) ** 2 * parameter_covariance
    rating, covariance = to_elo(fit.parameters, parameter_covariance, gauge, level)
    provenance = {
        "verb": "fit_ratings",
        "model": "Bradley-Terry, ties and both_bad as half a win",
        "gauge": f"{anchor[0]} = {anchor[1]:g}" if anchor else f"mean = {mean:g}",
        "prior": prior,
        **_covariance_record(column, clusters, quantile),
        **_solver_record(fit, tolerance),
        **_battle_record(tally, len(policies)),
        **{k: battles.provenance[k] for k in _OF_BATTLES if k in battles.provenance},
        "battles": {k: battles.provenance[k] for k in _FILE if k in battles.provenance},
        "style": _style_record(fit.parameters, parameter_covariance, style),
    }
    return _ratings(policies, rating, covariance, _votes(tally), provenance)


def _covariance(
    parameters: Floats, total: Counts, pseudo: Counts | None, clusters: Clustered | None
) -> Floats:
    """The sandwich over clusters, or over single battles; the prior's pseudo-battles are independent of all."""
    if clusters is None:
        return robust_covariance(parameters, total, score_variance(parameters, total))
    filling = cluster_score_variance(parameters, clusters)
    if pseudo is not None:
        filling = filling + score_variance(parameters, pseudo)
    return robust_covariance(parameters, total, filling)


def _quantile(clusters: Clustered | None) -> float:
    """97.5 % quantile of the normal, or of Student's t with G - 1 degrees of freedom where G clusters tell the error.

    Errors and covariance are multiplied by its ratio to the normal's.
    """
    if clusters is None:
        return Z95
    from scipy.special import stdtrit  # scipy.special is slow to import; clustered fits alone should pay

    return float(stdtrit(clusters.n_clusters - 1, 0.975))


def to_elo(parameters: Floats, covariance: Floats, gauge: Floats, level: float) -> tuple[Floats, Floats]:
    """R = level + s G theta and cov(R) = s^2 G C G^T, with s = 400 / ln 10 Elo points per unit of log-odds."""
    k = len(gauge)
    rating: Floats = level + ELO_PER_LOGIT * (gauge @ parameters[:k])
    covariance = ELO_PER_LOGIT**2 * gauge @ covariance[:k, :k] @ gauge.T
    return rating, (covariance + covariance.T) / 2.0


def _gauge(policies: Sequence[str], anchor: tuple[str, float] | None) -> Floats:
    """G = I - 1 w^T, where w picks the level: equal weights (mean) or one policy (anchor)."""
    k = len(policies)
    level = np.full(k, 1.0 / k)
    if anchor:
        level = np.zeros(k)
        level[policies.index(anchor[0])] = 1.0
    gauge: Floats = np.eye(k) - np.ones((k, 1)) * level
    return gauge


def _check_settings(policies: Sequence[str], anchor: tuple[str, float] | None, prior: float) -> None:
    if not (math.isfinite(prior) and prior >= 0):
        raise ConfigError(
            f"the prior must be 0 or more pseudo-battles per pair, got {prior!r}",
            fix="give a number such as 0.5",
        )
    if anchor and anchor[0] not in policies:
        raise UnknownPolicy(
            f"the anchor {anchor[0]!r} is in no battle.{near_policies(anchor[0], policies)}",
            fix="anchor on a policy of the battles",
        )
    if anchor and not math.isfinite(anchor[1]):
        raise ConfigError(
            f"the anchor's rating must be finite, got {anchor[1]!r}", fix="give a number such as 1000"
        )


def _votes(tally: pl.DataFrame) -> pl.DataFrame:
    sides = [tally.select(pl.col(side).alias("policy"), "n") for side in ("policy_a", "policy_b")]
    return pl.concat(sides).group_by("policy").agg(pl.sum("n").cast(pl.Int64).alias("votes"))


def _ratings(
    policies: Sequence[str],
    rating: Floats,
    covariance: Floats,
    votes: pl.DataFrame,
    provenance: Mapping[str, Any],
) -> Ratings:
    order = np.argsort(-rating, kind="stable")
    error = np.sqrt(np.clip(np.diag(covariance), 0.0, None))
    table = {
        "policy": list(policies),
        "rating": rating,
        "std_err": error,
        "ci_low": rating - Z95 * error,
        "ci_high": rating + Z95 * error,
    }
    frame = pl.DataFrame(table).join(votes, on="policy", how="left", maintain_order="left")[order]
    file = provenance["battles"].get("source")
    source = f"fitted to the votes of {file}" if file else "fitted to votes"
    frame = frame.with_columns(pl.lit(source).alias("source"))
    return Ratings(frame, provenance=provenance, covariance=covariance[np.ix_(order, order)])


def _solver_record(fit: Fit, tolerance: float) -> dict[str, Any]:
    return {
        "solver": "Newton on aggregated counts",
        "tolerance": tolerance,
        "iterations": fit.iterations,
        "last_step": fit.last_step,
        "converged": True,
        "log_likelihood": fit.log_likelihood,
    }


def _battle_record(tally: pl.DataFrame, n_policies: int) -> dict[str, Any]:
    outcomes = dict.fromkeys(Battles.outcomes, 0)
    outcomes |= dict(tally.group_by("winner").agg(pl.sum("n")).iter_rows())
    weight = float(tally["weight"].sum())
    return {
        "n_battles": int(tally["n"].sum()),
        "n_policies": n_policies,
        "outcomes": outcomes,
        "total_weight": weight,
    }


def _covariance_record(column: str | None, clusters: Clustered | None, quantile: float) -> dict[str, Any]:
    used = column if clusters is not None else None
    return {
        "covariance": "sandwich" if clusters is None else "cluster-robust sandwich",
        "cluster": used,
        "n_clusters": None if clusters is None else clusters.n_clusters,
        "interval_quantile": quantile,
    }


def _style_record(
    parameters: Floats, covariance: Floats, style: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Style coefficients in log-odds per RMS of the normalised difference."""
    first = len(parameters) - len(style)
    values, errors = parameters[first:], np.sqrt(np.diag(covariance)[first:])
    return {
        name: {"coefficient": b, "std_err": e, "ci_low": b - Z95 * e, "ci_high": b + Z95 * e}
        for name, b, e in zip(style, values.tolist(), errors.tolist(), strict=True)
    }
