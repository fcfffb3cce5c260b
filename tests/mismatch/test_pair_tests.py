"""The test of a pair against scipy's binomial, numerical integration, and its own mirror image."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from charm_rm.margins import ScoreMargins, Tally, tally_margins
from charm_rm.mismatch.pair_tests import likeliest_ties, pair_p_values, plain_outcomes, upper_tail
from charm_rm.statistics import FloatArray


def one_pair(margins: list[float] | FloatArray, **how: str) -> Tally:
    score = np.stack([np.asarray(margins, float), np.zeros(len(margins))])
    return tally_margins(ScoreMargins(("a", "b"), np.array([[0, 1]]), score), **how)


def p_of(tally: Tally, p: float, doubt: float = 0.0) -> float:
    gap = np.full(len(tally.pairs), special.logit(p))
    return float(pair_p_values(tally, gap, np.full(len(gap), doubt))[0])


def test_two_prompts_both_won() -> None:
    assert p_of(one_pair([1.0, 2.0]), 0.36) == pytest.approx(0.36**2)


@given(st.integers(0, 30), st.integers(0, 30), st.floats(0.02, 0.98))
def test_without_ties_and_doubt_it_is_the_binomial_mid_p(won: int, lost: int, p: float) -> None:
    n = won + lost
    if n == 0:
        return
    law = stats.binom(n, p)
    point = law.pmf(won)
    mid = 2 * min(law.sf(won) + point / 2, law.cdf(won - 1) + point / 2)
    assert p_of(one_pair([1.0] * won + [-1.0] * lost), p) == pytest.approx(min(mid, 1.0), rel=1e-8)


@settings(max_examples=60)
@given(st.integers(1, 300), st.floats(0, 1), st.floats(-3, 3), st.floats(1e-4, 0.5))
def test_doubt_in_the_ratings_is_averaged_over(n: int, share: float, gap: float, doubt: float) -> None:
    wins = round(share * n)
    x = np.linspace(-9, 9, 8001)
    weight = stats.norm.pdf(x) * (x[1] - x[0])
    exact = float(weight @ stats.binom.sf(wins - 1, n, special.expit(gap + np.sqrt(doubt) * x)))
    found = float(upper_tail(*(np.array([float(v)]) for v in (wins, n, gap, doubt)))[0])
    assert found == pytest.approx(exact, rel=0.06, abs=1e-14)


def test_far_out_the_tail_keeps_its_digits() -> None:
    found = float(upper_tail(*(np.array([v]) for v in (16000.0, 20000.0, 0.0, 0.1)))[0])
    assert found == pytest.approx(stats.norm.sf(special.logit(0.8) / np.sqrt(0.1)), rel=0.05)
    sure = float(upper_tail(*(np.array([v]) for v in (900.0, 1000.0, 0.0, 0.0)))[0])
    assert sure == pytest.approx(stats.binom.sf(899, 1000, 0.5), rel=1e-9)


@given(
    st.lists(st.sampled_from([-1.0, 0.0, 1.0]), min_size=2, max_size=40),
    st.floats(0.05, 0.95),
    st.floats(0, 0.2),
)
def test_the_pair_named_the_other_way_round_has_the_same_p(
    margins: list[float], p: float, doubt: float
) -> None:
    there, back = p_of(one_pair(margins), p, doubt), p_of(one_pair([-m for m in margins]), 1 - p, doubt)
    assert there == pytest.approx(back, rel=1e-6, abs=1e-12)
    assert 0 <= there <= 1


@given(st.integers(0, 20), st.integers(1, 20), st.integers(0, 20), st.floats(0.1, 0.9))
def test_the_share_of_ties_is_the_likeliest_at_that_mean(won: int, tied: int, lost: int, p: float) -> None:
    found = float(
        likeliest_ties(*(np.array([float(v)]) for v in (won, tied, won + tied + lost)), np.array([p]))[0]
    )

    def loss(x: float) -> float:
        return -float(special.xlogy(won, p - x) + special.xlogy(tied, x) + special.xlogy(lost, 1 - p - x))

    top = min(p, 1 - p)
    best = optimize.minimize_scalar(loss, bounds=(0, top), method="bounded", options={"xatol": 1e-10})
    assert 0 <= found <= 2 * top + 1e-12
    assert loss(min(found / 2, top)) <= best.fun + 1e-6


def test_ties_lost_are_losses() -> None:
    lost = one_pair([1.0, 1.0, 0.0, 0.0, -1.0], ties="loss")
    assert p_of(lost, 0.4) == pytest.approx(p_of(one_pair([1.0, 1.0, -1.0, -1.0, -1.0]), 0.4))


def test_soft_outcomes_near_0_and_1_are_hard_ones_and_near_half_they_tell_more() -> None:
    margins = np.random.default_rng(0).normal(0.3, 1.0, 200)
    sure, mild = (one_pair(margins * scale, outcome="soft") for scale in (1000.0, 0.5))
    hard = one_pair(margins)
    gap = np.zeros(1)
    assert plain_outcomes(sure, gap)[0] == pytest.approx(200, rel=0.02)
    assert p_of(sure, 0.5) == pytest.approx(p_of(hard, 0.5), rel=0.1)
    assert plain_outcomes(mild, gap)[0] > 1000


def test_few_equal_soft_outcomes_prove_nothing() -> None:
    assert p_of(one_pair([6.0, 6.0], outcome="soft"), 0.36) > 0.05


@pytest.mark.slow
@pytest.mark.parametrize(
    ("n", "doubt", "step"), [(20, 0.0, 0.0), (50, 0.03, 0.0), (50, 0.0, 1.0), (200, 0.1, 0.5)]
)
def test_the_size_holds_far_out(n: int, doubt: float, step: float) -> None:
    """Of p-values of aligned pairs no more than 5 % are at most 0.05, no more than 0.1 % at most 0.001."""
    rng = np.random.default_rng(0)
    pairs = 20_000
    gap = rng.normal(0, 0.8, pairs)
    margins = gap[:, None] + rng.logistic(size=(pairs, n))
    if step:
        margins = np.round(margins / step) * step
    score = np.concatenate([margins, np.zeros((1, n))])
    sides = np.stack([np.arange(pairs), np.full(pairs, pairs)], axis=1)
    outcome = np.where(margins > 0, 1.0, np.where(margins == 0, 0.5, 0.0))
    tally = Tally(
        policies=tuple(map(str, range(len(score)))),
        pairs=sides,
        n=np.full(pairs, float(n)),
        win_rate=outcome.mean(axis=1),
        std_err=np.zeros(pairs),
        wins=(margins > 0).sum(axis=1).astype(float),
        ties=(margins == 0).sum(axis=1).astype(float),
        win_rate_soft=None,
        win_rate_draws=None,
        score_covariance=np.zeros((1, 1)),
    )
    seen = gap + np.sqrt(doubt) * rng.standard_normal(pairs)
    p = pair_p_values(tally, seen, np.full(pairs, doubt))
    assert (p <= 0.05).mean() <= 0.055
    assert (p <= 0.001).mean() <= 0.0015
    assert (p <= 0.05).mean() >= 0.03
