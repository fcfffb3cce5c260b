"""The equations of K offsets, from margins by prompt: win rates after the offsets, their slopes, what is missing.

L_kl(Δ) is the win rate of k over l on the prompts where both were compared, after the offsets: the mean link of
m_kl + Δ_k - Δ_l. P_kl is its target. Arrays "by pair" are (m,), in the order of ``margins.pairs``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ..margins import PairedMargins, blocks, hard_outcomes
from ..statistics import FloatArray, IntArray
from .inputs import BoolArray


@dataclass(frozen=True, eq=False)
class JointEquations:
    """Paired margins, the win rate P_kl that each pair should have, and which policies are free to move."""

    margins: PairedMargins
    targets: FloatArray
    free: BoolArray

    @property
    def size(self) -> int:
        """K."""
        return len(self.margins.policies)

    @property
    def counts(self) -> FloatArray:
        """Shared prompts by pair."""
        return self._moments[0]

    @property
    def met(self) -> BoolArray:
        """The pairs that share a prompt: only they count."""
        return self.counts > 0

    @property
    def scale(self) -> float:
        """Typical spread of scores about their prompt's mean, as the margins tell it: the unit for temperatures.

        Over K scores of one prompt Σ_{k<l} (s_k - s_l)² = K Σ_k (s_k - mean)², so the variance of the scores is the mean
        squared margin times (K - 1) / 2K. Judgements have no scores; the same figure serves them.
        """
        return self._moments[1]

    @property
    def largest(self) -> float:
        """The largest margin, in absolute terms."""
        return self._moments[2]

    @cached_property
    def _moments(self) -> tuple[FloatArray, float, float]:
        counts, squares, largest = np.zeros(len(self.margins.pairs)), 0.0, 0.0
        for some in blocks(self.margins):
            margins = self.margins.rows(some)
            counts[some] = margins.shape[1] - np.count_nonzero(np.isnan(margins), axis=1)
            squares += float(np.nansum(np.square(margins)))
            largest = max(largest, float(np.abs(margins).max(initial=0.0, where=~np.isnan(margins))))
        share = (self.size - 1) / (2 * self.size)
        return counts, float(np.sqrt(share * squares / max(counts.sum(), 1.0))), largest

    def sides(self) -> tuple[IntArray, IntArray]:
        """(policy, reference) of each pair."""
        return self.margins.pairs[:, 0], self.margins.pairs[:, 1]

    def total(self, by_pair: FloatArray) -> FloatArray:
        """(K,) Σ_l x_kl of an antisymmetric x (x_lk = -x_kl) given by pair."""
        k, r = self.sides()
        return np.asarray(
            np.bincount(k, by_pair, minlength=self.size) - np.bincount(r, by_pair, minlength=self.size)
        )

    def total_rates(self, by_pair: FloatArray) -> FloatArray:
        """(K,) Σ_l x_kl of rates (x_lk = 1 - x_kl), over the opponents that k shares prompts with."""
        k, r = self.sides()
        won, lost = np.where(self.met, by_pair, 0.0), np.where(self.met, 1 - by_pair, 0.0)
        return np.asarray(
            np.bincount(k, won, minlength=self.size) + np.bincount(r, lost, minlength=self.size)
        )

    def opponents(self) -> IntArray:
        """(K,) how many others each policy shares prompts with."""
        return np.asarray(np.bincount(self.margins.pairs[self.met].ravel(), minlength=self.size))

    def moved(self, deltas: FloatArray) -> Iterator[tuple[slice, FloatArray]]:
        """Margins after the offsets, m_kl + (Δ_k - Δ_l), a block of pairs at a time; the arrays may be written to."""
        k, r = self.sides()
        shift = deltas[k] - deltas[r]
        for some in blocks(self.margins):
            yield some, self.margins.rows(some) + shift[some, None]


def sigmoid_rates(
    equations: JointEquations, deltas: FloatArray, temperature: float
) -> tuple[FloatArray, FloatArray]:
    """By pair: mean σ((m_kl + Δ_k - Δ_l)/τ), and its slope dL_kl/dΔ_k. Both are 0 for a pair that shares no prompt."""
    rates, slopes = np.zeros(len(equations.counts)), np.zeros(len(equations.counts))
    for some, wave in equations.moved(deltas):
        n = equations.counts[some]
        wave /= 2 * temperature
        np.tanh(wave, out=wave)
        if (n < wave.shape[1]).any():
            np.nan_to_num(wave, copy=False)
        size = np.maximum(n, 1)
        rates[some] = (n + wave.sum(axis=1)) / (2 * size)
        slopes[some] = (n - np.einsum("ln,ln->l", wave, wave)) / (4 * temperature * size)
    return rates, slopes


def hard_rates(equations: JointEquations, deltas: FloatArray) -> FloatArray:
    """By pair: mean of 1[m_kl + Δ_k - Δ_l > 0] + ½·1[... = 0]; 0 for a pair that shares no prompt."""
    rates = np.zeros(len(equations.counts))
    for some, moved in equations.moved(deltas):
        n = equations.counts[some]
        outcomes = hard_outcomes(moved, out=moved)
        won = (np.nansum if (n < outcomes.shape[1]).any() else np.sum)(outcomes, axis=1)
        rates[some] = won / np.maximum(n, 1)
    return rates


def wins_gap(equations: JointEquations, rates: FloatArray) -> FloatArray:
    """(K,) Σ_l (P_kl - L_kl) over the policies l that share prompts with k."""
    return equations.total(np.where(equations.met, equations.targets - rates, 0.0))


def laplacian(equations: JointEquations, weights: FloatArray) -> FloatArray:
    """(K, K) Σ_pairs w (e_k - e_l)(e_k - e_l)ᵀ."""
    k, r = equations.sides()
    matrix = np.zeros((equations.size, equations.size))
    matrix[k, r] = matrix[r, k] = -weights
    matrix[np.diag_indices(equations.size)] = -matrix.sum(axis=1)
    return matrix
