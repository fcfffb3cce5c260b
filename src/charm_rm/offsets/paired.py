"""One policy over its references, responses to the same prompt compared: Σ_l w_l L_l(Δ) = Σ_l w_l P_l."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from ..errors import NoOverlap, NotIdentifiable
from ..estimates import LEVEL
from ..margins import hard_outcomes, soft_outcomes
from ..statistics import FloatArray, PromptWeights, RedrawnWeights
from .cross_fitting import Rates
from .inputs import BoolArray, Question
from .results import NO_SPREAD, Spread, spread_of
from .roots import hard_crossing, hard_root, sigmoid_root

_BLOCK_CELLS = 4_000_000
# Below so many expected n P (1 - P) the percentiles of the draws cover too little; order statistics hold their 95 %.
_COARSE = 10.0


@dataclass(frozen=True, eq=False)
class Paired:
    """``margins`` (references, n_prompts) of the policy over each reference, NaN where not both were scored or judged."""

    question: Question
    margins: FloatArray

    def check(self) -> None:
        """Raise where no offset answers.

        Raises:
            NoOverlap: no prompt is shared with a reference.
            NotIdentifiable: one shared prompt, or margins all equal.
        """
        asked = self.question
        for reference, shared in zip(asked.references, (~np.isnan(self.margins)).sum(axis=1), strict=True):
            where = f"policies {asked.over!r} and {reference!r}"
            if shared == 0:
                raise NoOverlap(
                    "they share no prompt",
                    where=where,
                    fix="score or judge the same prompts (check prompt_id)",
                )
            if shared == 1:
                raise NotIdentifiable(
                    "they share one prompt, which does not determine a win rate",
                    where=where,
                    fix="score or judge more prompts",
                )
        asked.check_spread(float(np.nanmin(self.margins)), float(np.nanmax(self.margins)))

    def solve(self, target: float) -> tuple[float, float]:
        """(Δ, attained): margins are pooled, each with the weight w_l / n_l."""
        present = ~np.isnan(self.margins)
        equal = self.question.weights[:, None] * present / present.sum(axis=1, keepdims=True)
        flat = None if len(self.margins) == 1 else equal[present][None]
        delta, attained = self._root(self.margins[present], np.array([target]), flat)
        return float(delta[0]), float(attained[0])

    def spread(
        self, delta: float, target: float, goals: FloatArray, drawn: PromptWeights | RedrawnWeights
    ) -> Spread:
        """Standard error and interval: the equation solved again under each draw's prompt weights and target.

        The draws' percentiles are the interval where the stairs are fine. Few expected wins or losses make
        them coarse (n P (1 - P) small, hard link): there the interval is that of order statistics.
        """
        if len(goals) == 0:
            return NO_SPREAD
        draws = self._roots(goals, drawn)
        expected = self._n_prompts * target * (1 - target)
        if self.question.temperature is not None or expected > _COARSE:
            return spread_of(draws)
        low, high = self._order_statistics(goals, drawn)
        return replace(spread_of(draws), low=low, high=high)

    def _roots(self, goals: FloatArray, drawn: PromptWeights | RedrawnWeights) -> FloatArray:
        """(draws,) roots, with one Jeffreys pseudo-observation per reference.

        With W_i a draw's weights, S_l their sum over shared prompts, g₁ and g₀ the pseudo-observation's: L*_l =
        (Σ W_i link_il + g₁) / (S_l + g₁ + g₀). Taking the constant g₁ terms to the right leaves a plain weighted root.
        A draw whose pseudo-observation alone wins more than its target (or without which all wins are too few) has no finite root.
        """
        parts = []
        for weights, targets in self._weighted(goals, drawn, drawn.pseudo_wins):
            edge = 1 / (4 * weights.shape[1])
            roots = self._root(self._pooled, np.clip(targets, edge, 1 - edge), weights)[0]
            parts.append(np.select([targets <= 0, targets >= 1], [-np.inf, np.inf], roots))
        return np.concatenate(parts)

    def _order_statistics(
        self, goals: FloatArray, drawn: PromptWeights | RedrawnWeights
    ) -> tuple[float, float]:
        """Ends between thresholds: at the true Δ the wins are binomial, and neither end is passed in more than 2.5 %.

        For one reference and a known P these are the (k + 1)-th and the (m + 1)-th smallest threshold, k and m the 2.5 and
        97.5 % quantiles of Binomial(n, P), less one for k; the ends are open where there is no such threshold. A draw does that for
        several references and an uncertain P too: a share of k wins of n under exponential weights with one
        more observation, a win for the lower end and a loss for the upper one, is Beta(k + 1, n - k) or Beta(k, n - k + 1).
        """
        one = drawn.pseudo_wins + drawn.pseudo_losses
        ends = []
        for wins in (one, np.zeros_like(one)):
            crossed = [
                hard_crossing(self._pooled, targets, weights=weights)
                for weights, targets in self._weighted(goals, drawn, wins)
            ]
            ends.append(np.concatenate(crossed))
        tail = (1 - LEVEL) / 2
        low, high = (
            float(np.quantile(x, q, method="inverted_cdf"))
            for x, q in zip(ends, (tail, 1 - tail), strict=True)
        )
        return low, high

    def _weighted(
        self, goals: FloatArray, drawn: PromptWeights | RedrawnWeights, wins: FloatArray
    ) -> Iterator[tuple[FloatArray, FloatArray]]:
        """(weights, targets) of the pooled margins, some draws at a time; ``wins`` is the pseudo-observation's share of wins."""
        present = ~np.isnan(self.margins)
        pseudo = drawn.pseudo_wins + drawn.pseudo_losses
        for rows, drawn_weights in drawn.blocks(max(1, _BLOCK_CELLS // int(present.sum()))):
            scale = self.question.weights / (drawn_weights @ present.T + pseudo[rows, None])
            weights = np.concatenate(
                [scale[:, [r]] * drawn_weights[:, seen] for r, seen in enumerate(present)], axis=1
            )
            yield weights, (goals[rows] - wins[rows] * scale.sum(axis=1)) / weights.sum(axis=1)

    @property
    def _pooled(self) -> FloatArray:
        return self.margins[~np.isnan(self.margins)]

    @property
    def _n_prompts(self) -> int:
        return int((~np.isnan(self.margins)).any(axis=0).sum())

    def rates(self, delta: float) -> Rates:
        """By reference: comparisons, mean outcome under the link, and hard win rate, after the offset."""
        temperature = self.question.temperature
        moved = [row[~np.isnan(row)] + delta for row in self.margins]
        counts = np.array([row.size for row in moved], dtype=np.float64)
        hard = np.array([_mean(hard_outcomes(row)) for row in moved])
        if temperature is None:
            return counts, hard, hard
        soft = np.array([_mean(soft_outcomes(row, temperature=temperature)) for row in moved])
        return counts, soft, hard

    def at(self, prompts: BoolArray) -> Paired:
        """The same question on some of the prompts."""
        return Paired(self.question, self.margins[:, prompts])

    def _root(
        self, margins: FloatArray, targets: FloatArray, weights: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        temperature = self.question.temperature
        if temperature is None:
            return hard_root(margins, targets, weights=weights)
        return sigmoid_root(margins, targets, temperature=temperature, weights=weights)


def _mean(values: FloatArray) -> float:
    return float(values.mean()) if values.size else np.nan
