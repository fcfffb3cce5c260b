"""Linearised bootstrap draws of offsets, where solving again for every draw would be slow.

A draw re-weights the prompts and the ratings. To first order that shifts the win rates and the targets; the
offset follows by one Newton step from the solution.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import special

from ..errors import NotIdentifiable
from ..margins import hard_outcomes, incidence, soft_outcomes, with_ties_halved
from ..ratings import expected_win_rate
from ..statistics import FloatArray, PromptWeights, RedrawnWeights
from .allpairs import BLOCK_CELLS, SIDES, AllPairs, sigmoid_sums
from .joint_equations import JointEquations, hard_rates, laplacian, sigmoid_rates

_WEIGHTS = 4_000_000  # of draws and prompts at once

# --- all policies at once -----------------------------------------------------------------------


def draw_deltas(
    equations: JointEquations,
    deltas: FloatArray,
    rating_draws: FloatArray,
    drawn: PromptWeights,
    *,
    temperature: float | None,
) -> FloatArray:
    """(draws, K) linearised bootstrap: Δ* = Δ + J⁻¹ (P* - P - (L*(Δ) - L(Δ))), all as total wins.

    L* are the total wins under a draw's prompt weights, linear in them to first order; P* those of a draw of
    the ratings. J is the Jacobian of L; with the hard link (``temperature`` None) it is that of the sigmoid at
    a kernel bandwidth, as the slope of a staircase is a density.
    """
    if temperature is None:
        rates, width = hard_rates(equations, deltas), bandwidth(equations)
    else:
        rates, width = sigmoid_rates(equations, deltas, temperature)[0], temperature
    jacobian = laplacian(equations, sigmoid_rates(equations, deltas, width)[1])
    change = target_draws(equations, rating_draws) - _wins_draws(equations, deltas, rates, drawn, temperature)
    free = equations.free
    draws = np.tile(deltas, (len(rating_draws), 1))
    try:
        draws[:, free] += np.linalg.solve(jacobian[np.ix_(free, free)], change[:, free].T).T
    except np.linalg.LinAlgError as error:
        raise NotIdentifiable(
            "some policies are so far from all others that no comparison is near turning, and intervals cannot be drawn",
            where="calibration",
            fix="look at their scores; for offsets without intervals use --draws 0",
        ) from error
    return draws


def bandwidth(equations: JointEquations) -> float:
    """Logistic scale whose standard deviation is Silverman's 1.06 s n^(-1/5) for the margins' spread s."""
    n = np.median(equations.counts[equations.met])
    return float(1.06 * np.sqrt(2) * equations.scale * n**-0.2 * np.sqrt(3) / np.pi)


def target_draws(equations: JointEquations, rating_draws: FloatArray) -> FloatArray:
    """(draws, K) Σ_l (P*_kl - P_kl) over the pairs that share prompts."""
    k, r = equations.sides()
    totals = [
        equations.total(np.where(equations.met, expected_win_rate(one[k], one[r]) - equations.targets, 0.0))
        for one in rating_draws
    ]
    return np.stack(totals)


def _wins_draws(
    equations: JointEquations,
    deltas: FloatArray,
    rates: FloatArray,
    drawn: PromptWeights,
    temperature: float | None,
) -> FloatArray:
    """(draws, K) Σ_l (L*_kl - L_kl), to first order in the prompt weights.

    A prompt shared by k and l moves L_kl by (link - L_kl) / n_kl for each unit of its relative weight.
    """
    influence = np.zeros((equations.size, equations.margins.n_prompts))
    for some, gap in equations.moved(deltas):
        outcome = hard_outcomes(gap) if temperature is None else soft_outcomes(gap, temperature=temperature)
        outcome -= rates[some, None]
        outcome /= np.maximum(equations.counts[some], 1)[:, None]
        np.nan_to_num(outcome, copy=False)
        influence += incidence(equations.margins.pairs[some], equations.size).T @ outcome
    relative = drawn.weights / drawn.weights.mean(axis=1, keepdims=True)
    wins: FloatArray = relative @ influence.T
    return wins


# --- one policy, unpaired -----------------------------------------------------------------------


def unpaired_draws(
    columns: Sequence[FloatArray],
    weights: FloatArray,
    delta: float,
    goal_shift: FloatArray,
    drawn: PromptWeights | RedrawnWeights,
    *,
    temperature: float | None,
) -> FloatArray:
    """Linearised bootstrap draws of Δ: Δ* = Δ + (P* - P - (L*(Δ) - L(Δ))) / L'(Δ).

    ``columns`` are scores by prompt (NaN: none), the policy first, then its references; both sides of a prompt
    share their weight, as prompts are the clusters. L* is linear in the weights up to O(1/n): each
    response counts by its own mean over the other side (Hájek's projection). ``goal_shift`` is P* - P by draw.
    """
    if len(goal_shift) == 0:
        return np.empty(0)
    influence = np.zeros(drawn.n_prompts)
    slope = 0.0
    own, own_seen = columns[0], ~np.isnan(columns[0])
    for other, weight in zip(columns[1:], weights.tolist(), strict=True):
        seen = ~np.isnan(other)
        over_mean, other_mean = _projections(own[own_seen] + delta, other[seen], temperature)
        influence[own_seen] += weight * (over_mean - over_mean.mean()) / own_seen.sum()
        influence[seen] += weight * (other_mean - other_mean.mean()) / seen.sum()
        slope += weight * _slope(own[own_seen] + delta, other[seen], temperature)
    shift = np.concatenate(
        [
            (weights / weights.mean(axis=1, keepdims=True)) @ influence
            for _, weights in drawn.blocks(max(1, _WEIGHTS // drawn.n_prompts))
        ]
    )
    change = goal_shift - shift
    if slope <= 0:  # nothing turns within a bandwidth: how far the offset goes is not said by these data
        return np.where(change == 0, delta, np.copysign(np.inf, change))
    draws: FloatArray = delta + change / slope
    return draws


def _projections(
    over: FloatArray, reference: FloatArray, temperature: float | None
) -> tuple[FloatArray, FloatArray]:
    """Mean win of each response over the other side: (n,) for the policy's, (m,) for the reference's."""
    if temperature is None:
        return _rank_share(over, reference), 1 - _rank_share(reference, over)
    own, other = np.empty(over.size), np.zeros(reference.size)
    size = max(1, BLOCK_CELLS // reference.size)
    for start in range(0, over.size, size):
        win = special.expit((over[start : start + size, None] - reference) / temperature)
        own[start : start + size] = win.mean(axis=1)
        other += win.sum(axis=0)
    return own, other / over.size


def _rank_share(values: FloatArray, others: FloatArray) -> FloatArray:
    """Share of ``others`` below each value, ties as ½."""
    ordered = np.sort(others)
    below, upto = (np.searchsorted(ordered, values, side=s) for s in SIDES)
    share: FloatArray = with_ties_halved(below / others.size, upto / others.size)
    return share


def _slope(over: FloatArray, reference: FloatArray, temperature: float | None) -> float:
    """dL/dΔ: exact for the sigmoid; for the hard link a difference over ±h, h the usual kernel bandwidth."""
    if temperature is not None:
        wins, squares = sigmoid_sums(over, np.sort(reference), temperature)
        return (wins - squares) / (temperature * over.size * reference.size)
    spread = np.sqrt(over.var() + reference.var())
    h = 1.06 * spread * min(over.size, reference.size) ** -0.2
    pairs = AllPairs.of(over, [reference], [1.0])
    return (pairs.hard(h) - pairs.hard(-h)) / float(2 * h)
