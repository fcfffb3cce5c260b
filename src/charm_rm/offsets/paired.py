"""One policy over its references, responses to the same prompt compared: Σ_l w_l L_l(Δ) = Σ_l w_l P_l."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import NoOverlap, NotIdentifiable
from ..margins import hard_outcomes
from ..statistics import FloatArray, PromptWeights
from .inputs import Question
from .roots import hard_root, sigmoid_root

_BLOCK_CELLS = 4_000_000


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
                    mend="score or judge the same prompts (check prompt_id)",
                )
            if shared == 1:
                raise NotIdentifiable(
                    "they share one prompt, which does not determine a win rate",
                    where=where,
                    mend="score or judge more prompts",
                )
        asked.check_spread(float(np.nanmin(self.margins)), float(np.nanmax(self.margins)))

    def solve(self, target: float) -> tuple[float, float]:
        """(Δ, attained): margins are pooled, each with the weight w_l / n_l."""
        present = ~np.isnan(self.margins)
        equal = self.question.weights[:, None] * present / present.sum(axis=1, keepdims=True)
        flat = None if len(self.margins) == 1 else equal[present][None]
        delta, attained = self._root(self.margins[present], np.array([target]), flat)
        return float(delta[0]), float(attained[0])

    def draws(self, delta: float, target: float, goals: FloatArray, drawn: PromptWeights) -> FloatArray:
        """Solve again under each draw's prompt weights and target, with one Jeffreys pseudo-observation per reference.

        With W_i a draw's weights, S_l their sum over shared prompts, g₁ and g₀ the pseudo-observation's: L*_l =
        (Σ W_i link_il + g₁) / (S_l + g₁ + g₀). Taking the constant g₁ terms to the right leaves a plain weighted root.
        """
        if len(goals) == 0:
            return np.empty(0)
        present = ~np.isnan(self.margins)
        pseudo = drawn.pseudo_wins + drawn.pseudo_losses
        scale = self.question.weights / (drawn.weights @ present.T + pseudo[:, None])
        goals = goals - drawn.pseudo_wins * scale.sum(axis=1)
        solved = []
        for start in range(0, len(goals), size := max(1, _BLOCK_CELLS // present.sum())):
            rows = slice(start, start + size)
            weights = np.concatenate(
                [scale[rows, [r]] * drawn.weights[rows][:, seen] for r, seen in enumerate(present)], axis=1
            )
            edge = 1 / (4 * weights.shape[1])
            targets = np.clip(goals[rows] / weights.sum(axis=1), edge, 1 - edge)
            solved.append(self._root(self.margins[present], targets, weights)[0])
        return np.concatenate(solved)

    def rates(self, delta: float) -> list[tuple[int, float, float]]:
        """By reference: (n comparisons, hard win rate before, after)."""
        return [_rates(row[~np.isnan(row)], delta) for row in self.margins]

    def _root(
        self, margins: FloatArray, targets: FloatArray, weights: FloatArray | None
    ) -> tuple[FloatArray, FloatArray]:
        temperature = self.question.temperature
        if temperature is None:
            return hard_root(margins, targets, weights=weights)
        return sigmoid_root(margins, targets, temperature=temperature, weights=weights)


def _rates(margins: FloatArray, delta: float) -> tuple[int, float, float]:
    before, after = hard_outcomes(margins).mean(), hard_outcomes(margins + delta).mean()
    return margins.size, float(before), float(after)
