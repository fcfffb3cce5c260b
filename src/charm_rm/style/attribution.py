"""Which feature of a correction takes how much of each policy's favour: shares that add up.

A correction moves every margin, m -> m + Σ_j w_j Δφ_j, with it the win rates, the strengths and the favours. Its features share what it does
to a win rate by Aumann and Shapley's (1974) value, the Shapley value of a move made in infinitely many small steps. An outcome is a function g of the moved
margin alone, so the value has a closed form: feature j's part of the change of an outcome is

    w_j Δφ_j (g(m + d) - g(m)) / d,   d = Σ_j w_j Δφ_j,

whose sum over features is the change. A step function's parts would vary without bound where d is near 0, so hard outcomes are those of a sigmoid
as steep as :data:`STEEP` of the margins' spread; what that leaves out is the *closing* part of what stays unexplained. Changes of win rates become
favour, along the straight line from the win rates before to those after, by the integral of favour's derivative.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace

import numpy as np

from ..errors import CharmWarning
from ..margins import PairedMargins, Tally, blocks, incidence, tally_margins
from ..mismatch.favour import Favours, leave_one_out
from ..mismatch.held import derivatives, lines_without_each, rising_line
from ..mismatch.measured import Measured, measure_line
from ..mismatch.strengths import RMStrengths, information, pseudo_inverse, rm_strengths, win_matrix
from ..ratings import Yardstick
from ..settings import Outcome, Scope
from ..statistics import ELO_PER_LOGIT, FloatArray, sigmoid
from .comparisons import ShiftedMargins, spread_of_margins

STEEP = 0.05
_NODES = 3  # of Gauss and Legendre's rule from the win rates before to those after
_TINY = 1e-6  # a move, in temperatures, below which the slope stands for the quotient


@dataclass(frozen=True)
class How:
    """What a win rate is, and what intervals of favour are about, as in an audit."""

    outcome: Outcome = "hard"
    temperature: float = 1.0
    scope: Scope = "sample"

    def tally(self, paired: PairedMargins) -> Tally:
        """Win rates by pair, ties as half."""
        return tally_margins(paired, outcome=self.outcome, temperature=self.temperature)

    def softness(self, paired: PairedMargins) -> float:
        """The sigmoid's temperature of the shares, in the margins' unit."""
        return self.temperature if self.outcome == "soft" else STEEP * spread_of_margins(paired)


@dataclass(frozen=True, eq=False)
class Judged:
    """Win rates of some margins, and the favours that they show."""

    tally: Tally
    strengths: RMStrengths
    measured: Measured
    favours: Favours


def judge(tally: Tally, rated: Yardstick, scope: Scope) -> Judged:
    """Strengths, line and favours of win rates.

    Raises:
        NotIdentifiable, NotConverged: favour cannot be measured.
    """
    strengths = rm_strengths(tally)
    measured = rising_line(strengths, rated)
    return Judged(tally, strengths, measured, leave_one_out(measured, scope))


@dataclass(frozen=True, eq=False)
class Operator:
    """What a change of each policy's total wins does, on the mean of the way: to strengths, ``theta`` (K, K), in log-odds, and to favours,
    ``favour`` (K, K), in Elo points; ``by_theta`` (K, K) is the favours' derivative by strengths."""

    theta: FloatArray
    favour: FloatArray
    by_theta: FloatArray


@dataclass(frozen=True, eq=False)
class Taken:
    """Favour before and after a correction, and what each feature's unit of weight does, prompt by prompt.

    ``parts`` (K, n_prompts, d): Elo points of favour that a unit of the feature's weight adds by a prompt; favour that a feature explains is
    -w_j Σ_i parts, for the correction takes it away.
    """

    before: Judged
    after: Judged
    weights: FloatArray
    operator: Operator
    parts: FloatArray

    @property
    def explained(self) -> FloatArray:
        """(K, d) Elo points of favour that each feature explains."""
        return np.asarray(-self.weights * self.parts.sum(axis=1))

    @property
    def unexplained(self) -> FloatArray:
        """(K,) favour less what the features explain."""
        return np.asarray(self.before.favours.favour - self.explained.sum(axis=1))

    @property
    def closing(self) -> FloatArray:
        """(K,) what is unexplained less the favour of the corrected scores: 0 but for the smoothing of outcomes and the rule of the integral."""
        return np.asarray(self.unexplained - self.after.favours.favour)


