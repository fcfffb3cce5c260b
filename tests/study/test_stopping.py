"""The simulation of looking and stopping looks at the very figure that the analysis gives; the always-valid interval is one."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from perf.simulation import stopping
from perf.simulation._study import draw_study

from charm_rm.study.estimates.agreement import difference_table


@pytest.mark.parametrize("n", [60, 300])
def test_a_look_is_the_paired_difference_by_the_votes_so_far(n: int) -> None:
    counted = draw_study(
        np.random.default_rng(3),
        prompts=100,
        comparisons=300,
        votes=1,
        raters=8,
        taste=0.3,
        ties=0.1,
        models="better",
        targeted=True,
    )
    mine = stopping.Votes(counted, np.arange(counted.frame.height)).look(n)
    table = difference_table(type(counted)(counted.frame.head(n), counted.all, counted.models))
    row = table.filter((pl.col("estimator") == "classical") & (pl.col("votes_used") == "all")).row(
        0, named=True
    )
    assert (mine.value, mine.ci_low, mine.ci_high) == pytest.approx(
        (row["difference"], row["ci_low"], row["ci_high"])
    )


def test_the_always_valid_interval_is_crossed_by_chance_at_most_one_time_in_twenty() -> None:
    """Random walks of 4,000 steps, looked at after every one: the sequence holds, 1.96 does not."""
    rng = np.random.default_rng(0)
    steps, walks = 4000, 400
    z = np.abs(rng.normal(size=(walks, steps)).cumsum(axis=1)) / np.sqrt(np.arange(1, steps + 1))
    limit = np.array([stopping.always_valid((k + 1) / steps) for k in range(steps)])
    assert (z > limit).any(axis=1).mean() <= 0.05
    assert (z > 1.96).any(axis=1).mean() > 0.5


def test_the_mixture_is_the_one_that_is_narrowest_at_the_planned_votes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    width = stopping.always_valid(1.0)
    for other in (4.0, 7.0, 9.5, 16.0):
        monkeypatch.setattr(stopping, "MIXTURE", other)
        assert stopping.always_valid(1.0) > width
