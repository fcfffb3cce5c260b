"""Each model held against the same ratings on the same prompts: what stands in its row, and how two of them differ."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, NotConverged, NotIdentifiable
from ..margins import PairedMargins, Tally, only_policies, pair_margins, swap_models, tally_margins
from ..mismatch.compare import favour_differences
from ..mismatch.compare_figures import sharpness_difference
from ..mismatch.effect import EffectRow, measure_effect
from ..mismatch.favour import favouritism_table, sharpness
from ..mismatch.held import Held, prompts_of
from ..mismatch.measured import measure_line
from ..mismatch.ordering import ordering_rows
from ..mismatch.strengths import rm_strengths
from ..ratings import Aliases, Yardstick, match_ratings, yardstick
from ..settings import Outcome, Scope, Unrated
from ..statistics import FloatArray, draw_prompt_weights
from ..tables import Ratings
from .shared import ByPrompt

SHARPNESS = "sharpness"
# In the order of the table, of those that `measure_effect` and `ordering_rows` give.
EFFECTS = ("sharpness_fitted_mismatch", "spearman", "mean_abs_favour")


@dataclass(frozen=True)
class How:
    """Settings of a comparison that are those of an audit."""

    unrated: Unrated = "error"
    outcome: Outcome = "hard"
    temperature: float = 1.0
    scope: Scope = "sample"
    draws: int = 1000
    seed: int = 0


@dataclass(frozen=True, eq=False)
class Judged:
    """One model: its margins, win rates with draws, and the line of its strengths on the ratings (None: there is none that rises)."""

    name: str
    paired: PairedMargins
    tally: Tally
    held: Held | None


@dataclass(frozen=True, eq=False)
class Field:
    """All models on the same comparisons, the ratings they are held against, and draws of these."""

    models: dict[str, Judged]
    matched: Ratings
    rated: Yardstick
    rating_draws: FloatArray | None
    how: How

    @property
    def prompts(self) -> int:
        """How many prompts all are compared on."""
        return next(iter(self.models.values())).paired.n_prompts


def hold_all(sources: Mapping[str, ByPrompt], ratings: Ratings, aliases: Aliases | None, how: How) -> Field:
    """Hold every model against the ratings, with the same draws of prompts and ratings for all.

    Raises:
        UnknownPolicy, NoOverlap: as in an audit.
    """
    policies = next(iter(sources.values())).policies
    matched = match_ratings(ratings, policies, aliases=aliases, unrated=how.unrated)
    kept = {name: only_policies(source, set(matched.frame["policy"])) for name, source in sources.items()}
    paired = {name: pair_margins(source) for name, source in kept.items()}
    first = next(iter(paired.values()))
    rated = yardstick(matched, first.policies)
    rng = np.random.default_rng(how.seed)
    drawn = draw_prompt_weights(first.n_prompts, draws=how.draws, rng=rng) if how.draws else None
    rating_draws = rated.draw(how.draws, rng) if how.draws else None
    models = {}
    for name, margins in paired.items():
        tally = tally_margins(margins, outcome=how.outcome, temperature=how.temperature, drawn=drawn)
        with of_model(name):
            models[name] = Judged(name, margins, tally, _held(kept[name], matched, rated, tally))
    return Field(models, matched, rated, rating_draws, how)


@contextlib.contextmanager
def of_model(name: str) -> Iterator[None]:
    """Warnings of the block say whose they are."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", CharmWarning)
        yield
    for warning in caught:
        if issubclass(warning.category, CharmWarning):
            warnings.warn(f"{name}: {warning.message}", CharmWarning, stacklevel=3)
        else:
            warnings.warn_explicit(warning.message, warning.category, warning.filename, warning.lineno)


def _held(source: ByPrompt, matched: Ratings, rated: Yardstick, tally: Tally) -> Held | None:
    """The model's line on the ratings; None, with a warning, where favour has no scale."""
    try:
        strengths = rm_strengths(tally)
        measured = measure_line(strengths, rated)
    except (NotIdentifiable, NotConverged) as error:
        warnings.warn(f"no favour: {error.what}", CharmWarning, stacklevel=3)
        return None
    if measured.line.slope <= 0:
        warnings.warn(
            f"its ranking does not agree with human ratings (sharpness {float(measured.line.slope):.2f}): favour has no scale",
            CharmWarning,
            stacklevel=3,
        )
        return None
    return Held(source, matched, tally, rated, strengths, measured, prompts_of(source))


