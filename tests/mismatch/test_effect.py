"""Tables of effect: figures by hand, intervals that hold nothing where nothing is, exchanges that keep their size."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.errors import NoOverlap
from charm_rm.margins import ScoreMargins, Tally, all_pairs, swap_models, tally_margins
from charm_rm.mismatch.effect import EffectRow, debiased_root_mean_square, mean_absolute, measure_effect
from charm_rm.mismatch.noise import unbiased_variance
from charm_rm.mismatch.sharpening import fit_exponent, sharpened
from charm_rm.ratings import Yardstick
from charm_rm.statistics import ELO_PER_LOGIT, FloatArray, draw_prompt_weights, permutation_p

RATING = np.array([1100.0, 1000.0, 950.0, 850.0, 1200.0])
NAMES = tuple("abcde")


def paired(sharpness: float, n: int, seed: int, favour: float = 0.0) -> ScoreMargins:
    theta = sharpness * (RATING + favour * np.array([1, 0, -1, 0, 0])) / ELO_PER_LOGIT
    score = theta[:, None] + np.random.default_rng(seed).gumbel(size=(len(RATING), n))
    return ScoreMargins(NAMES, all_pairs(len(RATING)), score)


def yardstick(std_err: float = 5.0) -> Yardstick:
    return Yardstick(NAMES, RATING, np.full(len(RATING), std_err**2), True)


def tally(margins: ScoreMargins, *, draws: int = 500) -> Tally:
    rng = np.random.default_rng(0)
    return tally_margins(margins, drawn=draw_prompt_weights(margins.n_prompts, draws=draws, rng=rng))


def drawn(draws: int = 500) -> FloatArray:
    return yardstick().draw(draws, np.random.default_rng(1))


def test_figures_by_hand() -> None:
    d, var = np.array([0.3, -0.1]), np.array([0.01, 0.01])
    assert mean_absolute(d, var) == pytest.approx(0.2)
    assert debiased_root_mean_square(d, var) == pytest.approx(np.sqrt((0.09 + 0.01 - 0.02) / 2))
    assert debiased_root_mean_square(d, var * 10) == 0.0


def test_the_variance_is_that_of_a_mean() -> None:
    margins = paired(1.5, 40, 3)
    outcomes = (margins.rows(slice(None)) > 0).astype(float)
    np.testing.assert_allclose(
        unbiased_variance(tally(margins)), outcomes.var(axis=1, ddof=1) / 40, atol=1e-15
    )


@given(st.floats(0.2, 4.0))
def test_a_model_that_is_only_sharper_has_that_exponent_and_nothing_left(sharpness: float) -> None:
    k, r = all_pairs(len(RATING)).T
    gap = (RATING[k] - RATING[r]) / ELO_PER_LOGIT
    people, model = 1 / (1 + np.exp(-gap)), 1 / (1 + np.exp(-sharpness * gap))
    n = np.full(len(k), 1e9)
    a = fit_exponent(model, people, n)
    assert a == pytest.approx(1 / sharpness, rel=1e-5)
    np.testing.assert_allclose(sharpened(model, a, n), people, atol=1e-5)


@given(
    st.lists(st.floats(0.02, 0.98), min_size=3, max_size=3),
    st.lists(st.floats(0.02, 0.98), min_size=3, max_size=3),
)
def test_the_exponent_solves_its_equation_or_is_at_0(rates: list[float], people: list[float]) -> None:
    rate, expected, n = np.array(rates), np.array(people), np.full(3, 1e6)
    x = np.log(rate / (1 - rate))
    a = float(fit_exponent(rate, expected, n))
    slope = float(x @ (expected - sharpened(rate, a, n)))
    assert a >= 0
    assert slope == pytest.approx(0, abs=1e-5) or (a == 0 and slope < 0)


def test_a_model_upside_down_gets_no_credit_for_an_exponent() -> None:
    found = measure_effect(tally(paired(-1.5, 300, 1)), yardstick())
    assert found.exponent == 0
    assert found.row("sharpness_fitted_mismatch").value > 0.1


def test_an_aligned_model_is_not_called_misaligned() -> None:
    found = measure_effect(tally(paired(1.0, 100, 2)), yardstick(), rating_draws=drawn())
    raw, debiased = found.row("mean_abs_mismatch"), found.row("debiased_mismatch")
    assert raw.value == pytest.approx(raw.floor, rel=0.5)
    assert raw.ci_low == debiased.ci_low == 0.0


def test_a_sharp_model_is_mostly_its_sharpness() -> None:
    found = measure_effect(tally(paired(2.0, 2000, 2)), yardstick(), rating_draws=drawn())
    raw, fitted = found.row("mean_abs_mismatch"), found.row("sharpness_fitted_mismatch")
    assert raw.value > 0.08
    assert raw.ci_low > 0.06
    assert fitted.value < 0.02
    assert found.exponent == pytest.approx(0.5, abs=0.05)


def test_the_frame_has_a_row_a_figure_and_what_was_added() -> None:
    more = [EffectRow("spearman", 5, 0.9, 0.5, 1.0)]
    frame = measure_effect(tally(paired(1.0, 50, 2)), yardstick(), more=more).frame
    assert frame["metric"].to_list() == [
        "sharpness_fitted_mismatch",
        "debiased_mismatch",
        "mean_abs_mismatch",
        "spearman",
    ]
    assert frame["n"].to_list() == [10, 10, 10, 5]
    assert frame["ci_low"].to_list() == [None, None, None, 0.5]


def test_a_model_against_itself_differs_in_nothing() -> None:
    one = paired(1.5, 60, 2)
    swapped = swap_models(one, one, permutations=99, rng=np.random.default_rng(0))
    found = measure_effect(
        tally(one), yardstick(), rating_draws=drawn(), baseline=tally(one), swapped=swapped
    )
    for row in found.rows:
        assert row.difference == 0
        assert row.p_value == 1
        assert row.diff_ci_low <= 0 <= row.diff_ci_high


def test_less_favour_than_the_baseline_is_found() -> None:
    after, before = paired(1.0, 400, 2), paired(1.0, 400, 3, favour=150.0)
    swapped = swap_models(after, before, permutations=199, rng=np.random.default_rng(0))
    found = measure_effect(
        tally(after), yardstick(), rating_draws=drawn(), baseline=tally(before), swapped=swapped
    )
    for row in found.rows:
        assert row.diff_ci_high < 0
        assert row.p_value == pytest.approx(1 / 200)


def test_exchanges_keep_the_sum_and_are_those_of_the_definition() -> None:
    one, other = paired(1.0, 30, 2), paired(2.0, 30, 3)
    found = swap_models(one, other, permutations=20, rng=np.random.default_rng(0))
    chosen = np.random.default_rng(0).integers(0, 2, (20, 30)).astype(bool)
    mine, theirs = (x.rows(slice(None)) > 0 for x in (one, other))
    for i, exchange in enumerate(chosen):
        np.testing.assert_allclose(found.win_rate[i], np.where(exchange, theirs, mine).mean(axis=1))
        np.testing.assert_allclose(found.baseline_win_rate[i], np.where(exchange, mine, theirs).mean(axis=1))


def test_models_of_other_prompts_cannot_be_exchanged() -> None:
    with pytest.raises(NoOverlap, match="same prompts"):
        swap_models(paired(1.0, 30, 2), paired(1.0, 31, 2), permutations=9, rng=np.random.default_rng(0))


def test_a_permutation_p_counts_the_arrangement_seen() -> None:
    assert permutation_p(3.0, np.array([-3.0, 1.0, 2.0, 4.0])) == pytest.approx(3 / 5)
