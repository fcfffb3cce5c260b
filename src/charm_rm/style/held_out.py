"""The honest headline of a calibration: agreement with people on policies and prompts that the weights never saw.

Rows in the figures of every table of an effect (:data:`charm_rm.mismatch.METRICS`), before and after, with the floor that chance leaves, what
noise alone would do (a placebo), and what correcting for length alone would.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..features import FEATURES
from ..margins import PairedMargins, swap_models, tally_margins
from ..mismatch.effect import measure_effect
from ..mismatch.ordering import ordering_rows
from ..ratings import Yardstick
from ..statistics import draw_prompt_weights
from .comparisons import ShiftedMargins
from .cross_validation import Folds, cross_fit, held_out_margins
from .fitting import Bounds
from .inputs import Problem


def held_out_figures(
    problem: Problem, calibrated: PairedMargins, *, length_only: PairedMargins | None, draws: int, seed: int
) -> list[dict[str, Any]]:
    """Rows metric, n, before, after, ci_low, ci_high, difference, diff_ci_low, diff_ci_high, p_value, floor, placebo, length_only.

    Intervals are over prompts and ratings; p tests that both models score alike, by exchanging them within prompts.
    """
    rng = np.random.default_rng(seed)
    drawn = draw_prompt_weights(problem.paired.n_prompts, draws=draws, rng=rng) if draws else None
    tally, before = (tally_margins(p, drawn=drawn) for p in (calibrated, problem.paired))
    rating_draws = problem.rated.draw(draws, rng) if draws else None
    swapped = swap_models(calibrated, problem.paired, permutations=draws, rng=rng) if draws else None
    more = ordering_rows(tally, problem.rated, draws=draws, seed=seed, baseline=before, swapped=swapped)
    found = measure_effect(
        tally, problem.rated, rating_draws=rating_draws, baseline=before, swapped=swapped, more=more
    )
    noise = problem.spread * rng.standard_normal((len(problem.policies), problem.paired.n_prompts))
    beside: dict[str, Mapping[str, float]] = {
        "placebo": _values(ShiftedMargins(problem.paired, noise), problem.rated),
        "length_only": {} if length_only is None else _values(length_only, problem.rated),
    }
    columns = ("n", "ci_low", "ci_high", "difference", "diff_ci_low", "diff_ci_high", "p_value", "floor")
    return [
        {"metric": row["metric"], "before": row["baseline_value"], "after": row["value"]}
        | {name: row[name] for name in columns}
        | {name: values.get(row["metric"]) for name, values in beside.items()}
        for row in found.frame.to_dicts()
    ]


def length_only_margins(
    problem: Problem, folds: Folds, *, temperature: float | None, seed: int
) -> PairedMargins | None:
    """The usual correction, of length alone, cross-fitted the same way; None where no feature is of length."""
    names = [n for n in problem.names if n in FEATURES and FEATURES[n].group == "length"][:1]
    if not names:
        return None
    short = problem.only(names)
    fits = cross_fit(short, folds, temperature=temperature, bounds=Bounds.none(1), seed=seed)
    return held_out_margins(short, fits, folds, keep=0.0)


def _values(paired: PairedMargins, rated: Yardstick) -> dict[str, float]:
    tally = tally_margins(paired)
    found = measure_effect(tally, rated, more=ordering_rows(tally, rated))
    return {row.metric: row.value for row in found.rows}
