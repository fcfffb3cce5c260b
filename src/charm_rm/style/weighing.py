"""The weights that an explanation takes: a calibrator's, or ones solved here without the policies that they explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import ConfigError, NoOverlap, NotIdentifiable
from ..features import StyleFeatures, measure_features
from ..margins import only_policies, pair_margins
from ..ratings import Aliases, expected_win_rate, match_ratings, yardstick
from ..settings import Unrated
from ..solved_on import check_not_carried
from ..statistics import FloatArray
from ..tables import Margins, Ratings, Responses, Scores
from ..text_hash import refuse_other_texts
from .apply import as_calibration, check_unit, measure_for
from .calibrator import Calibrator
from .comparisons import Part, restricted, spread_of_margins, thinned
from .cross_validation import (
    PENALTIES,
    CrossFits,
    Folds,
    cross_fit,
    deal_folds,
)
from .fitting import Bounds, Fitted, fit_weights
from .inputs import Problem, answered, laid_out
from .models import check_model
from .weight_draws import draw_weights

KEEP = 0.5  # of the order within prompts, as the solver's default
_CELLS = 4_000_000  # comparisons of one fit


@dataclass(frozen=True, eq=False)
class Weighed:
    """Weights (d,) in the margins' unit for a standard deviation of each feature, draws of them (draws, d), and the policies (K,) that they explain.

    ``held_out``: these policies had no part in the weights.
    """

    weights: FloatArray
    drawn: FloatArray
    explains: NDArray[np.bool_]
    held_out: bool


# --- features of what was scored --------------------------------------------------------------------


def measured_for(
    source: Scores | Margins, responses: Responses, names: Sequence[str], own: Sequence[str]
) -> StyleFeatures:
    """Features of the responses to prompts and by policies of the source; raises as :func:`answers_of`."""
    return measure_features(answers_of(source, responses), features=names, own=own)


def answers_of(source: Scores | Margins, responses: Responses) -> Responses:
    """The responses to prompts and by policies of the source.

    Raises:
        NoOverlap: there are none.
        SchemaError: they are other texts than those scored.
    """
    sides = [c for c in ("policy", "reference") if c in source.frame.columns]
    wanted = {*source.frame[sides[0]], *source.frame[sides[-1]]}
    frame = responses.frame.filter(
        pl.col("policy").is_in(list(wanted))
        & pl.col("prompt_id").is_in(source.frame["prompt_id"].unique().to_list())
    )
    if frame.is_empty():
        raise NoOverlap(
            f"no response belongs to any of the {source.noun}",
            where="explanation",
            fix="give the responses that were scored: same prompt_id, same policy",
        )
    found = Responses(frame, provenance=responses.provenance)
    refuse_other_texts(source, found)
    return found


# --- a calibrator's weights -------------------------------------------------------------------------


def problem_of(
    source: Scores | Margins,
    responses: Responses,
    ratings: Ratings,
    calibrator: Calibrator,
    *,
    own: Sequence[str],
    aliases: Aliases | None,
    unrated: Unrated,
) -> Problem:
    """The problem as :func:`~.inputs.pose_problem` poses it, with the features in the calibrator's own standard deviations.

    Raises:
        ConfigError: the calibrator is of another unit or model, in the source already, or has no feature; a feature is defined otherwise by now;
            a function of one's own is not named in ``own``.
        UnknownPolicy, NoOverlap: as there.
    """
    _check_fits(calibrator, source)
    measured = measure_for(calibrator, answers_of(source, responses), own=own)
    chosen = measured.frame.select("prompt_id", "policy", *calibrator.names)
    measured = StyleFeatures(chosen, provenance=measured.provenance)
    matched = match_ratings(ratings, source.policies, aliases=aliases, unrated=unrated)
    source = answered(only_policies(source, matched.policies), measured)
    paired = pair_margins(source)
    rated = yardstick(matched, paired.policies)
    values, present = laid_out(measured, paired)
    values = calibrator.standardised(values)
    values[~present] = 0.0
    left, right = paired.pairs.T
    expected = expected_win_rate(rated.rating[left], rated.rating[right])
    part = Part(paired, values, expected, np.ones(len(expected)))
    centre, sd = (np.array([getattr(f, n) for f in calibrator.features]) for n in ("centre", "scale"))
    return Problem(source, part, calibrator.names, centre, sd, rated, spread_of_margins(paired))


def _check_fits(calibrator: Calibrator, source: Scores | Margins) -> None:
    check_unit(source, calibrator)
    check_model(source, calibrator)
    check_not_carried(source, as_calibration(calibrator))
    if not calibrator.features:
        raise ConfigError(
            "the calibrator has no feature: only its scale was fitted",
            where="explanation",
            fix="give one that was solved with features, or none",
        )


def weighed_by(
    calibrator: Calibrator, problem: Problem, *, draws: int, rng: np.random.Generator
) -> list[Weighed]:
    """The calibrator's weights, for the policies that it was solved on and for the others.

    Draws have each weight's standard error out of the file, which keeps no correlations: those are as they would be had the weights been solved here.
    """
    known = calibrator.solved_on or {}
    used = np.isin(np.array(problem.policies, dtype=object), list(known.get("policies", problem.policies)))
    drawn = drawn_around(calibrator, problem, draws, rng)
    lots = [(used, False), (~used, True)]
    return [Weighed(calibrator.weights, drawn, some, fresh) for some, fresh in lots if some.any()]


def drawn_around(
    calibrator: Calibrator, problem: Problem, draws: int, rng: np.random.Generator
) -> FloatArray:
    """(draws, d) weights: w_j + SE_j z_j, with z standardised draws of weights solved at the calibrator's temperature and penalty."""
    weights = calibrator.weights
    error = np.array([f.std_err or 0.0 for f in calibrator.features])
    if not draws or not error.any():
        return np.tile(weights, (draws, 1))
    found = draw_weights(
        thinned(problem.part, _CELLS, rng),
        problem.rated,
        weights / calibrator.spread,
        scale=calibrator.spread,
        temperature=calibrator.fit_temperature,
        penalty=calibrator.penalty,
        bounds=Bounds.none(len(weights)),
        draws=draws,
        rng=rng,
    )
    spread = found.std(axis=0)
    return np.asarray(weights + error * (found - found.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


# --- weights solved without the policies they explain -----------------------------------------------


def _refuse_lost_pairs(folds: Folds) -> None:
    """Where all were judged against one baseline, it is in no fold (it cannot be left out), and its own favour has no weights.

    Raises:
        NotIdentifiable: it does.
    """
    if (folds.policy < 0).any():
        raise NotIdentifiable(
            "without some policies nothing is compared: all pairs have one policy in common, a judge's baseline perhaps",
            where="explanation",
            fix="give a calibrator (charm calibrate --style), or judgements of more pairs",
        )


@dataclass(frozen=True, eq=False)
class Solver:
    """Fits of one problem: by folds of policies, and without any policies that are named."""

    problem: Problem
    folds: Folds
    fits: CrossFits
    temperature: float | None
    draws: int
    rng: np.random.Generator

    @classmethod
    def of(
        cls,
        problem: Problem,
        *,
        folds: int,
        temperature: float | None,
        penalty: float | None,
        draws: int,
        seed: int,
    ) -> Solver:
        """Choose the penalty, where it is not given, as the solver does."""
        dealt = deal_folds(problem, folds=folds, seed=seed)
        _refuse_lost_pairs(dealt)
        fits = cross_fit(
            problem,
            dealt,
            temperature=temperature,
            penalties=PENALTIES if penalty is None else (penalty,),
            bounds=Bounds.none(len(problem.names)),
            seed=seed,
        )
        return cls(problem, dealt, fits, temperature, draws, np.random.default_rng(seed))

    def by_fold(self) -> list[Weighed]:
        """Each fold of policies with the weights of all others, whose penalty is chosen without it, too."""
        inside = [self.folds.policy == f for f in range(self.folds.count)]
        return [self._without(some, self.fits.best(KEEP, without=f)) for f, some in enumerate(inside)]

    def on_all(self) -> Weighed:
        """Every policy with the weights of all: in-sample."""
        nobody = np.zeros(len(self.problem.policies), dtype=bool)
        found = self._without(nobody, self.fits.best(KEEP), draw=False)
        return Weighed(found.weights, found.drawn, ~nobody, False)

    def without(self, inside: NDArray[np.bool_]) -> Weighed:
        """The policies inside, with the weights of those outside."""
        return self._without(inside, self.fits.best(KEEP))

    def _without(self, inside: NDArray[np.bool_], best: int, *, draw: bool = True) -> Weighed:
        problem, penalty = self.problem, self.fits.penalties[best]
        outside = np.asarray(~inside[problem.paired.pairs].any(axis=1))
        parts = thinned(restricted(problem.part, pairs=outside), _CELLS, self.rng)
        fitted = self._fit(parts, penalty)
        weights = fitted.weights
        drawn = self._draw(parts, fitted, penalty) if draw and self.draws else np.tile(weights, (0, 1))
        return Weighed(problem.spread * weights, problem.spread * drawn, inside, True)

    def _fit(self, parts: Sequence[Part], penalty: float) -> Fitted:
        return fit_weights(
            parts,
            scale=self.problem.spread,
            temperature=self.temperature,
            penalty=penalty,
            bounds=Bounds.none(len(self.problem.names)),
            tolerance=1e-8,
        )

    def _draw(self, parts: Sequence[Part], fitted: Fitted, penalty: float) -> FloatArray:
        return draw_weights(
            parts,
            self.problem.rated,
            fitted.weights,
            scale=self.problem.spread,
            temperature=fitted.temperature,
            penalty=penalty,
            bounds=Bounds.none(len(fitted.weights)),
            draws=self.draws,
            rng=self.rng,
        )
