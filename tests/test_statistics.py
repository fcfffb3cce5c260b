"""Array statistics against scipy, closed forms and slow twins."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from charm_rm import statistics as s
from reference import slow_audit

unit = st.floats(0, 1)
small = arrays(np.float64, st.integers(3, 9), elements=st.integers(-3, 3).map(float))


def test_bootstrap_of_binary_outcomes_is_jeffreys_beta() -> None:
    """The draws' quantiles are those of Beta(wins + 1/2, losses + 1/2): the interval the docstring promises."""
    wins, n = 7, 10
    outcomes = np.array([[1.0] * wins + [0.0] * (n - wins)])
    drawn = s.draw_prompt_weights(n, draws=40_000, rng=np.random.default_rng(0))
    rates = s.weighted_win_rates(outcomes, drawn)[:, 0]
    beta = stats.beta(wins + 0.5, n - wins + 0.5)
    assert stats.kstest(rates, beta.cdf).pvalue > 0.01
    assert s.win_rate_variance(n, wins, wins) == pytest.approx(beta.var())


@pytest.mark.parametrize("n", [8, 50])
@pytest.mark.parametrize("p", [0.5, 0.9])
def test_interval_covers_the_truth_about_95_times_in_100(n: int, p: float) -> None:
    rng = np.random.default_rng(1)
    trials = 400
    outcomes = (rng.random((trials, n)) < p).astype(float)
    drawn = s.draw_prompt_weights(n, draws=1000, rng=rng)
    low, high = s.percentile_interval(s.weighted_win_rates(outcomes, drawn))
    assert 0.90 <= np.mean((low <= p) & (p <= high)) <= 0.99


def test_missing_prompts_are_left_out_of_the_weights() -> None:
    drawn = s.draw_prompt_weights(4, draws=50, rng=np.random.default_rng(0))
    full = np.array([[1.0, 0.0, 0.5, np.nan]])
    some = s.PromptWeights(drawn.weights[:, :3], drawn.pseudo_wins, drawn.pseudo_losses)
    np.testing.assert_allclose(s.weighted_win_rates(full, drawn), s.weighted_win_rates(full[:, :3], some))


def test_variance_is_never_zero() -> None:
    assert s.win_rate_variance(20, 20, 20) > 0


def test_normal_draws_have_the_covariance_asked_for_even_if_singular() -> None:
    covariance = np.array([[1.0, -1.0], [-1.0, 1.0]])
    draws = s.draw_normal(np.array([5.0, 7.0]), covariance, draws=20_000, rng=np.random.default_rng(0))
    np.testing.assert_allclose(draws.sum(axis=1), 12.0)
    assert draws[:, 0].std() == pytest.approx(1.0, rel=0.03)


@given(wins=st.integers(0, 30), losses=st.integers(0, 30))
def test_wilson_is_scipys(wins: int, losses: int) -> None:
    n = wins + losses
    if n == 0:
        return
    ours = s.wilson_interval(wins, n)
    theirs = stats.binomtest(wins, n).proportion_ci(method="wilson")
    np.testing.assert_allclose(ours, (theirs.low, theirs.high), atol=1e-12)


@given(arrays(np.float64, st.integers(1, 12), elements=unit))
def test_q_values_are_the_slow_twins_and_scipys(p: np.ndarray) -> None:
    q = s.benjamini_hochberg(p)
    np.testing.assert_allclose(q, slow_audit.q_values(p.tolist()), atol=1e-12)
    np.testing.assert_allclose(q, stats.false_discovery_control(p), atol=1e-12)


def test_q_values_pass_over_nan() -> None:
    q = s.benjamini_hochberg([0.01, np.nan, 0.04])
    np.testing.assert_allclose(q, [0.02, np.nan, 0.04])


def test_p_value_of_nothing_over_nothing_is_1() -> None:
    np.testing.assert_allclose(s.two_sided_p([0.0, 1.0, 1.96], [0.0, 0.0, 1.0]), [1.0, 0.0, 0.05], atol=1e-4)


@given(st.data(), small)
def test_rank_correlations_are_scipys(data: st.DataObject, x: np.ndarray) -> None:
    y = data.draw(arrays(np.float64, x.shape, elements=st.integers(-3, 3).map(float)))
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(s.spearman(x, y))
        assert np.isnan(s.kendall(x, y))
        return
    assert s.spearman(x, y) == pytest.approx(stats.spearmanr(x, y).statistic)
    assert s.kendall(x, y) == pytest.approx(stats.kendalltau(x, y).statistic)


def test_rank_correlations_work_row_by_row() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(4, 6)), rng.normal(size=(4, 6))
    np.testing.assert_allclose(
        s.kendall(x, y), [stats.kendalltau(a, b).statistic for a, b in zip(x, y, strict=True)]
    )


def test_basic_interval_reflects_stays_in_range_and_holds_the_value() -> None:
    draws = np.linspace(0.5, 0.9, 401)
    assert s.basic_interval(0.8, draws, low=0.0, high=1.0) == pytest.approx((1.6 - 0.89, 1.0))
    assert s.basic_interval(0.1, draws, low=0.0, high=1.0) == pytest.approx((0.0, 0.1))


def test_weights_drawn_again_are_those_drawn_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(s, "_WEIGHTS", 30)
    one, other = (np.random.default_rng(5) for _ in range(2))
    whole = s.draw_prompt_weights(7, draws=11, rng=one)
    again = s.redraw_prompt_weights(7, draws=11, rng=other)
    for rows in (1, 4, 20):
        for found in (whole, again):
            blocks = list(found.blocks(rows))
            assert np.array_equal(np.concatenate([w for _, w in blocks]), whole.weights)
            assert [np.arange(11)[r].size for r, _ in blocks] == [len(w) for _, w in blocks]
    assert np.array_equal(whole.pseudo_wins, again.pseudo_wins)
    assert np.array_equal(whole.pseudo_losses, again.pseudo_losses)
    assert one.random() == other.random()
