"""How two models differ in the order and the favour they give policies: correlations and mean |favour|, before and after.

The test exchanges the two models within prompts, which keeps its size whatever the figure. The interval is for the true difference:
what the draws of true strengths allow, together with what the test does not reject, so that it leaves 0 out exactly where p <= 5 %.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ..errors import NotConverged, NotIdentifiable
from ..estimates import SIGNIFICANT, Estimate
from ..margins import Swapped, Tally
from ..ratings import Yardstick
from ..statistics import ELO_PER_LOGIT, FloatArray, percentile_interval, permutation_p
from .effect import EffectRow
from .favour import leave_one_out
from .measured import Measured, measure_line
from .posterior import TrueDraws, draw_truth
from .power import noise_floor
from .rank import CORRELATIONS, plausible_pairs
from .strengths import RMStrengths, fit_strengths, rm_strengths, win_matrix

FAVOUR = "mean_abs_favour"
_NOTHING = 0.01  # Elo points


def ordering_rows(
    tally: Tally,
    rated: Yardstick,
    *,
    draws: int = 0,
    seed: int = 0,
    baseline: Tally | None = None,
    swapped: Swapped | None = None,
) -> list[EffectRow]:
    """Spearman, Kendall and mean |favour| as rows beside those of :func:`.effect.measure_effect`.

    Mean |favour| is left out where either model gives favour no scale. Model and baseline share the seed, so that what they share
    is no difference.
    """
    mine = _Model.of(tally, rated, draws=draws, seed=seed)
    theirs = None if baseline is None else _Model.of(baseline, rated, draws=draws, seed=seed)
    permuted = {} if swapped is None else _permuted(tally, rated, swapped)
    found = []
    for name in (*CORRELATIONS, FAVOUR):
        if name not in mine.values or (theirs is not None and name not in theirs.values):
            continue
        row = _row(name, len(rated.policies), mine)
        found.append(row if theirs is None else _compared(row, mine, theirs, permuted.get(name)))
    return found


@dataclass(frozen=True, eq=False)
class _Model:
    """The figures of a model by name, and draws of the true ones where any were asked for."""

    values: dict[str, float]
    truth: dict[str, FloatArray]
    floor: float | None

    @classmethod
    def of(cls, tally: Tally, rated: Yardstick, *, draws: int, seed: int) -> _Model:
        strengths = rm_strengths(tally)
        measured = _line(strengths, rated)
        values = {n: float(f(strengths.theta, rated.rating)) for n, f in CORRELATIONS.items()}
        rising = measured is not None and measured.line.slope > 0
        floor = None
        if measured is not None and rising:
            values[FAVOUR] = float(np.abs(leave_one_out(measured, "these").favour).mean())
            floor = noise_floor(measured)
        if not draws:
            return cls(values, {}, floor)
        rng = np.random.default_rng(seed)
        drawn = None if measured is None else draw_truth(measured, draws=draws, rng=rng)
        pairs = plausible_pairs(strengths, rated, drawn, draws=draws, rng=rng)
        truth = {n: f(*pairs) for n, f in CORRELATIONS.items()}
        if measured is not None and drawn is not None and rising:
            truth[FAVOUR] = _drawn_favour(drawn)
        return cls(values, truth, floor)


def mean_favour_estimate(favour: FloatArray, drawn: TrueDraws | None) -> Estimate:
    """Mean |favour| of policies, Elo, with the interval of draws of the truth."""
    value = float(np.abs(favour).mean())
    if drawn is None:
        return Estimate(value, None, None, None)
    low, high = percentile_interval(_drawn_favour(drawn))
    return Estimate(value, None, min(float(low), value), max(float(high), value))


def _drawn_favour(drawn: TrueDraws) -> FloatArray:
    """(draws,) mean |favour|; draws without scatter are of no favour at all."""
    favour = mean_favour(drawn.theta, drawn.rho)
    return np.where(favour < _NOTHING, 0.0, favour)


def _line(strengths: RMStrengths, rated: Yardstick) -> Measured | None:
    try:
        return measure_line(strengths, rated)
    except (NotIdentifiable, NotConverged):
        return None


def _row(name: str, policies: int, mine: _Model) -> EffectRow:
    value = mine.values[name]
    row = EffectRow(name, policies, value, floor=mine.floor if name == FAVOUR else None)
    if name not in mine.truth:
        return row
    low, high = percentile_interval(mine.truth[name])
    return replace(row, ci_low=min(float(low), value), ci_high=max(float(high), value))


def _compared(row: EffectRow, mine: _Model, theirs: _Model, permuted: FloatArray | None) -> EffectRow:
    before = theirs.values[row.metric]
    gap = row.value - before
    row = replace(row, baseline_value=before, difference=gap)
    if permuted is None:
        return row
    p = permutation_p(gap, permuted)
    row = replace(row, p_value=p)
    if row.metric not in mine.truth:
        return row
    low, high = difference_interval(gap, p, permuted, mine.truth[row.metric] - theirs.truth[row.metric])
    reach = np.inf if row.metric == FAVOUR else 2.0  # correlations are 2 apart at most
    return replace(row, diff_ci_low=max(low, -reach), diff_ci_high=min(high, reach))


def difference_interval(
    gap: float, p_value: float, permuted: FloatArray, truth: FloatArray
) -> tuple[float, float]:
    """95 % interval of a true difference that agrees with the permutation test.

    What the test leaves, gap ± the 95 % point of |permuted|, joined with the range of draws of the true difference; where the test
    rejects 0 the first alone towards 0.
    """
    with np.errstate(invalid="ignore"):
        reach = float(
            np.nan_to_num(np.quantile(np.abs(permuted), 1 - SIGNIFICANT), nan=np.inf, posinf=np.inf)
        )
    ends = percentile_interval(truth)
    low, high = min(float(ends[0]), gap - reach), max(float(ends[1]), gap + reach)
    if p_value <= SIGNIFICANT:
        bound = max(abs(gap) - reach, 1e-9 * abs(gap))
        return (max(low, bound), high) if gap > 0 else (low, min(high, -bound))
    return min(low, 0.0), max(high, 0.0)


# --- the two models exchanged ---------------------------------------------------------------------


def _permuted(tally: Tally, rated: Yardstick, swapped: Swapped) -> dict[str, FloatArray]:
    """By figure, (permutations,) differences when the models are exchanged at random within prompts."""
    one, other = (_strengths(tally, rate) for rate in (swapped.win_rate, swapped.baseline_win_rate))
    rho = rated.rating / ELO_PER_LOGIT
    found = {name: f(one, rho) - f(other, rho) for name, f in CORRELATIONS.items()}
    with np.errstate(invalid="ignore"):
        favour = mean_favour(one, rho) - mean_favour(other, rho)
    # A model that, so exchanged, gives favour no scale is as far from the other as can be.
    return found | {FAVOUR: np.where(np.isnan(favour), np.inf, favour)}


def mean_favour(theta: FloatArray, rho: FloatArray) -> FloatArray:
    """Mean |favour| in Elo points for strengths and ratings (..., K), against unweighted lines through the others, in closed form.

    With r the residuals of the line through all, h = 1/K + u²/S the leverages, u = ρ - mean, S = Σ u²: the residual from the line through
    the others is r / (1 - h), that line's slope a - (u / S) r / (1 - h). Infinite where the others' line is flat: favour has no scale there.
    """
    u = rho - rho.mean(axis=-1, keepdims=True)
    spread = (u**2).sum(axis=-1, keepdims=True)
    centred = theta - theta.mean(axis=-1, keepdims=True)
    slope = (centred * u).sum(axis=-1, keepdims=True) / spread
    gap = (centred - slope * u) / (1 - 1 / rho.shape[-1] - u**2 / spread)
    others = slope - u / spread * gap
    with np.errstate(divide="ignore", invalid="ignore"):
        favour = np.where(gap == 0, 0.0, gap / others)
    return np.asarray(ELO_PER_LOGIT * np.abs(favour).mean(axis=-1))


def _strengths(tally: Tally, win_rate: FloatArray) -> FloatArray:
    """Strengths (..., K), half a win and half a loss added to every pair so that they are finite in every arrangement."""
    games = tally.n + 1
    won = win_rate * tally.n + 0.5
    wins = win_matrix(tally.pairs, won, games - won, len(tally.policies))
    return fit_strengths(wins, tolerance=1e-6).theta
