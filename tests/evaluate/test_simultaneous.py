"""Intervals for the row that looks best."""

from __future__ import annotations

import numpy as np
import pytest

from charm_rm.evaluate import compare_with_baseline
from charm_rm.evaluate.paired import simultaneous_half_widths
from worlds_of_evaluation import scored_pairs


def test_one_row_has_its_own_interval_and_independent_rows_sidaks() -> None:
    drawn = np.random.default_rng(0).standard_normal((40_000, 10))
    assert abs(simultaneous_half_widths(drawn[:, :1])[0] - 1.96) < 0.03
    assert np.abs(simultaneous_half_widths(drawn) - 2.80).max() < 0.08  # Φ⁻¹((1 + 0.95^(1/10)) / 2)
    same = np.repeat(drawn[:, :1], 5, axis=1)
    assert np.abs(simultaneous_half_widths(same) - 1.96).max() < 0.03


@pytest.mark.slow
def test_the_best_of_many_subsets_is_held_by_simulation() -> None:
    """Two equal models on eight subsets: the interval of the largest difference leaves 0 out 5 times in 100; the plain one far more often."""
    rng = np.random.default_rng(1)
    subsets = [f"s{k}" for k in range(8)]
    held = plain = 0
    runs = 120
    for k in range(runs):
        mine, theirs = (
            scored_pairs(rng.choice([-1.0, 1.0], size=8 * 40), subsets=subsets, draws=0) for _ in range(2)
        )
        frame = compare_with_baseline(mine, theirs, draws=200, seed=k).frame.head(8)
        row = frame.row(int(frame["difference"].abs().arg_max()), named=True)
        held += row["sim_ci_low"] <= 0 <= row["sim_ci_high"]
        plain += row["diff_ci_low"] <= 0 <= row["diff_ci_high"]
    assert held >= 0.9 * runs
    assert plain < 0.85 * runs
