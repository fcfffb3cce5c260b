"""Offsets of K policies at once. Pure arrays.

``values`` is (K, n), policies by prompts, NaN where a score is missing. L_kl(Δ) is the win rate of k over l on
their shared prompts after the offsets, P_kl its target. The total-wins equations
Σ_l L_kl = Σ_l P_kl, one for each free policy k, are the Bradley-Terry sufficient statistics; with the sigmoid
link they are the gradient of a convex potential, so there is one solution up to a common shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..errors import NotConverged
from ..statistics import FloatArray
from .roots import hard_root

BoolArray = NDArray[np.bool_]

_NEWTON_STEPS = 60
_SWEEPS = 40
# Polishing ends at this share of one prompt (1/n) of mean win rate.
_ENOUGH = 0.05
# Temperatures of the continuation towards the hard link, in standard deviations of the scores.
_COOLING = (1.0, 0.3, 0.1, 0.03)


@dataclass(frozen=True, eq=False)
class JointProblem:
    """Scores, pairwise targets (K, K), and which policies are free to move."""

    values: FloatArray
    targets: FloatArray
    free: BoolArray

    @cached_property
    def counts(self) -> FloatArray:
        """(K, K) shared prompts; 0 on the diagonal."""
        present = (~np.isnan(self.values)).astype(np.float64)
        counts = present @ present.T
        np.fill_diagonal(counts, 0.0)
        return counts

    @cached_property
    def scale(self) -> float:
        """Typical spread of the scores about their prompt's mean: the unit for temperatures."""
        scored = self.values[:, ~np.isnan(self.values).all(axis=0)]
        return float(np.nanstd(scored - np.nanmean(scored, axis=0)))


@dataclass(frozen=True, eq=False)
class JointSolution:
    """The offsets, and how near they come: max over free k of |Σ_l (L_kl - P_kl)| / (K - 1)."""

    deltas: FloatArray
    residual: float
    iterations: int


def sigmoid_rates(values: FloatArray, temperature: float) -> tuple[FloatArray, FloatArray]:
    """(K, K) mean σ((v_k - v_l)/τ) over shared prompts, and its slope dL_kl/dΔ_k (symmetric).

    One row of policies at a time, so that memory stays at K x n. A pair that shares no prompt has 0 for both,
    as has the diagonal.
    """
    n_policies = len(values)
    rates, slopes = np.zeros((n_policies, n_policies)), np.zeros((n_policies, n_policies))
    complete = not np.isnan(values).any()
    half = values / (2 * temperature)
    for k in range(n_policies - 1):
        wave = np.tanh(half[k] - half[k + 1 :])
        n = np.full(len(wave), values.shape[1]) if complete else (~np.isnan(wave)).sum(axis=1)
        wave = wave if complete else np.nan_to_num(wave)
        size = np.maximum(n, 1)
        rate = (n + wave.sum(axis=1)) / (2 * size)
        slope = (n - np.einsum("ln,ln->l", wave, wave)) / (4 * temperature * size)
        rates[k, k + 1 :], rates[k + 1 :, k] = rate, (n > 0) - rate
        slopes[k, k + 1 :] = slopes[k + 1 :, k] = slope
    return rates, slopes


def hard_rates(values: FloatArray) -> FloatArray:
    """(K, K) mean of 1[v_k > v_l] + ½·1[v_k = v_l] over shared prompts; 0 for none and on the diagonal."""
    rates = np.zeros((len(values), len(values)))
    for k in range(len(values) - 1):
        sign = np.sign(values[k] - values[k + 1 :])
        n = (~np.isnan(sign)).sum(axis=1)
        rate = (n + np.nansum(sign, axis=1)) / (2 * np.maximum(n, 1))
        rates[k, k + 1 :], rates[k + 1 :, k] = rate, (n > 0) - rate
    return rates


def wins_gap(problem: JointProblem, rates: FloatArray) -> FloatArray:
    """(K,) Σ_l (P_kl - L_kl) over the policies l that share prompts with k."""
    gap: FloatArray = np.where(problem.counts > 0, problem.targets - rates, 0.0).sum(axis=1)
    return gap


def solve_sigmoid(
    problem: JointProblem, *, temperature: float, tolerance: float = 1e-11, method: str = "total-wins"
) -> JointSolution:
    """Newton, from high temperature down to ``temperature``.

    Raises:
        NotConverged: the equations are not solved to ``tolerance``.
    """
    deltas, steps = np.zeros(len(problem.values)), 0
    for warm in _cooling(problem.scale, temperature):
        last = warm == temperature
        deltas, used = _newton(
            problem, deltas, warm, tolerance=tolerance if last else 1e-3, method=method, strict=last
        )
        steps += used
    gap = wins_gap(problem, sigmoid_rates(problem.values + deltas[:, None], temperature)[0])
    return JointSolution(deltas, _largest(problem, gap), steps)


def solve_hard(problem: JointProblem, *, method: str = "total-wins") -> JointSolution:
    """Cool towards the hard link, then polish on the staircase itself.

    The polish solves one policy's total-wins equation exactly, the others held, again and again, and shifts
    all free policies together against the fixed ones; it keeps the best point met. The least-squares method has
    no staircase equation per policy, so it ends with the cooling.
    """
    deltas, steps = np.zeros(len(problem.values)), 0
    for share in _COOLING:
        deltas, used = _newton(
            problem, deltas, share * problem.scale, tolerance=1e-6, method=method, strict=False
        )
        steps += used
    if method == "total-wins":
        deltas, used = _polish(problem, deltas)
        steps += used
    gap = wins_gap(problem, hard_rates(problem.values + deltas[:, None]))
    return JointSolution(deltas, _largest(problem, gap), steps)


