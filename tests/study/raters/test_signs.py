"""Tests of raters: tails against scipy, margins, and what can and cannot be other raters' votes, diluted by clicks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from charm_rm.study.raters import signs as tests
from charm_rm.study.raters.signs import Held


@given(st.integers(1, 60), st.floats(0.01, 0.99), st.data())
def test_tails_are_binomial_and_rise_between_whole_numbers(n: int, p: float, data: st.DataObject) -> None:
    k = data.draw(st.integers(0, n))
    assert float(tests.lower_tail(k, n, p)) == pytest.approx(stats.binom.cdf(k, n, p), abs=1e-9)
    assert float(tests.upper_tail(k, n, p)) == pytest.approx(stats.binom.sf(k - 1, n, p), abs=1e-9)
    between = np.linspace(max(k - 1, 0), k, 5)
    assert (np.diff(tests.lower_tail(between, n, p)) >= -1e-12).all()


def test_what_is_known_of_the_others_goes_into_a_low_share() -> None:
    """Of many outcomes, the tail is the binomial one at ½ + 0.8 (e − ½); of few, it is nearer to 1; below ½ there is no margin."""
    known = float(tests.low_share_p(20, 40, 0.8, 10**7))
    assert known == pytest.approx(stats.binom.cdf(20, 40, 0.74), rel=1e-2)
    assert float(tests.low_share_p(20, 40, 0.8, 5)) > 5 * known
    assert float(tests.low_share_p(10, 40, 0.4, 10**7)) == pytest.approx(
        stats.binom.cdf(10, 40, 0.4), rel=1e-2
    )


def test_both_sides_are_as_suspicious() -> None:
    assert float(tests.side_p(38, 40)) == float(tests.side_p(2, 40)) < 1e-4
    assert float(tests.side_p(24, 40)) > 0.3  # 60 % is what a careful rater may have
    assert float(tests.side_p(20, 40)) > 0.9


def test_fisher_takes_what_there_is() -> None:
    joined = tests.combined_p(np.array([[0.02, np.nan, np.nan], [0.1, 0.2, 0.3], [np.nan] * 3]))
    assert joined[0] == pytest.approx(0.02)
    assert joined[1] == pytest.approx(stats.combine_pvalues([0.1, 0.2, 0.3]).pvalue)
    assert np.isnan(joined[2])


def held(hits: float, n: float, others: float) -> Held:
    return Held(*(np.array([float(v)]) for v in (hits, n, others)))


NOTHING = held(0, 0, np.nan)
NO_YARDSTICK = Held(*(np.zeros((1, 0)),) * 3)


def diluted(
    agreement: Held = NOTHING,
    repeats: Held = NOTHING,
    checks: Held = NOTHING,
    yardsticks: Held = NO_YARDSTICK,
    chance: float = 0.5,
) -> float:
    found = tests.diluted(agreement, yardsticks, repeats, checks, same_by_chance=np.array([chance]))
    return float(found.p[0])


def test_agreement_below_a_coin_is_no_dilution_and_at_a_coin_it_is() -> None:
    """Of agreement alone, the likeliest dilution of a rater below ½ is a clicker: the tail is the binomial one at ½."""
    assert diluted(held(30, 100, 0.7)) == pytest.approx(stats.binom.cdf(30, 100, 0.5), rel=1e-6)
    assert diluted(held(50, 100, 0.7)) > 0.5
    assert diluted(held(60, 100, 0.7)) > 0.9  # read half of them
    assert np.isnan(diluted())


def test_repeats_and_checks_that_are_too_good_for_low_agreement_are_no_dilution() -> None:
    """Agreement of a coin needs clicks, which do not pass twelve checks; clicks explain six of twelve, and good agreement explains all of them."""
    coin = held(50, 100, 0.7)
    assert diluted(coin, repeats=held(11, 12, 0.8), checks=held(12, 12, 1.0)) < 0.01
    assert diluted(coin, repeats=held(6, 12, 0.8), checks=held(6, 12, 1.0)) > 0.3
    assert diluted(held(70, 100, 0.7), repeats=held(10, 12, 0.8), checks=held(12, 12, 1.0)) > 0.3


def test_who_calls_all_a_tie_is_not_consistent_for_that() -> None:
    coin = held(50, 100, 0.7)
    assert diluted(coin, repeats=held(12, 12, 0.8), chance=0.9) > 0.2
    assert diluted(coin, repeats=held(12, 12, 0.8)) < 0.01


@pytest.mark.parametrize(("hits", "outside"), [(30, True), (50, False), (60, False), (70, False), (90, True)])
def test_a_yardstick_tells_a_taste_on_either_side_of_coin_and_others(hits: int, outside: bool) -> None:
    one = held(hits, 100, 0.7)
    assert (diluted(yardsticks=Held(*(v[:, None] for v in one))) <= 0.05) is outside


def test_several_yardsticks_are_counted() -> None:
    one, two = held(38, 100, 0.7), Held(*(np.array([[v, w]]) for v, w in ((38, 50), (100, 100), (0.7, 0.5))))
    assert diluted(yardsticks=two) == pytest.approx(2 * diluted(yardsticks=Held(*(v[:, None] for v in one))))
