"""Offsets of K policies at once: the equations of :mod:`.joint_equations` solved. Pure arrays.

The total-wins equations Σ_l L_kl = Σ_l P_kl, one for each free policy k, are the Bradley-Terry sufficient statistics;
with the sigmoid link they are the gradient of a convex potential, so there is one solution up to a common shift.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import NotConverged
from ..statistics import FloatArray
from .inputs import BoolArray
from .joint_equations import JointEquations, hard_rates, laplacian, sigmoid_rates, wins_gap
from .roots import hard_root
from .ties import best_of

_NEWTON_STEPS = 60
_SWEEPS = 40
# Polishing ends at this share of one prompt (1/n) of mean win rate.
_ENOUGH = 0.05
# Held-out win rates are no more precise than about a prompt: their offsets need not be either.
_ENOUGH_FOR_A_HALF = 0.5
# Temperatures of the continuation towards the hard link, in units of the margins' scale.
_COOLING = (1.0, 0.3, 0.1, 0.03)


@dataclass(frozen=True, eq=False)
class JointSolution:
    """The offsets, and how near they come: max over free k of |Σ_l (L_kl - P_kl)| / (K - 1).

    ``refused``: all stay 0, as nothing found is better than that.
    """

    deltas: FloatArray
    residual: float
    iterations: int
    refused: bool = False


def solve_sigmoid(
    equations: JointEquations,
    *,
    temperature: float,
    tolerance: float = 1e-11,
    objective: str = "total-wins",
    start: FloatArray | None = None,
) -> JointSolution:
    """Newton, from high temperature down to ``temperature``; or at once from ``start``, offsets of nearly the same data.

    Raises:
        NotConverged: the equations are not solved to ``tolerance``.
    """
    deltas, steps = np.zeros(equations.size) if start is None else start, 0
    for warm in _cooling(equations.scale, temperature) if start is None else [temperature]:
        last = warm == temperature
        deltas, used = _newton(
            equations, deltas, warm, tolerance=tolerance if last else 1e-3, objective=objective, strict=last
        )
        steps += used
    gap = wins_gap(equations, sigmoid_rates(equations, deltas, temperature)[0])
    return JointSolution(deltas, _largest(equations, gap), steps)


def solve_hard(
    equations: JointEquations, *, objective: str = "total-wins", start: FloatArray | None = None
) -> JointSolution:
    """Cool towards the hard link, then polish on the staircase itself; from ``start`` the last temperature is enough.

    The polish solves one policy's total-wins equation exactly, the others held, again and again, and shifts
    all free policies together against the fixed ones; it keeps the best point met. The least-squares objective has
    no staircase equation per policy, so it ends with the cooling. Where scores tie, offsets that keep ties are tried too
    (:mod:`.ties`), and nothing that is worse than no offsets is returned.
    """
    deltas, steps = np.zeros(equations.size) if start is None else start, 0
    for share in _COOLING if start is None else _COOLING[-1:]:
        deltas, used = _newton(
            equations,
            deltas,
            share * equations.scale,
            tolerance=1e-6 if start is None else 1e-4,
            objective=objective,
            strict=False,
        )
        steps += used
    if objective == "total-wins":
        deltas, used = _polish(equations, deltas, enough=_ENOUGH if start is None else _ENOUGH_FOR_A_HALF)
        steps += used
    deltas = best_of(equations, deltas, objective=objective)
    gap = wins_gap(equations, hard_rates(equations, deltas))
    return JointSolution(deltas, _largest(equations, gap), steps, refused=not deltas.any())


def _cooling(scale: float, temperature: float) -> list[float]:
    """Temperatures from the spread of the scores down to the one asked for, by factors of 4."""
    warm = []
    while scale > 2 * temperature:
        warm.append(scale)
        scale /= 4
    return [*warm, temperature]


def _newton(
    equations: JointEquations,
    deltas: FloatArray,
    temperature: float,
    *,
    tolerance: float,
    objective: str,
    strict: bool,
) -> tuple[FloatArray, int]:
    """Damped Newton (Gauss-Newton for least squares). Returns the offsets and the steps taken."""
    gap, jacobian = _gap_and_jacobian(equations, deltas, temperature, objective)
    for step in range(_NEWTON_STEPS):
        size = np.abs(gap[equations.free]).max()
        if size <= tolerance:
            return deltas, step
        deltas, gap, jacobian, improved = _newton_step(
            equations, deltas, gap, jacobian, temperature, objective
        )
        if not improved:
            break
    # At the floor of floating point nothing improves any more: near enough is then good enough.
    if strict and np.abs(gap[equations.free]).max() > 1e-10 * len(deltas):
        raise NotConverged(
            f"the joint offsets stopped {np.abs(gap).max():.1e} short of the total wins asked for",
            fix="raise --temperature, or use --link hard",
        )
    return deltas, _NEWTON_STEPS


def _newton_step(
    equations: JointEquations,
    deltas: FloatArray,
    gap: FloatArray,
    jacobian: FloatArray,
    temperature: float,
    objective: str,
) -> tuple[FloatArray, FloatArray, FloatArray, bool]:
    """One step along the Newton direction, halved until the equations' norm falls."""
    free = equations.free
    direction = np.zeros_like(deltas)
    direction[free] = np.linalg.lstsq(jacobian[np.ix_(free, free)], gap[free], rcond=None)[0]
    before, share = np.linalg.norm(gap[free]), 1.0
    while share > 1e-6:
        trial = deltas + share * direction
        new_gap, new_jacobian = _gap_and_jacobian(equations, trial, temperature, objective)
        if np.linalg.norm(new_gap[free]) < before:
            return trial, new_gap, new_jacobian, True
        share /= 2
    return deltas, gap, jacobian, False


