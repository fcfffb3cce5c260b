"""Intervals of shares and differences: within what can be, never of width 0, in step with their test."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.statistics import wilson_interval
from charm_rm.study.estimates.intervals import counting_prompts, ranged_difference, ranged_share

_shares = st.floats(0, 1)
_variances = st.floats(0, 0.2)
_freedom = st.floats(1, 500)
_prompts = st.floats(1, 500)
_votes = st.floats(1, 20_000)


@given(_shares, _variances, _freedom, _prompts, _votes)
def test_a_share_lies_in_its_interval_which_lies_between_0_and_1(value, variance, df, prompts, votes) -> None:
    found = ranged_share(value, variance, df, prompts, votes=votes)
    assert 0 <= found.ci_low <= found.value <= found.ci_high <= 1
    assert found.ci_low < found.ci_high
    assert found.std_err > 0


@given(_shares, _variances, _freedom, _prompts, _votes)
def test_the_other_side_has_the_mirrored_interval(value, variance, df, prompts, votes) -> None:
    one = ranged_share(value, variance, df, prompts, votes=votes)
    other = ranged_share(1 - value, variance, df, prompts, votes=votes)
    assert one.ci_low == pytest.approx(1 - other.ci_high, abs=1e-9)


@given(_shares, _variances, _freedom, _prompts, _votes)
def test_the_further_prompt_is_one_of_g_to_one_and_a_half_g(value, variance, df, prompts, votes) -> None:
    n = counting_prompts(value, variance, df, prompts, votes)
    assert prompts <= n <= max(prompts, min(1.5 * prompts, votes))
    assert n == pytest.approx(counting_prompts(1 - value, variance, df, prompts, votes), rel=1e-9)


def test_prompts_that_are_alike_make_a_share_surer_and_others_do_not() -> None:
    """13 prompts of 160 votes each: alike, θ (1 − θ) / V is 2,080; with a standard deviation of 0.3 between prompts, 35."""
    alike, uneven = 0.24 / 2080, 0.3**2 / 13
    assert counting_prompts(0.6, alike, 12, 13, 2080) == 19.5
    assert counting_prompts(0.6, uneven, 12, 13, 2080) == pytest.approx(15.1, abs=0.1)
    assert counting_prompts(0.6, uneven * 1.2, 12, 13, 2080) == 13
    wide, found = (ranged_share(0.6, alike, 12, 13, votes=votes) for votes in (13, 2080))
    assert found.ci_high - found.ci_low < 0.75 * (wide.ci_high - wide.ci_low)
    assert found.std_err < 0.75 * wide.std_err


@pytest.mark.parametrize("variance", [0.0, 1e-33])
def test_a_variance_that_is_nothing_but_rounding_tells_nothing(variance: float) -> None:
    assert counting_prompts(0.6, variance, 12, 13, 2080) == 13


@given(_shares, _variances, _freedom, st.floats(2, 500))
def test_with_one_vote_a_prompt_the_further_one_is_one_of_them(value, variance, df, prompts) -> None:
    assert counting_prompts(value, variance, df, prompts, prompts) == prompts


@given(
    st.floats(-1, 1),
    st.floats(0.01, 1),
    _variances,
    _freedom,
    _prompts,
    _votes,
    st.floats(0, 0.5),
    st.integers(1, 4),
)
def test_the_interval_leaves_out_0_exactly_where_the_test_rejects(
    scaled, bound, variance, df, prompts, votes, spread, tests
) -> None:
    found = ranged_difference(
        scaled * bound,
        bound,
        variance * bound**2,
        df,
        prompts,
        votes=votes,
        bound_variance=(spread * bound) ** 2,
        tests=tests,
    )
    assert -1 <= found.ci_low <= found.value <= found.ci_high <= 1
    assert found.p_value is not None
    if abs(found.p_value - 0.05) > 1e-6:
        assert (not found.ci_low <= 0 <= found.ci_high) == (found.p_value < 0.05)


@given(st.floats(-1, 1), st.floats(0.05, 0.9), st.floats(0.001, 0.2), st.floats(3, 500), st.floats(5, 500))
def test_a_bound_that_is_known_is_never_left(scaled, bound, variance, df, prompts) -> None:
    found = ranged_difference(scaled * bound, bound, variance * bound**2, df, prompts, votes=4 * prompts)
    assert -bound - 1e-9 <= found.ci_low <= found.ci_high <= bound + 1e-9


def test_how_often_models_disagree_widens_the_interval_and_leaves_the_test() -> None:
    """Whether there is a difference does not depend on how often the models disagree; how large it is does."""
    known = ranged_difference(0.2, 0.3, 0.002, 60, 40, votes=80)
    estimated = ranged_difference(0.2, 0.3, 0.002, 60, 40, votes=80, bound_variance=0.002)
    assert estimated.p_value == known.p_value
    assert estimated.ci_low < known.ci_low
    assert estimated.ci_high > known.ci_high
    assert estimated.ci_low > 0


def test_of_many_independent_prompts_it_is_wilsons_interval() -> None:
    n, wins = 400, 300
    p = wins / n
    found = ranged_share(p, p * (1 - p) / n, 1e7, n, votes=n)
    low, high = wilson_interval(wins, n)
    assert (found.ci_low, found.ci_high) == (pytest.approx(low, abs=1e-3), pytest.approx(high, abs=1e-3))


def test_that_all_agree_is_no_certainty() -> None:
    """50 of 50 prompts: Wilson's interval begins at 92.9 %, Jeffreys' at 95.1 %."""
    found = ranged_share(1.0, 0.0, 1e7, 50, votes=50)
    assert found.ci_high == 1
    assert 0.92 < found.ci_low < 0.951


def test_five_of_five_is_not_yet_a_finding() -> None:
    """As the exact sign test says: p = 0.06."""
    found = ranged_difference(1.0, 1.0, 0.0, 4, 5, votes=5)
    assert found.p_value is not None
    assert 0.05 < found.p_value < 0.12
    assert found.ci_low < 0


def test_a_powered_share_beyond_the_end_is_brought_back() -> None:
    assert ranged_share(1.02, 0.001, 30, 50, votes=90).value == 1


def test_without_degrees_of_freedom_anything_may_be() -> None:
    found = ranged_share(0.4, float("nan"), 0, 1, votes=1)
    assert (found.ci_low, found.ci_high) == (0, 1)
    assert np.isnan(found.std_err)
    other = ranged_difference(0.1, 0.3, float("nan"), 0, 1, votes=1)
    assert (other.ci_low, other.ci_high, other.p_value) == (-1, 1, 1)


def test_several_comparisons_widen_the_interval_and_raise_p() -> None:
    one, three = (ranged_difference(0.1, 0.4, 0.002, 40, 60, votes=90, tests=m) for m in (1, 3))
    assert three.p_value == pytest.approx(3 * one.p_value)
    assert three.ci_low < one.ci_low
    assert three.ci_high > one.ci_high
