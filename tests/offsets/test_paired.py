"""Intervals of a hard offset where few wins or losses are expected: order statistics, against the exact binomial."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from charm_rm.errors import CharmWarning
from charm_rm.offsets import solve_offsets
from charm_rm.statistics import ELO_PER_LOGIT
from simulated_offsets import ratings_of, scores_of


def solved(margins: np.ndarray, target: float, *, std_err: float = 0.0, draws: int = 4000) -> dict[str, Any]:
    gap = float(ELO_PER_LOGIT * np.log(target / (1 - target)))
    scores = scores_of({"A": margins.tolist(), "B": [0.0] * margins.size})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CharmWarning)
        found = solve_offsets(
            scores,
            ratings_of({"A": 1000 + gap, "B": 1000}, std_err=std_err),
            over="A",
            references="B",
            draws=draws,
            cross_fit=False,
        )
    return found.frame.row(0, named=True)


@pytest.mark.parametrize(
    ("n", "target"), [(20, 0.02), (20, 0.1), (20, 0.9), (50, 0.98), (30, 0.3), (200, 0.03), (8, 0.5)]
)
def test_the_ends_are_those_of_the_binomial(n: int, target: float) -> None:
    """With exact ratings: the threshold of rank k and of rank m + 1, k and m the 2.5 and 97.5 % quantiles of the wins."""
    margins = np.random.default_rng(n).normal(size=n)
    thresholds = np.sort(-margins)
    wins = stats.binom(n, target)
    low, high = int(wins.ppf(0.025)), int(wins.ppf(0.975))
    found = solved(margins, target)
    assert found["ci_low"] == (None if low == 0 else pytest.approx(thresholds[low - 1]))
    assert found["ci_high"] == (None if high == n else pytest.approx(thresholds[high]))
    sides = {(True, True): "both", (True, False): "low", (False, True): "high", (False, False): None}
    assert found["ci_open"] == sides[low == 0, high == n]


def test_an_open_end_is_said_and_counts_as_covering_0() -> None:
    scores = scores_of({"A": np.linspace(-1, 1, 20).tolist(), "B": [0.0] * 20})
    ratings = ratings_of({"A": 380, "B": 1000})
    with pytest.warns(CharmWarning) as said:
        found = solve_offsets(scores, ratings, over="A", references="B", draws=200)
    assert found.frame["ci_open"].to_list() == ["low", None]
    assert found.frame["ci_low"].to_list() == [None, None]
    text = " ".join(str(w.message) for w in said)
    assert "open for 'A' (below)" in text
    assert "already aligned" not in text  # its upper end is far below 0


def test_a_wide_interval_of_ordinary_targets_has_no_open_end() -> None:
    found = solved(np.random.default_rng(0).normal(size=100), 0.3, std_err=5)
    assert found["ci_open"] is None
    assert found["ci_low"] < found["delta"] < found["ci_high"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "target"), [(20, 0.02), (20, 0.98), (50, 0.02), (20, 0.1), (20, 0.5), (200, 0.3)]
)
@pytest.mark.parametrize("rating_se", [5.0, 40.0])
def test_intervals_cover(n: int, target: float, rating_se: float) -> None:
    """150 draws of scores and ratings; the binomial standard error of 95 % is 1.8 %."""
    rng = np.random.default_rng(int(1000 * target) + n)
    truth, hits = float(np.log(target / (1 - target))) - 1.0, 0
    gap = float(ELO_PER_LOGIT * np.log(target / (1 - target)))
    for seed in range(150):
        ratings = ratings_of(
            dict(
                zip("AB", (np.array([gap, 0.0]) + rating_se * rng.standard_normal(2)).tolist(), strict=True)
            ),
            std_err=rating_se,
        )
        scores = scores_of({"A": (1 + rng.logistic(size=n)).tolist(), "B": [0.0] * n})
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", CharmWarning)
            row = solve_offsets(
                scores, ratings, over="A", references="B", draws=300, seed=seed, cross_fit=False
            ).frame.row(0, named=True)
        low, high = (
            (-np.inf if row["ci_low"] is None else row["ci_low"]),
            (np.inf if row["ci_high"] is None else row["ci_high"]),
        )
        hits += low <= truth <= high
    assert hits >= 0.9 * 150


def test_no_offset_is_worse_than_none() -> None:
    """Beyond the outermost stair there is nothing to choose; 0 may lie there."""
    scores = scores_of({"A": [-1.0 - 0.1 * i for i in range(20)], "B": [0.0] * 20})
    with pytest.warns(CharmWarning, match="it stays 0"):
        found = solve_offsets(scores, ratings_of({"A": 200, "B": 1000}), over="A", references="B", draws=0)
    row = found.frame.filter(pl.col("policy") == "A").row(0, named=True)
    assert (row["delta"], row["attained"]) == (0.0, 0.0)
