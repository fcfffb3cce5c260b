"""What favour to expect of a candidate from its style: a policy without a rating has no favour of its own that could be measured.

A style calibrator takes off, of every response, what the model over-values in it. On the scale of the rated policies a candidate then lies at another
rating; the difference, before less after, is the favour that its style should bring it. Beside rated policies the
same difference is what explains their favour (:mod:`.explain`). Its interval holds the prompts, the ratings, the weights, and, for a
sample of policies, what style does to the line of the others.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..errors import noting_warnings
from ..given import ComparableLike, as_comparable
from ..margins import only_policies
from ..mismatch.candidates import Place, checked_candidates, place, table_of
from ..mismatch.held import Held, hold_against, prompt_variance
from ..mismatch.student import student_quantile
from ..ratings import Aliases, RatingsLike, as_ratings, match_ratings
from ..responses import ResponsesLike, as_responses
from ..samples import has_samples, own_key
from ..settings import AuditSettings, Outcome, Scope, Unrated, check_draws
from ..solved_on import check_not_carried
from ..statistics import FloatArray
from ..tables import Candidates, Margins, Ratings, Responses, Scores
from .apply import answers_to, as_calibration, check_unit, measure_for, moved_by, responses_of
from .calibrator import Calibrator
from .calibrator_file import CalibratorLike, as_calibrator
from .models import check_model
from .weighing import drawn_around, problem_of

_SHARE = 0.5  # of a weight's standard error, by which it is moved to see what that does


def expect_favour(
    source: ComparableLike,
    responses: ResponsesLike,
    ratings: RatingsLike,
    candidates: Sequence[str],
    calibrator: CalibratorLike,
    *,
    own: Collection[str] = (),
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    outcome: Outcome = "hard",
    temperature: float = 1.0,
    scope: Scope = "sample",
    draws: int = 200,
    seed: int = 0,
) -> Candidates:
    """Place candidates as :func:`charm_rm.place_candidates` does, with the favour that their style should bring them.

    Args:
        source: scores, or a judge's margins, of rated policies and candidates, before calibration.
        responses: the texts that were scored or judged, one for every row.
        ratings, candidates, aliases, unrated, outcome, temperature, scope: as in :func:`charm_rm.place_candidates`.
        calibrator: solved for this model: what it adds, without its offsets.
        own: functions of one's own that it may call.
        draws: of the weights, for their part of the interval; 0: none, and no interval.
        seed: of the draws.

    Raises:
        ConfigError: a candidate has a rating; the calibrator is of another model or unit, has no feature, or is in the scores already.
        NoOverlap, SchemaError: the responses are not those that were scored.
        NotIdentifiable: the rated policies give no rising line, before or after.
    """
    source, ratings = as_comparable(source, samples=True), as_ratings(ratings)
    calibrator = as_calibrator(calibrator)
    texts = as_responses(responses, samples=has_samples(source), of=source)
    AuditSettings(outcome=outcome, temperature=temperature, scope=scope)
    check_draws(draws)
    names = checked_candidates(source, ratings, candidates, aliases)
    check_unit(source, calibrator)
    check_model(source, calibrator)
    check_not_carried(source, as_calibration(calibrator))
    with noting_warnings() as notes:
        world = _World.of(
            source, texts, ratings, names, calibrator, own, aliases, unrated, outcome, temperature
        )
        before, after = world.placed(None), world.placed(calibrator.weights)
        covariance = _weights_covariance(world, calibrator, own, draws, seed) if draws else None
        slopes = None if covariance is None else _slopes(world, calibrator, after)
        rows = [
            one.row(scope)
            | _style_columns(one, other, scope, None if slopes is None else slopes[j], covariance)
            for j, (one, other) in enumerate(zip(before, after, strict=True))
        ]
    provenance = {
        "verb": "expect_favour",
        "settings": {
            "scope": scope,
            "outcome": outcome,
            "temperature": temperature,
            "unrated": unrated,
            "draws": draws,
            "seed": seed,
        },
        "calibrator": calibrator.fingerprint,
        "rated": len(before[0].held.policies),
        "warnings": notes,
    }
    return Candidates(table_of(rows), provenance=provenance)


# --- both placings ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _World:
    """The source of rated policies and candidates, its features in standard deviations, and how it is held against ratings."""

    source: Scores | Margins
    keys: pl.DataFrame
    features: FloatArray
    ratings: Ratings
    texts: Responses
    names: list[str]
    aliases: Aliases | None
    outcome: Outcome
    temperature: float

    @classmethod
    def of(
        cls,
        source: Scores | Margins,
        texts: Responses,
        ratings: Ratings,
        names: list[str],
        calibrator: Calibrator,
        own: Collection[str],
        aliases: Aliases | None,
        unrated: Unrated,
        outcome: Outcome,
        temperature: float,
    ) -> _World:
        others = [p for p in source.policies if p not in names]
        matched = match_ratings(ratings, others, aliases=aliases, unrated=unrated)
        used = only_policies(source, {*matched.policies, *names})
        measured = measure_for(calibrator, answers_to(responses_of(used), used, texts), own=own)
        values = calibrator.standardised(measured.frame.select(calibrator.names).to_numpy())
        keys = measured.frame.select(own_key(measured.frame))
        return cls(used, keys, values, ratings, texts, names, aliases, outcome, temperature)

    def placed(self, weights: FloatArray | None) -> list[Place]:
        """Every candidate on the line of the rated policies, with what the weights add to each response."""
        source = self.source
        if weights is not None:
            added = self.keys.with_columns(pl.Series("added", self.features @ weights))
            source = moved_by(source, added)
        held = self.held(source)
        how = {"outcome": self.outcome, "temperature": self.temperature}
        return [place(held, source, name, **how) for name in self.names]  # type: ignore[arg-type]

    def held(self, source: Scores | Margins) -> Held:
        """The rated policies alone."""
        return hold_against(
            only_policies(source, set(source.policies) - set(self.names)),
            self.ratings,
            aliases=self.aliases,
            outcome=self.outcome,
            temperature=self.temperature,
        )


# --- its interval -----------------------------------------------------------------------------------


def _weights_covariance(
    world: _World, calibrator: Calibrator, own: Collection[str], draws: int, seed: int
) -> FloatArray:
    """(d, d) covariance of the weights: their errors out of the file, correlated as if solved here."""
    rated = only_policies(world.source, set(world.source.policies) - set(world.names))
    if has_samples(rated):  # correlations are not to be had of several samples: errors alone
        return np.diag(np.array([f.std_err or 0.0 for f in calibrator.features]) ** 2)
    problem = problem_of(
        rated, world.texts, world.ratings, calibrator, own=list(own), aliases=world.aliases, unrated="error"
    )
    found = drawn_around(calibrator, problem, draws, np.random.default_rng(seed))
    return np.atleast_2d(np.cov(found.T))


def _slopes(world: _World, calibrator: Calibrator, after: Sequence[Place]) -> FloatArray:
    """(candidates, d) by how much each weight moves the rating after correction, by a difference of half its error."""
    found = np.zeros((len(after), len(calibrator.features)))
    for j, feature in enumerate(calibrator.features):
        step = _SHARE * (feature.std_err or 0.0)
        if step > 0:
            weights = calibrator.weights
            weights[j] += step
            found[:, j] = [
                (m.implied - a.implied) / step for m, a in zip(world.placed(weights), after, strict=True)
            ]
    return found


def _style_columns(
    before: Place, after: Place, scope: Scope, slope: FloatArray | None, covariance: FloatArray | None
) -> dict[str, float | None]:
    """The favour to expect from style, and the rating with style taken off."""
    value = before.implied - after.implied
    row: dict[str, float | None] = {
        "style_favour": value,
        "style_std_err": None,
        "style_ci_low": None,
        "style_ci_high": None,
        "corrected_elo": after.implied,
    }
    freedom = float(before.held.measured.line.freedom) if scope == "sample" else np.inf
    if slope is None or covariance is None or not (before.tested and after.tested) or freedom <= 0:
        return row
    variance = _shared_variance(before, after, scope) + float(slope @ covariance @ slope)
    error = float(np.sqrt(variance))
    half = float(student_quantile(freedom)) * error
    return row | {"style_std_err": error, "style_ci_low": value - half, "style_ci_high": value + half}


def _shared_variance(before: Place, after: Place, scope: Scope) -> float:
    """Of the difference of both ratings, without the weights' part: prompts, ratings, and the scatter of what style does to the others.

    With δ_i what prompt i adds to the one less to the other, E and E' what ratings do: Σ_i δ_i² n/(n - 1) + (E - E') cov R (E - E')ᵀ, and for a
    sample of policies s² Σ_l E_l², s² = Σ_l (r_l / a - r'_l / a')² / (K - 2), r the residuals of both lines.
    """
    if before.by_prompt is None or after.by_prompt is None:
        return float("nan")
    prompts = float(prompt_variance((before.by_prompt - after.by_prompt)[None])[0])
    moved = before.at - after.at
    ratings = float(moved @ before.held.rated.full_covariance @ moved)
    if scope != "sample":
        return prompts + ratings
    apart = before.residuals - after.residuals
    scatter = float((apart**2).sum() / before.held.measured.line.freedom)
    return prompts + ratings + scatter * float((before.at**2).sum())
