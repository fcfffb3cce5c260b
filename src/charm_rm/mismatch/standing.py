"""All that follows from an RM's own strengths: favour, sharpness, rank correlation, and what favour could have been seen."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field

import numpy as np

from ..errors import CharmWarning, NotConverged, NotIdentifiable
from ..estimates import Estimate
from ..margins import Tally
from ..ratings import Yardstick
from ..settings import Scope
from ..tables import Favouritism
from .favour import Favours, favouritism_table
from .measured import Measured, measure_line
from .ordering import mean_favour_estimate
from .posterior import TrueDraws, draw_truth
from .power import Detectable, detectable_favour, noise_floor
from .rank import plausible_pairs, rank_correlations
from .strengths import rm_strengths
from .words import no_scale_words


@dataclass(frozen=True, eq=False)
class Standing:
    """``favouritism`` and ``detectable`` are None where favour is not to be had; ``slope`` is the sharpness even where it is
    negative and favour has no scale."""

    favouritism: Favouritism | None = None
    detectable: Detectable | None = None
    slope: float | None = None
    correlation: dict[str, Estimate] = field(default_factory=dict)
    mean_favour: Estimate | None = None


def measure_standing(
    tally: Tally, rated: Yardstick, *, scope: Scope, draws: int, rng: np.random.Generator
) -> Standing:
    """Measure what there is; what cannot be had is left out with a warning that says why."""
    try:
        strengths = rm_strengths(tally)
    except NotIdentifiable as error:
        _warn(error)
        return Standing()
    measured = None
    try:
        measured = measure_line(strengths, rated)
    except (NotIdentifiable, NotConverged) as error:
        _warn(error)
    truth = _truth(measured, draws=draws, rng=rng) if draws else None
    pairs = plausible_pairs(strengths, rated, truth, draws=draws, rng=rng) if draws else None
    correlation = rank_correlations(strengths, rated, pairs)
    if measured is None:
        return Standing(correlation=correlation)
    slope = float(measured.line.slope)
    if slope <= 0:
        warnings.warn(no_scale_words(correlation.get("spearman"), slope), CharmWarning, stacklevel=2)
        return Standing(slope=slope, correlation=correlation)
    found = _favouritism(tally, measured, rated, scope)
    if found is None:
        return Standing(slope=slope, correlation=correlation)
    table, favours = found
    detectable = detectable_favour(favours, noise_floor(measured))
    return Standing(table, detectable, slope, correlation, mean_favour_estimate(favours.favour, truth))


def _favouritism(
    tally: Tally, measured: Measured, rated: Yardstick, scope: Scope
) -> tuple[Favouritism, Favours] | None:
    try:
        return favouritism_table(tally.policies, measured, rated, scope=scope)
    except NotIdentifiable as error:
        _warn(error)
        return None


def _truth(measured: Measured | None, *, draws: int, rng: np.random.Generator) -> TrueDraws | None:
    try:
        return None if measured is None else draw_truth(measured, draws=draws, rng=rng)
    except (NotIdentifiable, NotConverged):
        return None


def _warn(error: NotIdentifiable | NotConverged) -> None:
    warnings.warn(f"no favouritism: {error.what}", CharmWarning, stacklevel=3)
