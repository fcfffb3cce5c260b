"""Which two responses to compare on each prompt. Pure arrays.

``scores`` is (n, K), calibrated, NaN where a policy has no scored response. A column is a policy, or one sample of it: ``owner``
says whose, and two samples of one policy are never compared, as an offset moves both alike. Every strategy returns three index
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


def all_pairs(scores: FloatArray, owner: Indices | None = None) -> Pairs:
    """Every unordered pair of two policies' responses, on every prompt that has both."""
    return chosen_pairs(scores, np.stack(_of_two_policies(scores.shape[1], owner), axis=1))  # type: ignore[arg-type]


def best_and_worst(scores: FloatArray, owner: Indices | None = None) -> Pairs:
    """On each prompt the best response against the worst of the other policies, in the order of their policies."""
    whose = np.arange(scores.shape[1]) if owner is None else owner
    highest = np.where(np.isnan(scores), -np.inf, scores)
    best = np.argmax(highest, axis=1)
    others = ~np.isnan(scores) & (whose[None, :] != whose[best][:, None])
    prompt = np.flatnonzero(others.any(axis=1))
    lowest = np.where(others[prompt], scores[prompt], np.inf)
    # Where all scores are equal, best and worst must still be two policies: the last one is taken.
    worst = scores.shape[1] - 1 - np.argmin(lowest[:, ::-1], axis=1)
    return prompt, np.minimum(best[prompt], worst), np.maximum(best[prompt], worst)


def _of_two_policies(n: int, owner: Indices | None) -> tuple[Indices, Indices]:
    """Every unordered pair of columns that are of two policies."""
    left, right = np.triu_indices(n, k=1)
    two = np.ones(left.size, dtype=bool) if owner is None else owner[left] != owner[right]
    return left[two], right[two]


def sampled_pairs(
    scores: FloatArray, *, k: int, rng: np.random.Generator, owner: Indices | None = None
) -> Pairs:
    """``k`` different random pairs on each prompt, or all where there are fewer."""
    left, right = _of_two_policies(scores.shape[1], owner)
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