# --- one model ------------------------------------------------------------------------------------


def model_rows(field: Field, name: str) -> list[dict[str, Any]]:
    """Rows figure, value, ci_low, ci_high, floor of one model."""
    one, how = field.models[name], field.how
    rows = _effects(field, one, None, {})
    if one.held is not None:
        slope = sharpness(one.held.measured, how.scope)
        rows = [
            EffectRow(SHARPNESS, len(one.tally.policies), slope.value, slope.ci_low, slope.ci_high),
            *rows,
        ]
    return [
        {"figure": r.metric, "value": r.value, "ci_low": r.ci_low, "ci_high": r.ci_high, "floor": r.floor}
        for r in rows
    ]


def favour_rows(field: Field, name: str) -> pl.DataFrame:
    """The favour of every policy by one model, as an audit has it; no rows where favour has no scale."""
    one = field.models[name]
    if one.held is None:
        return pl.DataFrame()
    with of_model(name):
        table, _ = favouritism_table(
            one.tally.policies, one.held.measured, field.rated, scope=field.how.scope
        )
    return table.frame.select("policy", "favour", "ci_low", "ci_high", "p_value", "q_value", "verdict")


# --- two models -----------------------------------------------------------------------------------


def difference_rows(field: Field, name: str, baseline: str) -> list[dict[str, Any]]:
    """Rows figure, value, baseline_value, difference, ci_low, ci_high, p_value: the first model minus the second.

    p of sharpness is Student's t over prompts, of all others the share of exchanges of the two models within prompts that bring them
    as far apart.
    """
    one, other, how = field.models[name], field.models[baseline], field.how
    swaps: dict[str, Any] = {"outcome": how.outcome, "temperature": how.temperature}
    rows: list[dict[str, Any]] = []
    if one.held is not None and other.held is not None:
        found = sharpness_difference(one.held, other.held, how.scope)
        ends = {"ci_low": found.ci_low, "ci_high": found.ci_high, "p_value": found.p_value}
        gap: dict[str, Any] = {
            "value": found.first,
            "baseline_value": found.second,
            "difference": found.difference,
        }
        rows.append({"figure": SHARPNESS, **gap, **ends})
    for r in _effects(field, one, other, swaps):
        gap = {"value": r.value, "baseline_value": r.baseline_value, "difference": r.difference}
        ends = {"ci_low": r.diff_ci_low, "ci_high": r.diff_ci_high, "p_value": r.p_value}
        rows.append({"figure": r.metric, **gap, **ends})
    return rows


def favour_gaps(field: Field, name: str, baseline: str) -> pl.DataFrame:
    """Differences of favour, policy by policy; no rows where one of the two gives favour no scale."""
    one, other = field.models[name].held, field.models[baseline].held
    if one is None or other is None:
        return pl.DataFrame()
    with of_model(f"{name} and {baseline}"):
        found = favour_differences(one, other, field.how.scope)
    return found.select("policy", "difference", "std_err", "ci_low", "ci_high", "p_value")


def _effects(field: Field, one: Judged, other: Judged | None, swaps: Mapping[str, Any]) -> list[EffectRow]:
    """The figures of :data:`EFFECTS` of one model, beside another where there is one."""
    how = field.how
    swapped = None
    if other is not None and how.draws:
        rng = np.random.default_rng([how.seed, 1])
        swapped = swap_models(one.paired, other.paired, permutations=how.draws, rng=rng, **swaps)
    baseline = None if other is None else other.tally
    more = ordering_rows(
        one.tally, field.rated, draws=how.draws, seed=how.seed, baseline=baseline, swapped=swapped
    )
    found = measure_effect(
        one.tally,
        field.rated,
        rating_draws=field.rating_draws,
        baseline=baseline,
        swapped=swapped,
        more=more,
    )
    known = {row.metric: row for row in found.rows}
    return [known[metric] for metric in EFFECTS if metric in known]