def _cooling(scale: float, temperature: float) -> list[float]:
    """Temperatures from the spread of the scores down to the one asked for, by factors of 4."""
    warm = []
    while scale > 2 * temperature:
        warm.append(scale)
        scale /= 4
    return [*warm, temperature]


def _newton(
    problem: JointProblem,
    deltas: FloatArray,
    temperature: float,
    *,
    tolerance: float,
    method: str,
    strict: bool,
) -> tuple[FloatArray, int]:
    """Damped Newton (Gauss-Newton for least squares). Returns the offsets and the steps taken."""
    gap, jacobian = _equations(problem, deltas, temperature, method)
    for step in range(_NEWTON_STEPS):
        size = np.abs(gap[problem.free]).max()
        if size <= tolerance:
            return deltas, step
        deltas, gap, jacobian, improved = _newton_step(problem, deltas, gap, jacobian, temperature, method)
        if not improved:
            break
    # At the floor of floating point nothing improves any more: near enough is then good enough.
    if strict and np.abs(gap[problem.free]).max() > 1e-10 * len(deltas):
        raise NotConverged(
            f"the joint offsets stopped {np.abs(gap).max():.1e} short of the total wins asked for",
            mend="raise --temperature, or use --link hard",
        )
    return deltas, _NEWTON_STEPS


def _newton_step(
    problem: JointProblem,
    deltas: FloatArray,
    gap: FloatArray,
    jacobian: FloatArray,
    temperature: float,
    method: str,
) -> tuple[FloatArray, FloatArray, FloatArray, bool]:
    """One step along the Newton direction, halved until the equations' norm falls."""
    free = problem.free
    direction = np.zeros_like(deltas)
    direction[free] = np.linalg.lstsq(jacobian[np.ix_(free, free)], gap[free], rcond=None)[0]
    before, share = np.linalg.norm(gap[free]), 1.0
    while share > 1e-6:
        trial = deltas + share * direction
        new_gap, new_jacobian = _equations(problem, trial, temperature, method)
        if np.linalg.norm(new_gap[free]) < before:
            return trial, new_gap, new_jacobian, True
        share /= 2
    return deltas, gap, jacobian, False


def _equations(
    problem: JointProblem, deltas: FloatArray, temperature: float, method: str
) -> tuple[FloatArray, FloatArray]:
    """What must vanish, (K,), and minus its Jacobian: a graph Laplacian, positive semi-definite.

    Total wins: g_k = Σ_l (P_kl - L_kl). Least squares: g_k = Σ_l L'_kl (P_kl - L_kl), the gradient of
    ½ Σ_kl (L_kl - P_kl)² with Gauss-Newton weights L'².
    """
    rates, slopes = sigmoid_rates(problem.values + deltas[:, None], temperature)
    misses = np.where(problem.counts > 0, problem.targets - rates, 0.0)
    if method == "least-squares":
        misses, slopes = slopes * misses, slopes**2
    return misses.sum(axis=1), np.diag(slopes.sum(axis=1)) - slopes


def _polish(problem: JointProblem, deltas: FloatArray) -> tuple[FloatArray, int]:
    """Exact staircase solves, one policy at a time; keeps the best offsets met."""
    gap = wins_gap(problem, hard_rates(problem.values + deltas[:, None]))
    best, best_residual, current, stale = deltas, _largest(problem, gap), deltas.copy(), 0
    enough, sweeps = _ENOUGH / max(problem.counts.max(), 1), 0
    while sweeps < _SWEEPS and stale < 3 and best_residual > enough:
        sweeps += 1
        for k in np.flatnonzero(problem.free):
            current[k] += _own_shift(problem, current, np.arange(len(current)) == k)
        if not problem.free.all():
            current[problem.free] += _own_shift(problem, current, problem.free)
        gap = wins_gap(problem, hard_rates(problem.values + current[:, None]))
        residual = _largest(problem, gap)
        if residual < best_residual:
            best, best_residual, stale = current.copy(), residual, 0
        else:
            stale += 1
    return best, sweeps


def _own_shift(problem: JointProblem, deltas: FloatArray, moving: BoolArray) -> float:
    """The common shift of the ``moving`` policies that meets their total wins over all others exactly."""
    moved = problem.values + deltas[:, None]
    margins = (moved[moving][:, None, :] - moved[~moving][None, :, :]).ravel()
    counts = problem.counts[np.ix_(moving, ~moving)]
    weights = np.repeat(np.divide(1.0, counts, out=np.zeros_like(counts), where=counts > 0), moved.shape[1])
    target = np.where(counts > 0, problem.targets[np.ix_(moving, ~moving)], 0.0).sum() / (counts > 0).sum()
    present = ~np.isnan(margins)
    near, mass = _nearby(margins[present], weights[present], target, window=0.05 * problem.scale)
    shift, _ = hard_root(near, np.array([target]), weights=mass[None], grain=float(weights.max()))
    return float(shift[0])


def _nearby(
    margins: FloatArray, weights: FloatArray, target: float, *, window: float
) -> tuple[FloatArray, FloatArray]:
    """Margins around 0, where the root is; those beyond become one heavy margin at either end.

    The root is small while polishing, so sorting the few margins near 0 spares sorting them all.
    """
    wanted, largest = target * weights.sum(), np.abs(margins).max()
    while window < largest:
        above, below = weights[margins > window].sum(), weights[margins < -window].sum()
        if above < wanted < weights.sum() - below:
            inside = np.abs(margins) <= window
            ends = np.array([window, -window]) * (1 + 1e-9)
            return np.append(margins[inside], ends), np.append(weights[inside], [above, below])
        window *= 4
    return margins, weights


def _largest(problem: JointProblem, gap: FloatArray) -> float:
    return float(np.abs(gap[problem.free]).max() / (len(gap) - 1))
