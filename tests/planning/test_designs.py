"""Powers against what they stand for: exact enumeration, simulated tests, the audit's own foretold power."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest

from charm_rm.evaluate import exact_mcnemar
from charm_rm.margins import pair_margins, tally_margins
from charm_rm.mismatch.favour import leave_one_out
from charm_rm.mismatch.measured import measure_line
from charm_rm.mismatch.power import favour_power
from charm_rm.mismatch.strengths import rm_strengths
from charm_rm.planning.designs import AccuracyDesign, FavourDesign, MeanDesign, PairDesign, policies_tested
from charm_rm.ratings import yardstick
from mismatch.planted import noise, ratings, scores


def measured(prompts: int, std_err: float = 8.0):
    source = scores(noise(3, prompts))
    rated = yardstick(ratings(std_err), tuple(source.policies))
    return measure_line(rm_strengths(tally_margins(pair_margins(source))), rated)


@pytest.mark.parametrize("scope", ["sample", "these"])
def test_at_the_pilots_size_it_is_the_power_that_an_audit_foretells(scope) -> None:
    one = measured(200)
    favours = leave_one_out(one, scope)
    design = FavourDesign(one, 200, scope, 0.05, 8, policies_tested(one, scope))
    for elo in (20.0, 60.0):
        assert design.power(elo, 200) == pytest.approx(favour_power(favours, elo).mean())


def test_four_times_the_prompts_halve_what_prompts_leave() -> None:
    one = measured(200, std_err=0.001)
    design = FavourDesign(one, 200, "these", 0.05, 8, policies_tested(one, "these"))
    np.testing.assert_allclose(design.unit(800)[0], design.unit(200)[0] / 2, rtol=1e-3)


def test_ratings_leave_a_floor_that_no_prompts_lower() -> None:
    sure, doubtful = (
        FavourDesign(measured(200, e), 200, "these", 0.05, 8, np.ones(8, dtype=bool)) for e in (1.0, 30.0)
    )
    assert doubtful.power(60.0, math.inf) < 0.8
    assert sure.power(60.0, math.inf) == pytest.approx(1.0)


def test_mcnemar_against_every_outcome_there_is() -> None:
    """Five items: all 3^5 patterns of better, worse, same, weighed by their chance."""
    design = AccuracyDesign(0.6, 0.3, 1)
    chances = {1: (0.6 + 0.4) / 2, -1: (0.6 - 0.4) / 2, 0: 0.4}
    exact = 0.0
    for pattern in product(chances, repeat=5):
        p = exact_mcnemar(pattern.count(1), pattern.count(-1))
        exact += np.prod([chances[x] for x in pattern]) * (p <= 0.3)
    assert design.power(0.4, 5) == pytest.approx(exact)


def test_many_items_join_the_exact_sum() -> None:
    design = AccuracyDesign(0.2, 0.05, 1)
    assert design.power(0.01, 20_001) == pytest.approx(design.power(0.01, 19_999), abs=0.01)


def test_a_weighted_mean_against_exchanges() -> None:
    """The test that comparisons make: signs turned at random, 400 worlds."""
    rng = np.random.default_rng(0)
    n, effect, spread = 80, 0.15, 0.45
    signs = rng.integers(0, 2, (400, n)) * 2.0 - 1.0
    found = []
    for _ in range(400):
        gaps = effect + spread * rng.standard_normal(n)
        null = np.abs(signs @ gaps / n)
        found.append((1 + (null >= abs(gaps.mean())).sum()) / 401 <= 0.05)
    foretold = MeanDesign(spread, 0.05, 1).power(effect, n)
    assert np.mean(found) == pytest.approx(foretold, abs=3 * math.sqrt(0.25 / 400))


def test_a_pair_near_the_edge_has_one_direction() -> None:
    design = PairDesign(np.array([0.95]), np.ones(1), np.zeros(1), 0.05, 1)
    down = PairDesign(np.array([0.05]), np.ones(1), np.zeros(1), 0.05, 1)
    assert design.power(0.2, 60) == pytest.approx(down.power(0.2, 60))
    assert design.power(0.2, 60) > 0.8
    ties = PairDesign(np.array([0.5]), np.array([0.5]), np.zeros(1), 0.05, 1)
    plain = PairDesign(np.array([0.5]), np.ones(1), np.zeros(1), 0.05, 1)
    assert ties.power(0.1, 100) == pytest.approx(plain.power(0.1, 200), abs=1e-6)
