"""Rounding keeps every chance, the number chosen, and every group's number up to one."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.study.planning.rounding import rounded


@st.composite
def fractional(draw: st.DrawFn) -> tuple[np.ndarray, list[np.ndarray], list[np.ndarray], int]:
    """Chances with a whole sum, and nested groups on both sides."""
    size = draw(st.integers(1, 40))
    seed = draw(st.integers(0, 1000))
    rng = np.random.default_rng(seed)
    chances = rng.uniform(0, 1, size) * rng.integers(0, 2, size)
    n = int(chances.sum())
    chances = chances * n / chances.sum() if n else np.zeros(size)
    fine, rough = rng.integers(0, 8, size), rng.integers(0, 12, size)
    return chances, [fine, fine % 2], [rough, rough % 4], seed


@given(fractional())
def test_groups_get_their_expected_number_rounded_up_or_down(
    given: tuple[np.ndarray, list[np.ndarray], list[np.ndarray], int],
) -> None:
    chances, left, right, seed = given
    chosen = rounded(chances, left, right, np.random.default_rng(seed))
    assert chosen.sum() == round(chances.sum())
    assert not chosen[chances == 0].any()
    assert chosen[chances == 1].all()
    for groups in (*left, *right):
        expected = np.bincount(groups, weights=chances)
        assert (np.abs(np.bincount(groups, weights=chosen) - expected) < 1 + 1e-6).all()


def test_every_chance_is_kept() -> None:
    rng = np.random.default_rng(5)
    chances = rng.uniform(0, 0.6, 30)
    chances *= round(chances.sum()) / chances.sum()
    left, right = rng.integers(0, 6, 30), rng.integers(0, 5, 30)
    draws = 800
    counts = sum(rounded(chances, [left], [right], rng).astype(int) for _ in range(draws))
    z = (counts / draws - chances) / np.sqrt(chances * (1 - chances) / draws)
    assert np.abs(z).max() < 4
    assert 0.4 < (z**2).mean() < 1.8


def test_chances_that_add_up_to_no_whole_number_are_refused() -> None:
    one = np.zeros(1, dtype=np.int64)
    with pytest.raises(ValueError, match="whole number"):
        rounded(np.array([0.4]), [one], [one], np.random.default_rng(0))
