"""Which pairs each strategy compares."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.relabel.pairing import all_pairs, best_and_worst, chosen_pairs, sampled_pairs

N = np.nan
SCORES = np.array([[3.0, 1.0, 2.0], [1.0, N, 5.0], [N, N, 4.0], [7.0, 7.0, 7.0]])


def triples(pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> list[tuple[int, ...]]:
    return list(zip(*(p.tolist() for p in pairs), strict=True))


def test_by_hand() -> None:
    assert triples(chosen_pairs(SCORES, [(2, 0)])) == [(0, 2, 0), (1, 2, 0), (3, 2, 0)]
    assert triples(all_pairs(SCORES)) == [
        *[(0, 0, 1), (0, 0, 2), (0, 1, 2)],
        (1, 0, 2),
        *[(3, 0, 1), (3, 0, 2), (3, 1, 2)],
    ]
    # Where all are equal, best and worst are still two policies.
    assert triples(best_and_worst(SCORES)) == [(0, 0, 1), (1, 0, 2), (3, 0, 2)]


@given(st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_sampled_pairs_are_different_and_as_many_as_there_are(k: int, seed: int) -> None:
    found = triples(sampled_pairs(SCORES, k=k, rng=np.random.default_rng(seed)))
    assert len(set(found)) == len(found)
    assert set(found) <= set(triples(all_pairs(SCORES)))
    counts = [sum(prompt == i for prompt, _, _ in found) for i in range(4)]
    assert counts == [min(k, 3), 1 if k >= 1 else 0, 0, min(k, 3)]


def test_sampling_is_even() -> None:
    pairs = sampled_pairs(np.zeros((6000, 3)), k=1, rng=np.random.default_rng(0))
    counts = np.unique(pairs[1] + pairs[2], return_counts=True)[1]
    assert np.abs(counts - 2000).max() < 150
