"""Joint offsets where scores tie: candidates that keep ties, and the rule that no offset may be worse than none.

A judge's scores from 1 to 10 tie on many prompts. The offsets that solve the smooth equations lie between the points of that
grid and break every tie of a pair the same way, all at once; the wins so turned may do more harm than the
offset does good. Offsets on the grid keep ties at ½ each.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..margins import blocks, hard_outcomes
from ..statistics import FloatArray
from .joint_equations import JointEquations, hard_rates, wins_gap

# Ties are a feature of the scores, not an accident, from this share of all comparisons on.
MANY_TIES = 0.01
_SWEEPS = 10
_SLACK = 1e-12


@dataclass(frozen=True)
class Misses:
    """What offsets are judged by; less is better.

    ``wins``: what the objective asks for, the mean miss of a mean win rate over policies (or the sum of squares over pairs).
    ``pairs``: mean |win rate - target| over the pairs.
    """

    wins: float
    pairs: float

    def no_worse_than(self, other: Misses) -> bool:
        return self.wins <= other.wins + _SLACK and self.pairs <= other.pairs + _SLACK


def misses(equations: JointEquations, deltas: FloatArray, *, objective: str) -> Misses:
    """How far hard win rates are from their targets after these offsets."""
    rates = hard_rates(equations, deltas)
    gap = np.abs(rates - equations.targets)[equations.met]
    if objective == "least-squares":
        return Misses(float(gap @ gap), float(gap @ gap))
    wins = np.abs(wins_gap(equations, rates)[equations.free]) / (equations.size - 1)
    return Misses(float(wins.mean()), float(gap.mean()))


def best_of(equations: JointEquations, solved: FloatArray, *, objective: str) -> FloatArray:
    """``solved``, or offsets that keep ties, or none (0): nothing is returned that is worse than none.

    Of those left, the least mean |win rate - target| over pairs decides where scores tie; elsewhere ``solved`` is taken.
    """
    none = np.zeros(equations.size)
    now = misses(equations, none, objective=objective)
    candidates = [solved]
    if (grid := grid_of(equations)) is not None:
        candidates += [on_grid(equations, start, grid) for start in (none, _rounded(equations, solved, grid))]
    judged = [(misses(equations, deltas, objective=objective), deltas) for deltas in candidates]
    allowed = [
        (found.pairs, found.wins, i) for i, (found, _) in enumerate(judged) if found.no_worse_than(now)
    ]
    return judged[min(allowed)[2]][1] if allowed else none


def grid_of(equations: JointEquations) -> float | None:
    """The step of the grid that all margins lie on, as far as they tie; None where they do not tie, or lie on none."""
    ties = present = 0
    values = np.empty(0)
    for some in blocks(equations.margins):
        margins = equations.margins.rows(some)
        ties += int(np.count_nonzero(margins == 0))
        present += margins.size - int(np.count_nonzero(np.isnan(margins)))
        if ties < MANY_TIES * present:
            return None
        values = np.union1d(values, np.unique(np.abs(margins[~np.isnan(margins)])))
    steps = np.diff(values)
    steps = steps[steps > 1e-9 * values[-1]]
    if steps.size == 0:
        return None
    step = float(steps.min())
    off = np.abs(values / step - np.rint(values / step))
    return step if off.max() < 1e-6 else None


def on_grid(equations: JointEquations, start: FloatArray, step: float) -> FloatArray:
    """Descend in mean |win rate - target| over pairs: one policy at a time, by half steps and whole ones.

    At whole steps of difference ties stay ties; at half steps they are broken, and others do not arise.
    """
    deltas = start.copy()
    for _ in range(_SWEEPS):
        before = deltas.copy()
        for k in np.flatnonzero(equations.free):
            deltas[k] = _best_place(equations, deltas, int(k), step)
        if (deltas == before).all():
            break
    return deltas


def _best_place(equations: JointEquations, deltas: FloatArray, k: int, step: float) -> float:
    """The place of policy k, of those within a step of where it is, that lowers its own pairs' misses most."""
    left, right = (side == k for side in equations.sides())
    which = np.flatnonzero((left | right) & equations.met)
    policy, reference = equations.margins.pairs[which].T
    margins = equations.margins.rows(which) + (deltas[policy] - deltas[reference])[:, None]
    sign = np.where(left[which], 1.0, -1.0)[:, None]
    best, least = deltas[k], np.inf
    for move in (0.0, step / 2, -step / 2, step, -step):
        rates = np.nanmean(hard_outcomes(_snapped(margins + sign * move, step)), axis=1)
        missed = float(np.abs(rates - equations.targets[which]).sum())
        if missed < least - _SLACK:
            best, least = deltas[k] + move, missed
    return float(best)


def _snapped(margins: FloatArray, step: float) -> FloatArray:
    """Differences of grid points that should be 0, made 0."""
    margins[np.abs(margins) < 1e-6 * step] = 0.0
    return margins


def _rounded(equations: JointEquations, deltas: FloatArray, step: float) -> FloatArray:
    """The nearest points of the grid; policies that are held stay."""
    return np.where(equations.free, np.rint(deltas / step) * step, deltas)
