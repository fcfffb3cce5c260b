"""Pure array statistics: intervals, bootstrap weights, false discovery rate, rank correlation.

Everything takes and returns NumPy arrays; nothing here knows of policies or files.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .estimates import LEVEL, Z95, Estimate

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

ELO_PER_LOGIT = 400 / np.log(10)
_WEIGHTS = 4_000_000  # drawn at once where they are drawn again


# `scipy.special` has these too, but takes as long to import as an audit of published figures takes to run.
_erfc = np.vectorize(math.erfc, otypes=[np.float64])


def sigmoid(x: ArrayLike) -> FloatArray:
    """1 / (1 + exp(-x)) = (1 + tanh(x / 2)) / 2, which overflows nowhere."""
    value: FloatArray = 0.5 + 0.5 * np.tanh(0.5 * np.asarray(x, dtype=np.float64))
    return value


# --- prompt bootstrap ---------------------------------------------------------------------------


@dataclass(frozen=True)
class PromptWeights:
    """Bayesian-bootstrap weights, shared by every pair so that correlations between pairs are kept.

    ``weights`` is (draws, n_prompts), unit exponential. ``pseudo_wins`` and ``pseudo_losses`` are
    (draws,) Gamma(½) weights of one Jeffreys pseudo-observation: half a win, half a loss.
    """

    weights: FloatArray
    pseudo_wins: FloatArray
    pseudo_losses: FloatArray

    @property
    def draws(self) -> int:
        return int(self.weights.shape[0])

    @property
    def n_prompts(self) -> int:
        return int(self.weights.shape[1])

    def blocks(self, rows: int) -> Iterator[tuple[slice, FloatArray]]:
        """Some draws at a time: which, and their (rows, n_prompts) weights."""
        for start in range(0, self.draws, rows):
            yield slice(start, start + rows), self.weights[start : start + rows]


@dataclass(frozen=True, eq=False)
class RedrawnWeights:
    """:class:`PromptWeights` that are drawn again whenever they are asked for, so that memory never holds (draws, n_prompts) of them."""

    draws: int
    n_prompts: int
    start: np.random.Generator
    pseudo_wins: FloatArray
    pseudo_losses: FloatArray

    def blocks(self, rows: int) -> Iterator[tuple[slice, FloatArray]]:
        """As :meth:`PromptWeights.blocks`, the very same numbers."""
        rng = copy.deepcopy(self.start)
        for first in range(0, self.draws, rows):
            some = min(rows, self.draws - first)
            yield slice(first, first + some), rng.standard_exponential((some, self.n_prompts))


def draw_prompt_weights(n_prompts: int, *, draws: int, rng: np.random.Generator) -> PromptWeights:
    """Draw weights for a cluster bootstrap over prompts (Rubin 1981) with a Jeffreys prior.

    A weighted mean of 0/1 outcomes under them is exactly Beta(wins + ½, losses + ½): its 95 % range is the
    Jeffreys interval, which covers well at small n and does not collapse when every outcome is the same.
    """
    return PromptWeights(
        weights=rng.standard_exponential((draws, n_prompts)),
        pseudo_wins=rng.standard_gamma(0.5, draws),
        pseudo_losses=rng.standard_gamma(0.5, draws),
    )


def redraw_prompt_weights(n_prompts: int, *, draws: int, rng: np.random.Generator) -> RedrawnWeights:
    """What :func:`draw_prompt_weights` draws, some rows at a time; ``rng`` ends where it would end there."""
    start = copy.deepcopy(rng)
    rows = max(1, _WEIGHTS // max(n_prompts, 1))
    for first in range(0, draws, rows):
        rng.standard_exponential((min(rows, draws - first), n_prompts))
    return RedrawnWeights(
        draws, n_prompts, start, rng.standard_gamma(0.5, draws), rng.standard_gamma(0.5, draws)
    )


def weighted_win_rates(outcomes: FloatArray, drawn: PromptWeights) -> FloatArray:
    """Win rate of each row of ``outcomes`` (m, n_prompts; NaN: missing) under each draw: (draws, m).

    (Σ_i w_i o_i + g₁) / (Σ_i w_i + g₁ + g₀), the sums over the prompts present.
    """
    missing = np.isnan(outcomes)
    if missing.any():
        total = drawn.weights @ (~missing).T.astype(np.float64)
        outcomes = np.where(missing, 0.0, outcomes)
    else:
        total = drawn.weights.sum(axis=1)[:, None]
    wins, losses = drawn.pseudo_wins[:, None], drawn.pseudo_losses[:, None]
    rates: FloatArray = (drawn.weights @ outcomes.T + wins) / (total + wins + losses)
    return rates


def win_rate_variance(n: ArrayLike, total: ArrayLike, total_squares: ArrayLike) -> FloatArray:
    """Variance of a win rate under :func:`draw_prompt_weights`, in closed form.

    With N = n + 1 (Jeffreys adds half a win and half a loss) it is (E[o²] - E[o]²) / (N + 1), the
    moments taken over data and pseudo-observation; it is above 0 even where every outcome is the same.
    """
    size = np.asarray(n, dtype=np.float64) + 1
    mean = (np.asarray(total) + 0.5) / size
    square = (np.asarray(total_squares) + 0.5) / size
    variance: FloatArray = np.maximum(square - mean**2, 0.0) / (size + 1)
    return variance


def draw_normal(
    mean: FloatArray, covariance: FloatArray, *, draws: int, rng: np.random.Generator
) -> FloatArray:
    """(draws, K) normal draws; ``covariance`` is (K, K), or (K,) variances of independent entries."""
    noise = rng.standard_normal((draws, mean.size))
    if covariance.ndim == 1:
        return np.asarray(mean + noise * np.sqrt(covariance))
    # Eigenvalues, not Cholesky: the covariance of ratings is singular along its gauge.
    values, vectors = np.linalg.eigh(covariance)
    return np.asarray(mean + noise @ (vectors * np.sqrt(np.clip(values, 0.0, None))).T)


# --- intervals and tests ------------------------------------------------------------------------


def percentile_interval(draws: FloatArray, *, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Equal-tailed range of ``draws`` (draws, ...) along the first axis."""
    tail = (1 - level) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], axis=0)
    return low, high


