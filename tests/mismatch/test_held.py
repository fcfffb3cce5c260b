"""The derivatives that compare, families and influence rest on, against differences of refitted lines."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from charm_rm.errors import ConfigError, NotIdentifiable
from charm_rm.mismatch.favour import leave_one_out
from charm_rm.mismatch.held import Held, derivatives, hold_against
from charm_rm.mismatch.measured import Measured, measure_line
from charm_rm.sources import load_example
from charm_rm.tables import Ratings

from .planted import POLICIES, noise, ratings, scores


def remeasured(held: Held, *, theta: np.ndarray, rho: np.ndarray) -> Measured:
    """The line and the favours anew, with other strengths and ratings."""
    rated = replace(held.rated, rating=rho * 400 / np.log(10))
    return measure_line(replace(held.strengths, theta=theta), rated)


@pytest.mark.parametrize("moved", ["strengths", "ratings"])
@pytest.mark.parametrize("seed", range(4))
def test_derivatives_are_those_of_refitted_lines(seed: int, moved: str) -> None:
    """But for weights, and for ratings the residuals' own part: so favours scatter widely where strengths move, and not where ratings do."""
    rng = np.random.default_rng(seed)
    spread = 60.0 if moved == "strengths" else 0.0
    favour = dict(zip(POLICIES, rng.normal(0, spread, len(POLICIES)), strict=True))
    held = hold_against(scores(noise(seed, 4000), favour=favour), ratings(0.5))
    m, slopes = held.measured, derivatives(held.measured)
    step = (
        1e-3 * rng.normal(size=(2, len(POLICIES))) * np.array([[moved == "strengths"], [moved == "ratings"]])
    )
    other = remeasured(held, theta=m.theta + step[0], rho=m.rho + step[1])
    before, after = leave_one_out(m, "these"), leave_one_out(other, "these")
    assert (before.found & after.found).all()
    predicted = slopes.favour_by_theta @ step[0] + slopes.favour_by_rho @ step[1]
    loose = 0.06 if moved == "strengths" else 0.15
    np.testing.assert_allclose(after.favour - before.favour, predicted, atol=loose * np.abs(predicted).max())
    tilted = float(slopes.slope_by_theta @ step[0] + slopes.slope_by_rho @ step[1])
    assert float(other.line.slope - m.line.slope) == pytest.approx(tilted, rel=0.1, abs=1e-4)


def test_what_prompts_add_to_the_strengths_makes_up_their_covariance() -> None:
    held = hold_against(scores(noise(1)), ratings())
    np.testing.assert_allclose(held.by_prompt @ held.by_prompt.T, held.strengths.covariance, atol=1e-12)
    assert held.by_prompt.shape == (len(POLICIES), 120)
    assert held.prompts[:2] == ("p0000", "p0001")


def test_a_model_that_ranks_upside_down_is_refused() -> None:
    with pytest.raises(NotIdentifiable, match="does not agree with human ratings"):
        hold_against(scores(noise(2), sharpness=-1.5), ratings())


def test_published_win_rates_are_held_without_prompts() -> None:
    judge = load_example()
    with pytest.warns(UserWarning, match="have no interval"):
        held = hold_against(judge.win_rates, judge.ratings)
    assert held.prompts == ()
    with pytest.raises(ConfigError, match="not per prompt"):
        _ = held.by_prompt
    with pytest.raises(ConfigError, match="hard or soft as they were published"):
        hold_against(judge.win_rates, judge.ratings, outcome="soft")


def test_unrated_policies_are_left_out_aloud() -> None:
    few = Ratings(ratings().frame.filter(pl.col("policy") != "cow"))
    with pytest.warns(UserWarning, match="skipped 1 policy"):
        held = hold_against(scores(noise(3)), few, unrated="skip")
    assert "cow" not in held.policies


def test_one_prompt_says_nothing_and_few_bring_a_warning() -> None:
    with pytest.raises(NotIdentifiable, match="share one prompt only"):
        hold_against(scores(noise(4, 1)), ratings())
    with (
        pytest.warns(UserWarning, match="fewer than 30 shared prompts"),
        pytest.warns(match="no test and no interval"),
    ):
        hold_against(scores(noise(4, 20)), ratings())
