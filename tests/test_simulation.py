"""Intervals cover and tests keep their size, in simulated worlds: every subject of perf/simulation, rerun small."""

from __future__ import annotations

import math

import numpy as np
import pytest
from perf.simulation.cell import Cell, coverage, figure, run_cell, size
from perf.simulation.run import run_subject, subjects


@pytest.mark.slow
@pytest.mark.parametrize("subject", subjects())
def test_every_figure_stays_in_its_band(subject: str) -> None:
    rows = run_subject(subject, small=True, seed=1)
    assert rows
    left = [
        f"{r.settings}: {r.figure.name} {r.estimate:.3f} ± {r.error:.3f}, band {r.figure.band}"
        for r in rows
        if r.left
    ]
    assert not left, "\n".join(left)


def _coin(rng: np.random.Generator, *, p: float) -> dict[str, float]:
    return {"hit": float(rng.random() < p), "width": 2.0}


def _cell(p: float) -> Cell:
    return Cell({"p": p}, _coin, (coverage("hit"), figure("width")))


def test_a_cell_is_the_mean_of_its_replicates_with_their_error() -> None:
    hit, width = run_cell("coins", _cell(0.95), replicates=2000)
    assert hit.estimate == pytest.approx(0.95, abs=4 * hit.error)
    assert hit.error == pytest.approx(math.sqrt(0.95 * 0.05 / 2000), rel=0.2)
    assert (width.estimate, width.error) == (2.0, 0.0)
    assert not hit.left
    assert not hit.short


def test_an_interval_that_covers_too_rarely_is_out_of_its_band() -> None:
    row = run_cell("coins", _cell(0.8), replicates=500)[0]
    assert row.left
    assert row.short


def test_the_same_seed_gives_the_same_worlds_and_another_gives_others() -> None:
    first, again, other = (
        run_cell("coins", _cell(0.5), replicates=50, seed=s)[0].estimate for s in (0, 0, 1)
    )
    assert first == again != other


def test_a_known_shortfall_is_marked_but_does_not_fail() -> None:
    cell = Cell({"p": 0.8}, _coin, (coverage("hit", band=(0.75, 0.85)),))
    row = run_cell("coins", cell, replicates=1000)[0]
    assert row.short
    assert not row.left


def test_a_figure_that_exists_in_no_world_is_out_of_its_band() -> None:
    cell = Cell({}, lambda rng: {"p": float("nan")}, (size("p"),))
    assert run_cell("none", cell, replicates=5)[0].left
