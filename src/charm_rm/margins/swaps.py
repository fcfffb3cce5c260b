"""Two models exchanged prompt by prompt: what a permutation test of their difference is made of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import NoOverlap
from ..settings import Outcome, TieRule
from ..statistics import FloatArray
from .pairing import PairedMargins, SampledMargins, blocks
from .tally import prompt_outcomes


@dataclass(frozen=True, eq=False)
class Swapped:
    """Win rates (permutations, m) of a model and of a baseline whose outcomes were exchanged on random prompts."""

    win_rate: FloatArray
    baseline_win_rate: FloatArray


def swap_models(
    first: PairedMargins | SampledMargins,
    second: PairedMargins | SampledMargins,
    *,
    permutations: int,
    rng: np.random.Generator,
    outcome: Outcome = "hard",
    ties: TieRule = "half",
    temperature: float = 1.0,
) -> Swapped:
    """Exchange the outcomes of two models, all pairs of a prompt together, each prompt with probability ½.

    Where both score alike an exchange changes nothing but chance. With x_i = 1 where prompt i is exchanged, the first model's rate
    is mean(o_i + x_i (o'_i - o_i)), the second's mean(o'_i - x_i (o'_i - o_i)); a prompt that either lacks is left out.

    Raises:
        NoOverlap: the two are not of the same prompts and pairs.
    """
    if first.n_prompts != second.n_prompts or not np.array_equal(first.pairs, second.pairs):
        raise NoOverlap(
            "model and baseline are not of the same prompts and pairs",
            fix="reduce both to the scores that they share",
        )
    chosen = rng.integers(0, 2, (permutations, first.n_prompts)).astype(np.float64)
    rates, others = [], []
    for some in blocks(first):
        one, other = (
            prompt_outcomes(x, some, outcome=outcome, ties=ties, temperature=temperature)
            for x in (first, second)
        )
        missing = np.isnan(one) | np.isnan(other)
        n = np.maximum(one.shape[1] - np.count_nonzero(missing, axis=1), 1)
        one, other = (np.where(missing, 0.0, x) for x in (one, other))
        moved = chosen @ (other - one).T
        rates.append((one.sum(axis=1) + moved) / n)
        others.append((other.sum(axis=1) - moved) / n)
    return Swapped(np.concatenate(rates, axis=1), np.concatenate(others, axis=1))
