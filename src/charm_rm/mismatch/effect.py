"""How far win rates are from people's, in a table of before and after: raw, sharpness-fitted, debiased, with floors.

d_j = P̂_j - P_j over pairs j. Three figures of it, none of which is enough alone:

* ``mean_abs_mismatch``, the raw mean |d|. Most of it is often sharpness, and noise in scores lowers it.
* ``sharpness_fitted_mismatch``: the same once P̂ is σ(a·logit P̂), with the exponent a that fits these policies best.
* ``debiased_mismatch``: √max(0, mean(d² - var d)). An exactly aligned model has mean |d| > 0, for want of prompts and of votes;
  this figure leaves that out.

``floor`` is what a figure would be, in the mean, for an exactly aligned model with as many prompts and such ratings.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace

import numpy as np
import polars as pl

from ..margins import Swapped, Tally
from ..ratings import Yardstick, expected_variance, expected_win_rate
from ..statistics import FloatArray, permutation_p
from .noise import (
    Differences,
    Figure,
    aligned_variance,
    clear_of_noise,
    differences_between,
    gap_interval,
    thinned,
)
from .sharpening import fit_exponent, log_odds, sharpened


@dataclass(frozen=True)
class EffectRow:
    """One figure: ``n`` pairs (or policies), its value, 95 % interval and floor, and how it compares with a baseline.

    ``p_value`` tests that model and baseline are alike (see :func:`measure_effect`). What was not asked for, or cannot be
    had, is None.
    """

    metric: str
    n: int
    value: float
    ci_low: float | None = None
    ci_high: float | None = None
    floor: float | None = None
    baseline_value: float | None = None
    difference: float | None = None
    diff_ci_low: float | None = None
    diff_ci_high: float | None = None
    p_value: float | None = None


_LEAST = 0.05  # of the exponent by which a model's win rates are undone; at 0 they would be 0 and 1
_SCHEMA = {f.name: pl.Float64 for f in fields(EffectRow)} | {"metric": pl.String, "n": pl.Int64}


@dataclass(frozen=True, eq=False)
class Effect:
    """The figures in order, and the exponents on the odds of P̂ that the sharpness-fitted one used."""

    rows: tuple[EffectRow, ...]
    exponent: float
    baseline_exponent: float | None = None

    @property
    def frame(self) -> pl.DataFrame:
        """One row a figure: the fields of :class:`EffectRow`."""
        return pl.DataFrame([asdict(row) for row in self.rows], schema=_SCHEMA)

    def row(self, metric: str) -> EffectRow:
        """The figure of that name."""
        return next(row for row in self.rows if row.metric == metric)


def measure_effect(
    tally: Tally,
    rated: Yardstick,
    *,
    rating_draws: FloatArray | None = None,
    baseline: Tally | None = None,
    swapped: Swapped | None = None,
    more: Sequence[EffectRow] = (),
) -> Effect:
    """Measure how far a model's win rates are from those of the ratings, and how much nearer than a baseline's.

    Args:
        tally: win rates by pair; intervals come with its ``win_rate_draws``.
        rated: ratings in the order of the tally's policies.
        rating_draws: (draws, K), joined draw by draw with the tally's.
        baseline: the same pairs in the same order by another model, tallied with the same prompt weights.
        swapped: the permutations behind ``p_value`` (:func:`charm_rm.margins.swap_models`): the two models exchanged prompt by prompt. Under the hypothesis that both
            score alike such exchanges change nothing, so the test's size is exact whatever the figure.
        more: further rows to stand below, made alike by whoever owns them (rank correlation, mean absolute favour).

    An interval holds the true figure (over all prompts, with the true ratings): d less noise. It comes from inverting a
    test: true differences of the size s are tried, in the shape of the shrunk d, with the noise of the draws added; in the interval is
    every s that makes the figure seen no rarer than 2.5 % on either side. The raw figure's interval is widened to hold it.
    """
    mine = _Measured.of(tally, rated, rating_draws)
    theirs = None if baseline is None else _Measured.of(baseline, rated, rating_draws)
    p_values = None
    if swapped is not None and baseline is not None:
        p_values = _p_values(tally, baseline, swapped, mine.expected)
    rows = [_row(name, mine, theirs, p_values) for name in FIGURES]
    return Effect((*rows, *more), mine.exponent, None if theirs is None else theirs.exponent)


# --- the figures ------------------------------------------------------------------------------------


def mean_absolute(difference: FloatArray, variance: FloatArray) -> FloatArray:  # noqa: ARG001 (figures are called alike)
    """Mean |d| over the last axis."""
    return np.asarray(np.abs(difference).mean(axis=-1))


def debiased_root_mean_square(difference: FloatArray, variance: FloatArray) -> FloatArray:
    """√max(0, mean(d² - var d)) over the last axis: E d² = δ² + var d, so that noise cancels in the mean."""
    return np.asarray(np.sqrt(np.maximum((difference**2 - variance).mean(axis=-1), 0.0)))


FIGURES: dict[str, tuple[Figure, bool]] = {  # and whether it is of the fitted win rates
    "sharpness_fitted_mismatch": (mean_absolute, True),
    "debiased_mismatch": (debiased_root_mean_square, False),
    "mean_abs_mismatch": (mean_absolute, False),
}


@dataclass(frozen=True, eq=False)
class _Measured:
    """A model's differences from people as they are, and after its win rates got the exponent that fits best."""

    plain: Differences
    fitted: Differences
    exponent: float
    expected: FloatArray

    @classmethod
    def of(cls, tally: Tally, rated: Yardstick, rating_draws: FloatArray | None) -> _Measured:
        k, r = tally.pairs.T
        expected = expected_win_rate(rated.rating[k], rated.rating[r])
        doubt = expected_variance(expected, rated.gap_variance(tally.pairs))
        noise, rates = None, None
        if tally.win_rate_draws is not None and rating_draws is not None:
            some = thinned(len(rating_draws), len(k))
            drawn = rating_draws[some]
            rates = (tally.win_rate_draws[some], expected_win_rate(drawn[:, k], drawn[:, r]))
            noise = rates[0] - rates[1]
        plain = differences_between(tally, expected, doubt, noise)
        exponent = float(fit_exponent(tally.win_rate, expected, tally.n))
        return cls(plain, _fitted(tally, plain, expected, doubt, exponent, rates), exponent, expected)

    def of_figure(self, name: str) -> Differences:
        return self.fitted if FIGURES[name][1] else self.plain