def estimate_from_draws(value: float, draws: FloatArray) -> Estimate:
    """A point estimate with the standard error and 95 % range of its draws."""
    low, high = percentile_interval(draws)
    return Estimate(float(value), float(np.std(draws, ddof=1)), float(low), float(high))


def basic_interval(value: float, draws: FloatArray, *, low: float, high: float) -> tuple[float, float]:
    """Basic 95 % bootstrap interval, 2·value - (upper, lower quantile), cut to the range of the figure.

    For figures that noise biases (it lowers correlations and raises absolute differences): the draws carry that
    bias once more than the value does, and reflecting undoes both. Where the value is little but noise, reflection
    would leave it outside; the interval is then widened to hold it.
    """
    lower, upper = (float(end) for end in percentile_interval(draws))
    return max(low, min(value, 2 * value - upper)), min(high, max(value, 2 * value - lower))


def basic_estimate(value: float, draws: FloatArray, *, low: float, high: float) -> Estimate:
    """A point estimate with the standard error of its draws and :func:`basic_interval`."""
    return Estimate(
        float(value), float(np.std(draws, ddof=1)), *basic_interval(value, draws, low=low, high=high)
    )


def normal_estimate(value: float, std_err: float) -> Estimate:
    """A point estimate with value ± 1.96 standard errors."""
    return Estimate(float(value), float(std_err), float(value - Z95 * std_err), float(value + Z95 * std_err))


def wilson_interval(wins: ArrayLike, n: ArrayLike, *, level: float = LEVEL) -> tuple[FloatArray, FloatArray]:
    """Wilson score interval of a proportion of independent trials (Wilson 1927)."""
    z = NormalDist().inv_cdf((1 + level) / 2)
    n = np.asarray(n, dtype=np.float64)
    p = np.asarray(wins, dtype=np.float64) / n
    centre = (p + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(p * (1 - p) / n + z**2 / (4 * n**2))
    return np.clip(centre - half, 0.0, 1.0), np.clip(centre + half, 0.0, 1.0)


def two_sided_p(difference: ArrayLike, std_err: ArrayLike) -> FloatArray:
    """2 Φ(-|difference| / std_err): the normal two-sided p-value; 1 where both are 0."""
    difference = np.abs(np.asarray(difference, dtype=np.float64))
    std_err = np.asarray(std_err, dtype=np.float64)
    z = np.divide(difference, std_err, out=np.where(difference > 0, np.inf, 0.0), where=std_err > 0)
    p: FloatArray = _erfc(z / np.sqrt(2.0))
    return p


def normal_tail(z: ArrayLike) -> FloatArray:
    """Pr(Z > z) of a standard normal, with full relative precision far out."""
    tail: FloatArray = 0.5 * _erfc(np.asarray(z, dtype=np.float64) / np.sqrt(2.0))
    return tail


def permutation_p(observed: float, permuted: FloatArray) -> float:
    """Two-sided p of a permutation test: (1 + #{|permuted| >= |observed|}) / (1 + permutations).

    The arrangement seen is one of the permutations, which makes the size exact.
    """
    reached = np.count_nonzero(np.abs(permuted) >= abs(observed) * (1 - 1e-12))
    return (1 + reached) / (1 + len(permuted))


def benjamini_hochberg(p_values: ArrayLike) -> FloatArray:
    """q-values: the smallest false discovery rate at which each hypothesis is rejected.

    q_(i) = min_{j >= i} p_(j) m / j (Benjamini and Hochberg 1995). NaN stays NaN and is not counted.
    """
    p = np.asarray(p_values, dtype=np.float64)
    q = np.full(p.shape, np.nan)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    scaled = p[order] * tested.size / np.arange(1, tested.size + 1)
    q[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return q


# --- rank correlation ---------------------------------------------------------------------------


def spearman(x: FloatArray, y: FloatArray) -> FloatArray:
    """Spearman's ρ of each row of ``x`` with the same row of ``y`` (..., K), ties by mean rank."""
    return _row_correlation(_centred_ranks(x), _centred_ranks(y))


def kendall(x: FloatArray, y: FloatArray) -> FloatArray:
    """Kendall's τ_b of each row of ``x`` with the same row of ``y`` (..., K)."""
    i, j = np.triu_indices(np.shape(x)[-1], k=1)
    return _row_correlation(np.sign(x[..., i] - x[..., j]), np.sign(y[..., i] - y[..., j]))


def _centred_ranks(values: FloatArray) -> FloatArray:
    """Mean ranks less their mean: ½ Σ_j sign(v_i - v_j); ties share a rank of their own accord."""
    ranks = np.zeros(np.shape(values))
    for j in range(np.shape(values)[-1]):
        ranks += 0.5 * np.sign(values - values[..., j : j + 1])
    return ranks


def _row_correlation(a: FloatArray, b: FloatArray) -> FloatArray:
    """Σ ab / √(Σ a² Σ b²) along the last axis; NaN where one side is constant."""
    scale = np.sqrt((a**2).sum(axis=-1) * (b**2).sum(axis=-1))
    top = np.asarray((a * b).sum(axis=-1))
    correlation: FloatArray = np.divide(top, scale, out=np.full(top.shape, np.nan), where=scale > 0)
    return correlation
