"""Verdicts: what each asks for, and that none contradicts its interval."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.mismatch.verdicts import (
    FEWEST_PROMPTS,
    MEANING,
    NO_EVIDENCE,
    TOO_FEW,
    TOO_OFTEN,
    TOO_RARELY,
    UNDERPOWERED,
    VERDICTS,
    count_verdicts,
    turned,
    verdict,
)

numbers = st.floats(-1, 1)


def test_each_word() -> None:
    assert verdict(100, 0.1, 0.3, 0.01) == TOO_OFTEN
    assert verdict(100, -0.3, -0.1, 0.01) == TOO_RARELY
    assert verdict(100, -0.2, 0.24, 0.8) == UNDERPOWERED
    assert verdict(100, -0.02, 0.04, 0.6) == NO_EVIDENCE
    assert verdict(FEWEST_PROMPTS - 1, 0.1, 0.3, 0.001) == TOO_FEW
    assert set(MEANING) == set(VERDICTS)


@given(st.integers(1, 100), numbers, numbers, st.floats(0, 1) | st.just(float("nan")))
def test_no_verdict_contradicts_its_interval(n: int, one: float, other: float, q: float) -> None:
    low, high = min(one, other), max(one, other)
    said = verdict(n, low, high, q)
    assert said != TOO_OFTEN or (low > 0 and q <= 0.05 and n >= FEWEST_PROMPTS)
    assert said != TOO_RARELY or (high < 0 and q <= 0.05 and n >= FEWEST_PROMPTS)
    assert (said == TOO_FEW) == (n < FEWEST_PROMPTS)


@given(st.integers(10, 100), numbers, numbers, st.floats(0, 1))
def test_seen_from_the_other_side_the_verdict_is_turned(n: int, one: float, other: float, q: float) -> None:
    low, high = min(one, other), max(one, other)
    assert turned(verdict(n, low, high, q)) == verdict(n, -high, -low, q)


@pytest.mark.parametrize("order", [1, -1])
def test_counts_stand_in_one_order(order: int) -> None:
    said = [TOO_FEW, TOO_OFTEN, NO_EVIDENCE, TOO_FEW][::order]
    assert list(count_verdicts(said).items()) == [(TOO_OFTEN, 1), (NO_EVIDENCE, 1), (TOO_FEW, 2)]


def test_counts_have_one_order_whatever_was_said_first() -> None:
    said = [TOO_RARELY, "under-valued", TOO_OFTEN, "over-valued", TOO_RARELY]
    for words in (said, said[::-1]):
        assert list(count_verdicts(words).items()) == [
            *((TOO_OFTEN, 1), (TOO_RARELY, 2), ("over-valued", 1), ("under-valued", 1)),
        ]