def _fitted(
    tally: Tally,
    plain: Differences,
    expected: FloatArray,
    doubt: FloatArray,
    exponent: float,
    rates: tuple[FloatArray, FloatArray] | None,
) -> Differences:
    """σ(a·logit P̂) - P with its noise, ``rates`` being draws of P̂ and P.

    The noise is that of the draws, the exponent fitted again in each, but no less in all than that of a model which only a divides from people
    (p = σ(logit P / a), dσ(a·logit p)/dp = a P (1 - P) / (p (1 - p))) less the exponent's own fit: near alignment draws about a noisy P̂ have
    too small an exponent, and with it too little noise.
    """
    q = sharpened(tally.win_rate, exponent, tally.n)
    bound = 0.5 / (tally.n + 1)
    p = np.clip(sharpened(expected, 1 / max(exponent, _LEAST), tally.n), bound, 1 - bound)
    steepness = exponent * expected * (1 - expected) / (p * (1 - p))
    variance = steepness**2 * aligned_variance(tally, p) + doubt
    noise = None
    if plain.standard is not None:
        least = _less_sharpness(plain.standard * np.sqrt(variance), expected, tally.n)
        noise = least if rates is None or exponent == 0 else _refitted(*rates, tally.n, exponent)
        noise = noise * max(1.0, float(np.sqrt((least**2).mean() / max((noise**2).mean(), 1e-300))))
    null_noise = None if plain.null_noise is None else _less_sharpness(plain.null_noise, expected, tally.n)
    return Differences(q - expected, variance, plain.null_variance, plain.standard, noise, null_noise)


def _refitted(rate: FloatArray, expected: FloatArray, n: FloatArray, exponent: float) -> FloatArray:
    """Draws of the fitted difference less their mean; two of Newton's steps lead from the exponent to each draw's own."""
    own = fit_exponent(rate, expected, n, start=exponent, steps=2)
    drawn = sharpened(rate, own[:, None], n) - expected
    return np.asarray(drawn - drawn.mean(axis=0))


def _less_sharpness(noise: FloatArray, expected: FloatArray, n: FloatArray) -> FloatArray:
    """What an exponent near 1, fitted to an aligned model, leaves of noise: e - P (1 - P) x (Σ x e) / Σ P (1 - P) x²."""
    x, weight = log_odds(expected, n), expected * (1 - expected)
    size = float((weight * x**2).sum())
    return noise if size == 0 else np.asarray(noise - ((noise @ x) / size)[:, None] * (weight * x))


# --- rows -------------------------------------------------------------------------------------------


def _row(
    name: str, mine: _Measured, theirs: _Measured | None, p_values: dict[str, float] | None
) -> EffectRow:
    figure = FIGURES[name][0]
    one = mine.of_figure(name)
    value = float(figure(one.value, one.variance))
    cleared = clear_of_noise(one, figure)
    row = EffectRow(name, len(one.value), value, floor=one.floor(figure))
    if cleared is not None:
        row = replace(row, ci_low=min(cleared.low, value), ci_high=max(cleared.high, value))
    if theirs is None:
        return row
    other = theirs.of_figure(name)
    before = float(figure(other.value, other.variance))
    row = replace(row, baseline_value=before, difference=value - before)
    other_cleared = clear_of_noise(other, figure)
    if cleared is not None and other_cleared is not None:
        low, high = gap_interval(cleared, other_cleared)
        row = replace(row, diff_ci_low=min(low, value - before), diff_ci_high=max(high, value - before))
    return row if p_values is None else replace(row, p_value=p_values[name])


def _p_values(tally: Tally, baseline: Tally, swapped: Swapped, expected: FloatArray) -> dict[str, float]:
    """By figure: the share of exchanges that bring model and baseline as far apart as they are.

    The variance in the debiased figure is about the same on both sides of an exchange and is left out: its test is of the mean d².
    """

    def gap(figure: Figure, fitted: bool, one: FloatArray, other: FloatArray) -> FloatArray:
        values = []
        for rate in (one, other):
            q = sharpened(rate, fit_exponent(rate, expected, tally.n)[..., None], tally.n) if fitted else rate
            values.append(figure(q - expected, np.zeros_like(expected)))
        return np.asarray(values[0] - values[1])

    return {
        name: permutation_p(
            float(gap(figure, fitted, tally.win_rate, baseline.win_rate)),
            gap(figure, fitted, swapped.win_rate, swapped.baseline_win_rate),
        )
        for name, (figure, fitted) in FIGURES.items()
    }
