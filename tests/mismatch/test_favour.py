"""Favour against the other policies: a slow twin, intervals and tests that agree, scopes, few policies, absurd input."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from perf.simulation.world import draw_world

from charm_rm.errors import CharmWarning, ConfigError
from charm_rm.margins import pair_margins, tally_margins
from charm_rm.mismatch import audit
from charm_rm.mismatch.favour import favour_verdict, leave_one_out, sharpness
from charm_rm.mismatch.line import fit_lines
from charm_rm.mismatch.measured import Measured, measure_line
from charm_rm.mismatch.power import detectable_favour, favour_power
from charm_rm.mismatch.strengths import rm_strengths
from charm_rm.mismatch.words import sharpness_words
from charm_rm.ratings import yardstick
from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.tables import Ratings
from reference import slow_favour


def measured(seed: int, policies: int, **more: float) -> Measured:
    world = draw_world(np.random.default_rng(seed), policies=policies, prompts=200, **more)
    tally = tally_margins(pair_margins(world.scores()))
    return measure_line(rm_strengths(tally), yardstick(world.ratings(), tally.policies))


@pytest.mark.parametrize("seed", range(4))
def test_favour_is_the_slow_twins(seed: int) -> None:
    m = measured(seed, 7, favour=40.0, rating_se=15.0)
    found = leave_one_out(m, "sample")
    for k in np.flatnonzero(found.found):
        slow = slow_favour.favour(int(k), m.rho, m.theta, m.theta_noise, m.rho_noise)
        assert found.favour[k] == pytest.approx(ELO_PER_LOGIT * slow, abs=0.05)


@pytest.mark.parametrize("scope", ["sample", "these"])
def test_an_interval_leaves_0_out_exactly_where_its_test_rejects(scope: str) -> None:
    seen = set()
    for seed in range(25):
        found = leave_one_out(measured(seed, 4 + seed % 8, favour=60.0), scope)
        for k in np.flatnonzero(found.found & ~np.isnan(found.p)):
            left_out = not found.low[k] <= 0 <= found.high[k]
            assert left_out == (found.p[k] < 0.05)
            assert found.low[k] <= found.favour[k] <= found.high[k]
            seen.add(left_out)
    assert seen == {True, False}


def test_scopes_share_the_favour_and_not_the_width() -> None:
    m = measured(2, 12, favour=60.0)
    sample, these = leave_one_out(m, "sample"), leave_one_out(m, "these")
    np.testing.assert_array_equal(sample.favour, these.favour)
    assert (these.high - these.low < sample.high - sample.low).all()
    assert sharpness(m, "these").std_err < sharpness(m, "sample").std_err
    with pytest.raises(ConfigError, match="unknown scope"):
        audit(
            draw_world(np.random.default_rng(0), policies=4, prompts=40).scores(),
            Ratings(pl.DataFrame({"policy": ["m00"], "rating": [1.0]})),
            scope="all",
        )


def test_a_lone_favourite_is_seen_whole() -> None:
    seen = {k: [] for k in (6, 10, 20)}
    for policies, values in seen.items():
        for seed in range(40):
            found = leave_one_out(measured(seed, policies, favour=150.0 * np.eye(policies)[0]), "sample")
            values.append(found.favour[0])
    for values in seen.values():
        assert np.median(values) == pytest.approx(150, abs=9)


def test_three_policies_have_no_test_as_a_sample_and_one_as_these() -> None:
    world = draw_world(
        np.random.default_rng(3),
        policies=3,
        prompts=300,
        favour=0.0,
        rating=np.array([900.0, 1000.0, 1100.0]),
    )
    with pytest.warns(CharmWarning, match="three policies"):
        found = audit(world.scores(), world.ratings())
    assert (
        found.favouritism.frame["ci_low"].null_count() == found.favouritism.frame["q_value"].null_count() == 3
    )
    assert set(found.favouritism.frame["verdict"]) == {"underpowered"}
    these = audit(world.scores(), world.ratings(), scope="these")
    assert these.favouritism.scope == "these"
    assert these.favouritism.frame["ci_low"].null_count() == 0


def test_ratings_with_absurd_errors_leave_favour_out_and_say_why() -> None:
    world = draw_world(np.random.default_rng(4), policies=8, prompts=60)
    vague = Ratings(world.ratings().frame.select("policy", "rating", std_err=pl.lit(1e6)))
    with pytest.warns(CharmWarning, match="differ by no more than their own errors"):
        found = audit(world.scores(), vague)
    assert found.favouritism is None
    assert found.sharpness is None
    assert found.summary["detectable_favour"] is None
    spearman = found.rank_correlation["spearman"]
    assert spearman.ci_low <= spearman.value <= spearman.ci_high


def test_verdicts_by_policy() -> None:
    assert favour_verdict(90.0, 30.0, 150.0, 0.01) == "over-valued"
    assert favour_verdict(-90.0, -150.0, -30.0, 0.01) == "under-valued"
    assert favour_verdict(90.0, 30.0, None, 0.01) == "over-valued"
    assert favour_verdict(10.0, -30.0, 50.0, 0.6) == "no evidence"
    assert favour_verdict(10.0, -60.0, 90.0, 0.6) == "underpowered"
    assert favour_verdict(10.0, None, None, None) == "underpowered"
    assert favour_verdict(10.0, None, 40.0, 0.3) == "underpowered"


def test_words_of_sharpness_follow_from_the_interval() -> None:
    assert sharpness_words(0.44, 1.99).startswith("not significantly different from 1")
    assert sharpness_words(1.2, 1.9).startswith("more decided")
    assert sharpness_words(0.2, 0.9).startswith("less decided")
    assert sharpness_words(None, None).startswith("no interval to compare")


def test_power_rises_with_favour_and_is_the_size_at_none() -> None:
    found = leave_one_out(measured(1, 10, favour=20.0), "sample")
    steps = [favour_power(found, f).mean() for f in (0.0, 25.0, 50.0, 100.0, 400.0)]
    assert steps == sorted(steps)
    assert steps[0] == pytest.approx(0.05 / 10, abs=2e-4)
    seen = detectable_favour(found, 5.0)
    assert favour_power(found, seen.detectable).mean() == pytest.approx(0.8, abs=0.01)


def test_an_upside_down_model_is_told_first_with_its_correlation() -> None:
    from charm_rm.cli.print_audit import headline

    world = draw_world(np.random.default_rng(5), policies=8, prompts=100)
    turned = world.scores().frame.with_columns(-pl.col("score"))
    with pytest.warns(CharmWarning, match="does not agree"):
        found = audit(type(world.scores())(turned), world.ratings())
    assert found.summary["slope"] < 0
    first = headline(found)[0]
    assert first.startswith("UPSIDE DOWN")
    assert f"{found.rank_correlation['spearman'].value:.2f} [" in first


def test_lines_without_each_policy_are_found_here() -> None:
    m = measured(6, 6, favour=10.0)
    assert fit_lines(m.rho, m.theta, m.theta_noise, m.rho_noise, used=~np.eye(6, dtype=bool)).found.all()
