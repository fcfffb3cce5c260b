"""Which two responses to compare on each prompt. Pure arrays.

``scores`` is (n, K), calibrated, NaN where a policy has no scored response. Every strategy returns three index
arrays of equal length: prompt, policy, reference.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ..statistics import FloatArray

Indices = NDArray[np.intp]
Pairs = tuple[Indices, Indices, Indices]

_BLOCK_CELLS = 4_000_000


def chosen_pairs(scores: FloatArray, pairs: Sequence[tuple[int, int]]) -> Pairs:
    """The named (policy, reference) pairs, on every prompt that has both."""
    sides = np.array(pairs, dtype=np.intp).reshape(-1, 2)
    present = ~np.isnan(scores)
    prompt, pair = np.nonzero(present[:, sides[:, 0]] & present[:, sides[:, 1]])
    return prompt, sides[pair, 0], sides[pair, 1]


def all_pairs(scores: FloatArray) -> Pairs:
    """Every unordered pair of policies, on every prompt that has both."""
    upper = np.stack(np.triu_indices(scores.shape[1], k=1), axis=1)
    return chosen_pairs(scores, upper)  # type: ignore[arg-type]


def best_and_worst(scores: FloatArray) -> Pairs:
    """On each prompt the best response against the worst, in the order of their policies."""
    prompt = np.flatnonzero((~np.isnan(scores)).sum(axis=1) >= 2)
    filled = scores[prompt]
    best = np.argmax(np.where(np.isnan(filled), -np.inf, filled), axis=1)
    # Where all scores are equal, best and worst must still be two policies: the last one is taken.
    worst = filled.shape[1] - 1 - np.argmin(np.where(np.isnan(filled), np.inf, filled)[:, ::-1], axis=1)
    return prompt, np.minimum(best, worst), np.maximum(best, worst)


def sampled_pairs(scores: FloatArray, *, k: int, rng: np.random.Generator) -> Pairs:
    """``k`` different random pairs on each prompt, or all where there are fewer."""
    left, right = np.triu_indices(scores.shape[1], k=1)
    k = min(k, left.size)
    parts = []
    size = max(1, _BLOCK_CELLS // left.size)
    for start in range(0, len(scores), size):
        present = ~np.isnan(scores[start : start + size])
        both = present[:, left] & present[:, right]
        order = np.where(both, rng.random(both.shape), np.inf)
        drawn = np.sort(np.argpartition(order, k - 1, axis=1)[:, :k], axis=1)
        prompt, place = np.nonzero(np.take_along_axis(both, drawn, axis=1))
        pair = drawn[prompt, place]
        parts.append((prompt + start, left[pair], right[pair]))
    prompts, lefts, rights = zip(*parts, strict=True)
    return np.concatenate(prompts), np.concatenate(lefts), np.concatenate(rights)
