"""One policy over its references, every response of one with every response of the other: the paper's released code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, NotIdentifiable
from ..margins import score_matrix
from ..statistics import FloatArray, PromptWeights, RedrawnWeights
from ..tables import Margins, Scores
from .allpairs import AllPairs, hard_root_all_pairs, sigmoid_root_all_pairs
from .cross_fitting import Rates
from .inputs import BoolArray, Question
from .results import Spread, spread_of
from .uncertainty import unpaired_draws


@dataclass(frozen=True, eq=False)
class Unpaired:
    """``columns`` (1 + references, n_prompts): scores by prompt of the policy, then of its references; NaN for none."""

    question: Question
    columns: FloatArray

    def check(self) -> None:
        """Raise where no offset answers.

        Raises:
            NotIdentifiable: a policy has a single score, or all scores are equal.
        """
        if (~np.isnan(self.columns)).sum(axis=1).min() < 2:
            raise NotIdentifiable(
                "a policy has a single score, which does not determine a win rate",
                where=self.question.where,
                fix="score more prompts",
            )
        self.question.check_spread(*self._pairs().range())

    def solve(self, target: float) -> tuple[float, float]:
        """(Δ, attained)."""
        temperature = self.question.temperature
        if temperature is None:
            return hard_root_all_pairs(self._pairs(), target)
        return sigmoid_root_all_pairs(self._pairs(), target, temperature=temperature)

    def spread(
        self, delta: float, target: float, goals: FloatArray, drawn: PromptWeights | RedrawnWeights
    ) -> Spread:
        """Standard error and interval, from draws linearised at ``delta``."""
        asked = self.question
        draws = unpaired_draws(
            list(self.columns), asked.weights, delta, goals - target, drawn, temperature=asked.temperature
        )
        return spread_of(draws)

    def rates(self, delta: float) -> Rates:
        """By reference: comparisons, mean outcome under the link, and hard win rate, after the offset."""
        own, *others = (c[~np.isnan(c)] for c in self.columns)
        pairs = [AllPairs.of(own, [other], [1.0]) if own.size * other.size else None for other in others]
        counts = np.array([own.size * other.size for other in others], dtype=np.float64)
        hard = np.array([np.nan if p is None else p.hard(delta) for p in pairs])
        temperature = self.question.temperature
        if temperature is None:
            return counts, hard, hard
        soft = np.array([np.nan if p is None else p.soft(delta, temperature) for p in pairs])
        return counts, soft, hard

    def at(self, prompts: BoolArray) -> Unpaired:
        """The same question on some of the prompts."""
        return Unpaired(self.question, self.columns[:, prompts])

    def _pairs(self) -> AllPairs:
        own, *others = [c[~np.isnan(c)] for c in self.columns]
        return AllPairs.of(own, others, self.question.weights.tolist())


def score_columns(source: Scores | Margins, policies: Sequence[str]) -> FloatArray:
    """(policies, n_prompts) scores, NaN where there is none.

    Raises:
        ConfigError: there are no scores, as the source holds judgements.
    """
    if isinstance(source, Margins):
        raise ConfigError(
            "judgements compare two responses to one prompt: there are no scores of their own to compare unpaired",
            fix="leave out --unpaired (paired=True)",
        )
    matrix = score_matrix(source)
    return np.stack([matrix.column(p) for p in policies])