def take_style_off(
    before: Judged,
    paired: PairedMargins,
    features: FloatArray,
    weights: FloatArray,
    rated: Yardstick,
    how: How,
) -> Taken:
    """Correct margins by standardised ``features`` (K, n_prompts, d) with ``weights`` (d,) in the margins' unit, and share what that does."""
    after = judge(how.tally(ShiftedMargins(paired, features @ weights)), rated, how.scope)
    operator = operator_between(before.tally, after.tally, rated)
    wins = shares_of_wins(paired, features, weights, how.softness(paired))
    k, n, d = wins.shape
    parts = (operator.favour @ wins.reshape(k, n * d)).reshape(k, n, d)
    return Taken(before, after, weights, operator, parts)


def shares_of_wins(
    paired: PairedMargins, features: FloatArray, weights: FloatArray, temperature: float
) -> FloatArray:
    """(K, n_prompts, d) change of each policy's total wins by a unit of each weight: Σ_l Δφ_j (g(m + d) - g(m)) / d over its opponents."""
    moved = features @ weights
    wins = np.zeros(features.shape)
    for some in blocks(paired):
        pairs = paired.pairs[some]
        k, r = pairs.T
        margins = paired.rows(some)
        rate = _quotient(margins / temperature, (moved[k] - moved[r]) / temperature) / temperature
        rate = np.where(np.isnan(margins), 0.0, rate)
        sides = incidence(pairs, len(features)).T.tocsr()
        for j in range(features.shape[2]):
            wins[:, :, j] += sides @ (rate * (features[k, :, j] - features[r, :, j]))
    return wins


def _quotient(margin: FloatArray, move: FloatArray) -> FloatArray:
    """(σ(m + d) - σ(m)) / d; σ'(m + d/2) where d is near 0."""
    near = np.abs(move) < _TINY
    middle = sigmoid(margin + move / 2)
    change = sigmoid(margin + move) - sigmoid(margin)
    return np.where(near, middle * (1 - middle), change / np.where(near, 1.0, move))


def operator_between(before: Tally, after: Tally, rated: Yardstick) -> Operator:
    """∫ D(t) H⁺(t) dt, t from 0 to 1, D favours by strengths and H the information, at win rates P̂ + t (P̂' - P̂)."""
    nodes, shares = np.polynomial.legendre.leggauss(_NODES)
    found = [_operator_at(before, after, rated, float(t)) for t in (nodes + 1) / 2]
    parts = zip(*[(one.theta, one.favour, one.by_theta) for one in found], strict=True)
    theta, favour, by_theta = (np.einsum("t,tkl->kl", shares / 2, np.array(part)) for part in parts)
    return Operator(theta, favour, by_theta)


def _operator_at(before: Tally, after: Tally, rated: Yardstick, t: float) -> Operator:
    def between(x: FloatArray, y: FloatArray) -> FloatArray:
        return (1 - t) * x + t * y

    tally = replace(
        before,
        win_rate=between(before.win_rate, after.win_rate),
        score_covariance=between(before.score_covariance, after.score_covariance),
    )
    with warnings.catch_warnings():  # said of the ends already
        warnings.simplefilter("ignore", CharmWarning)
        strengths = rm_strengths(tally)
        measured = measure_line(strengths, rated)
    theta = strengths.theta
    played = win_matrix(tally.pairs, tally.n, tally.n, len(theta))
    spread = pseudo_inverse(information(played, sigmoid(theta[:, None] - theta[None, :])))
    by_theta = favour_by_theta(measured)
    return Operator(spread, by_theta @ spread, by_theta)


def favour_by_theta(measured: Measured) -> FloatArray:
    """(K, K) derivatives of favours (Elo points) by strengths; by the line through all policies where those without one give none."""
    lines = lines_without_each(measured)
    lost = ~(lines.found & (lines.slope > 0))
    with np.errstate(all="ignore"):
        found = derivatives(measured).favour_by_theta
    if not lost.any():
        return found
    line, size = measured.line, len(measured.theta)
    gap = measured.theta - line.intercept - line.slope * measured.rho
    level = line.level + (measured.rho - line.centre)[:, None] * line.tilt
    whole = (np.eye(size) - level - (gap / line.slope)[:, None] * line.tilt) * ELO_PER_LOGIT / line.slope
    return np.where(lost[:, None], whole, found)
