"""Scores or judgements, responses and ratings -> a calibrator."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import CharmWarning, ConfigError, NoOverlap, did_you_mean, listing, noting_warnings
from ..features import StyleFeatures, measure_features
from ..given import ComparableLike, as_comparable
from ..offsets.results import measured_in
from ..ratings import Aliases, RatingsLike, as_ratings
from ..responses import ResponsesLike, as_responses
from ..settings import Unrated, check_draws
from ..solved_on import solved_on, warn_if_in_sample
from ..tables import Margins, Responses, Scores
from ..text_hash import refuse_other_texts
from .calibrator import Calibrator, FeatureWeight
from .comparisons import kept_of_order, thinned
from .cross_validation import (
    PENALTIES,
    HeldOutMargins,
    cross_fit,
    deal_folds,
    held_out_margins,
)
from .fitting import Bounds, Fitted, fit_weights
from .held_out import held_out_figures, length_only_margins
from .inputs import Problem, pose_problem
from .models import model_of
from .temperature import people_temperature
from .uncertainty import WeightIntervals, weight_intervals

# What a calibration corrects unless told otherwise: few, as a few dozen policies tell little. Chosen on one reward model's scores,
# and looked at again on others' (docs/style.md): more features, tone above all, carry over worse.
STYLE_FEATURES = (
    *("words", "headers", "bold", "bullets", "numbered", "quotations", "digits", "distinct_tokens"),
)
LIMIT = 4.0
_CELLS = 20_000_000  # comparisons of the final fit


@dataclass(frozen=True)
class _Told:
    """What a call says of the fit."""

    keep: float
    temperature: float | None
    penalties: Sequence[float]
    folds: int
    families: Mapping[str, str] | None
    draws: int
    seed: int


def solve_style_offsets(
    source: ComparableLike,
    responses: ResponsesLike,
    ratings: RatingsLike,
    *,
    features: Sequence[str] = STYLE_FEATURES,
    own: Sequence[str] = (),
    fixed: Mapping[str, float] | None = None,
    non_negative: Collection[str] = (),
    keep: float = 0.5,
    temperature: float | None = None,
    penalty: float | None = None,
    folds: int = 5,
    families: Mapping[str, str] | None = None,
    draws: int = 1000,
    seed: int = 0,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
) -> Calibrator:
    """Solve for s' = s + w·φ: weights of style features with which the mean win rates between policies are those of human ratings.

        minimise over w   mean over pairs (k, l) of (mean_i σ((s'_ki - s'_li) / T) - P_kl)²  +  λ |w|²

    Only means over prompts are held to the ratings, so what is learnt of style comes from differences between policies: what such a fit cannot
    know is in docs/style.md. T is fitted with the weights, and the penalty chosen by cross-validation that leaves policies and prompts out together, and the
    figures in ``held_out`` are of policies and prompts that had no part in the weights.

    Args:
        source: scores, or a judge's margins; the correction is then in log-odds.
        responses: the texts that were scored or judged, with columns of one's own.
        ratings: of the policies; those without one are refused or, with ``unrated="skip"``, left out.
        features: names of :data:`charm_rm.features.FEATURES`; none at all (and no ``own``): only the scale is fitted.
        own: features of one's own (:func:`charm_rm.features.measure_features`).
        fixed: weights that are given, in the source's unit for one standard deviation of the feature.
        non_negative: features whose weight may not be below 0.
        keep: the least correlation of margins before and after within prompts; a larger penalty is taken where it is needed for that.
        temperature: T in units of the margins' spread; None: fitted with the weights.
        penalty: λ; None: by cross-validation.
        folds: of policies.
        families: family of each policy: whole families are left out in place of random folds.
        draws: for the intervals of the figures; 0: none. Those of weights need no draws.
        seed: of folds and draws.
        aliases, unrated: as :func:`charm_rm.ratings.match_ratings`.

    Raises:
        UnknownPolicy: a policy has no rating.
        NoOverlap: too few rated policies, or no response belongs to a score.
        ConfigError: a setting cannot be used.
        NotIdentifiable: nothing varies, or nothing can be left out.
        NotConverged: the weights do not settle.
        SchemaError: the responses are other texts than those scored, or a feature of one's own lacks a number.
    """
    source = as_comparable(source)
    responses = as_responses(responses, of=source)
    ratings = as_ratings(ratings)
    check_draws(draws)
    _check(keep, temperature, penalty)
    with noting_warnings() as notes:
        warn_if_in_sample(source)
        measured = _measured(responses, source, features, own)
        problem = pose_problem(source, measured, ratings, limit=LIMIT, aliases=aliases, unrated=unrated)
        told = _Told(
            keep,
            temperature,
            PENALTIES if penalty is None else (penalty,),
            folds,
            families,
            draws,
            seed,
        )
        bounds = _bounds(problem, fixed or {}, non_negative)
        solved = _solve(problem, bounds, told)
    how = {"features": list(problem.names), "fixed": dict(fixed or {}), "non_negative": sorted(non_negative)}
    about = {
        "verb": "solve_style_offsets",
        **how,
        "keep": keep,
        "folds": folds if families is None else "families",
        "draws": draws,
        "seed": seed,
        **measured_in(source),
        "n_prompts": problem.paired.n_prompts,
        "n_policies": len(problem.policies),
        "model": model_of(source),
        "temperature": told.temperature,
        "tried": {"penalties": list(told.penalties)},
        "loss": solved.fitted.loss,
        "evaluations": solved.fitted.evaluations,
        "warnings": notes,
    }
    return _as_calibrator(problem, measured, solved, about)


def _check(keep: float, temperature: float | None, penalty: float | None) -> None:
    if not 0 <= keep <= 1:
        raise ConfigError(f"keep {keep!r} is no share", fix="give a number from 0 to 1")
    for name, value in (("temperature", temperature), ("penalty", penalty)):
        if value is not None and not (np.isfinite(value) and value > 0):
            raise ConfigError(
                f"{name} {value!r} is not above 0", fix=f"give a {name} above 0, or leave it out"
            )


def _measured(
    responses: Responses, source: Scores | Margins, features: Sequence[str], own: Sequence[str]
) -> StyleFeatures:
    """Features of the responses to prompts and by policies of the source; a column of zeros where none are asked for."""
    sides = [c for c in ("policy", "reference") if c in source.frame.columns]
    wanted = {*source.frame[sides[0]], *source.frame[sides[-1]]}
    frame = responses.frame.filter(
        responses.frame["policy"].is_in(list(wanted))
        & responses.frame["prompt_id"].is_in(source.frame["prompt_id"].unique().to_list())
    )
    if frame.is_empty():
        raise NoOverlap(
            f"no response belongs to any of the {source.noun}",
            where="style calibration",
            fix="give the responses that were scored: same prompt_id, same policy",
        )
    asked = Responses(frame, provenance=responses.provenance)
    refuse_other_texts(source, asked)
    return measure_features(asked, features=features, own=own)


def _bounds(problem: Problem, fixed: Mapping[str, float], non_negative: Collection[str]) -> Bounds:
    for name in (*fixed, *non_negative):
        if name not in problem.names:
            raise ConfigError(
                f"feature {name!r} is not among those fitted.{did_you_mean(name, problem.names)}",
                where="style calibration",
                fix=f"they are {listing(problem.names, limit=40)}",
            )
    low = np.array([0.0 if name in non_negative else -np.inf for name in problem.names])
    high = np.full(len(problem.names), np.inf)
    for name, weight in fixed.items():
        at = problem.names.index(name)
        low[at] = high[at] = weight / problem.spread
    return Bounds(low, high)


# --- solving ----------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Solved:
    penalty: float
    fitted: Fitted
    kept: float
    temperature: float
    sure: WeightIntervals
    held_out: list[dict[str, Any]]


def _solve(problem: Problem, bounds: Bounds, told: _Told) -> _Solved:
    folds = deal_folds(problem, folds=told.folds, seed=told.seed, families=told.families)
    fits = cross_fit(
        problem,
        folds,
        temperature=told.temperature,
        penalties=told.penalties,
        bounds=bounds,
        seed=told.seed,
    )
    best = fits.best(told.keep)
    penalty = fits.penalties[best]
    if fits.kept[best] < told.keep:
        warnings.warn(
            f"no penalty tried keeps {told.keep:.0%} of the order within prompts: {fits.kept[best]:.0%} is the most",
            CharmWarning,
            stacklevel=3,
        )
    rng = np.random.default_rng(told.seed)
    parts = thinned(problem.part, _CELLS, rng)
    fitted = fit_weights(
        parts, scale=problem.spread, temperature=told.temperature, penalty=penalty, bounds=bounds
    )
    sure = weight_intervals(parts, fitted, scale=problem.spread, bounds=bounds)
    calibrated = held_out_margins(problem, fits, folds, keep=told.keep)
    return _Solved(
        penalty,
        fitted,
        kept_of_order(problem.paired, problem.part.features, problem.spread, fitted.weights),
        people_temperature(_fewer(calibrated, rng), problem.part.expected, problem.spread),
        sure,
        held_out_figures(
            problem,
            calibrated,
            length_only=length_only_margins(problem, folds, temperature=told.temperature, seed=told.seed),
            draws=told.draws,
            seed=told.seed,
        ),
    )


def _fewer(margins: HeldOutMargins, rng: np.random.Generator) -> HeldOutMargins:
    """The margins on some prompts drawn at random, where there are more comparisons than one number needs."""
    most = max(_CELLS // len(margins.pairs), 100)
    some = rng.permutation(margins.n_prompts) < most
    return margins if some.all() else margins.at(some)


def _as_calibrator(
    problem: Problem, measured: StyleFeatures, solved: _Solved, about: Mapping[str, Any]
) -> Calibrator:
    versions = {**measured.provenance["features"], **measured.provenance["own"]}
    spread = problem.spread
    sure = solved.sure
    features = [
        FeatureWeight(
            name,
            versions.get(name, versions.get(name.rpartition("[")[0], "column")),
            float(problem.centre[j]),
            float(problem.sd[j]),
            spread * float(solved.fitted.weights[j]),
            *(_finite(spread * x[j]) for x in (sure.std_err, sure.low, sure.high, sure.estimate)),
        )
        for j, name in enumerate(problem.names)
    ]
    return Calibrator(
        unit="score" if isinstance(problem.source, Scores) else "log-odds",
        features=tuple(features),
        spread=spread,
        temperature=solved.temperature,
        fit_temperature=solved.fitted.temperature,
        penalty=solved.penalty,
        kept=solved.kept,
        limit=LIMIT,
        solved_on=solved_on(problem.source, problem.policies),
        held_out=tuple(solved.held_out),
        provenance=about,
    )


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