def _gap_and_jacobian(
    equations: JointEquations, deltas: FloatArray, temperature: float, objective: str
) -> tuple[FloatArray, FloatArray]:
    """What must vanish, (K,), and minus its Jacobian: a graph Laplacian, positive semi-definite.

    Total wins: g_k = Σ_l (P_kl - L_kl). Least squares: g_k = Σ_l L'_kl (P_kl - L_kl), the gradient of
    ½ Σ_kl (L_kl - P_kl)² with Gauss-Newton weights L'².
    """
    rates, slopes = sigmoid_rates(equations, deltas, temperature)
    misses = np.where(equations.met, equations.targets - rates, 0.0)
    if objective == "least-squares":
        misses, slopes = slopes * misses, slopes**2
    return equations.total(misses), laplacian(equations, slopes)


def _polish(equations: JointEquations, deltas: FloatArray, *, enough: float) -> tuple[FloatArray, int]:
    """Exact staircase solves, one policy at a time; keeps the best offsets met."""
    gap = wins_gap(equations, hard_rates(equations, deltas))
    best, best_residual, current, stale = deltas, _largest(equations, gap), deltas.copy(), 0
    enough, sweeps = enough / max(equations.counts.max(), 1), 0
    while sweeps < _SWEEPS and stale < 3 and best_residual > enough:
        sweeps += 1
        for k in np.flatnonzero(equations.free):
            current[k] += _own_shift(equations, current, np.arange(len(current)) == k)
        if not equations.free.all():
            current[equations.free] += _own_shift(equations, current, equations.free)
        gap = wins_gap(equations, hard_rates(equations, current))
        residual = _largest(equations, gap)
        if residual < best_residual:
            best, best_residual, stale = current.copy(), residual, 0
        else:
            stale += 1
    return best, sweeps


def _own_shift(equations: JointEquations, deltas: FloatArray, moving: BoolArray) -> float:
    """The common shift of the ``moving`` policies that meets their total wins over all others exactly."""
    left, right = (moving[side] for side in equations.sides())
    which = np.flatnonzero((left != right) & equations.met)
    side = np.where(left[which], 1.0, -1.0)
    k, r = equations.margins.pairs[which].T
    margins = side[:, None] * (equations.margins.rows(which) + (deltas[k] - deltas[r])[:, None])
    weights = np.repeat(1 / equations.counts[which], margins.shape[1])
    wanted = np.where(left[which], equations.targets[which], 1 - equations.targets[which])
    margins = margins.ravel()
    present = ~np.isnan(margins)
    near, mass = _nearby(
        margins[present], weights[present], float(wanted.mean()), window=0.05 * equations.scale
    )
    shift, _ = hard_root(near, wanted.mean(keepdims=True), weights=mass[None], grain=float(weights.max()))
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


def _largest(equations: JointEquations, gap: FloatArray) -> float:
    return float(np.abs(gap[equations.free]).max() / (len(gap) - 1))
