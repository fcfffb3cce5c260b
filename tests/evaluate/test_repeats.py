"""The same model asked again."""

from __future__ import annotations

import numpy as np
import pytest

from charm_rm.evaluate import repeats_table
from worlds_of_evaluation import scored_pairs


def test_by_hand() -> None:
    """Of four items the second run changes one from right to wrong: s² = 1/2 there, so run_sd = √(1/2) / 4."""
    first, second = scored_pairs([1.0, 1, 1, -1]), scored_pairs([1.0, 1, -1, -1])
    row = repeats_table(first, [second]).row(0, named=True)
    assert (row["runs"], row["lowest"], row["highest"]) == (2, 0.5, 0.75)
    assert row["changed"] == 0.25
    assert row["changed_ci_low"] < 0.25 < row["changed_ci_high"]
    assert row["run_sd"] == pytest.approx(np.sqrt(0.5) / 4)
    assert row["floor"] == pytest.approx(1.96 * np.sqrt(2) * row["run_sd"], rel=1e-3)


def test_a_model_without_moods_has_no_noise() -> None:
    result = scored_pairs(np.linspace(-1, 2, 30))
    row = repeats_table(result, [result, result]).row(0, named=True)
    assert (row["changed"], row["run_sd"], row["share_of_variance"], row["floor"]) == (0, 0, 0, 0)


@pytest.mark.slow
def test_the_floor_holds_two_runs_of_one_model_95_times_in_100() -> None:
    """A judge that is right with a chance of its own on each item; the floor from two runs against two fresh ones."""
    rng = np.random.default_rng(0)
    chance = rng.beta(1, 1, size=150)
    held, shares = 0, []
    for _ in range(150):
        runs = [scored_pairs(np.where(rng.random(150) < chance, 1.0, -1.0), draws=0) for _ in range(4)]
        row = repeats_table(runs[0], [runs[1]], draws=100).row(0, named=True)
        held += abs(runs[2].headline - runs[3].headline) <= row["floor"] + 1e-9
        shares.append(row["share_of_variance"])
    assert held >= 135
    # E p(1-p) = 1/6 of the whole variance 1/4.
    assert np.mean(shares) == pytest.approx(2 / 3, abs=0.05)


def test_subsets_weigh_as_in_the_figure() -> None:
    first = scored_pairs([1.0, -1] * 10, subsets=("x", "y"))
    second = scored_pairs([1.0, 1, -1, -1] * 5, subsets=("x", "y"))
    rows = {r["subset"]: r for r in repeats_table(first, [second]).to_dicts()}
    each = [rows[s]["run_sd"] for s in ("x", "y")]
    assert rows["all"]["run_sd"] == pytest.approx(0.5 * np.hypot(*each))
