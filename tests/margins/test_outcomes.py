"""Outcomes of margins, and the tie rule."""

from __future__ import annotations

import numpy as np

from charm_rm.margins import hard_outcomes, soft_outcomes, tie_credit, with_ties_halved


def test_hard_outcomes_by_hand() -> None:
    margins = [2.0, 0.0, -1.0, np.nan]
    np.testing.assert_array_equal(hard_outcomes(margins), [1, 0.5, 0, np.nan])
    np.testing.assert_array_equal(hard_outcomes(margins, ties="loss"), [1, 0, 0, np.nan])


def test_soft_outcomes_become_hard_as_temperature_falls() -> None:
    margins = np.array([0.3, -0.2, 0.0])
    np.testing.assert_allclose(soft_outcomes(margins), 1 / (1 + np.exp(-margins)))
    np.testing.assert_allclose(soft_outcomes(margins, temperature=1e-4), hard_outcomes(margins))


def test_a_tie_is_worth_its_credit_by_either_way_of_counting() -> None:
    margins = np.array([2.0, 0.0, 0.0, -1.0])
    won, upto = (margins > 0).mean(), (margins >= 0).mean()
    assert hard_outcomes(margins).mean() == with_ties_halved(won, upto)
    assert hard_outcomes(margins, ties="loss").mean() == won
    assert (tie_credit("half"), tie_credit("loss")) == (0.5, 0.0)


def test_outcomes_can_take_the_place_of_the_margins() -> None:
    margins = np.array([2.0, 0.0, -1.0])
    assert hard_outcomes(margins, out=margins) is margins
    np.testing.assert_array_equal(margins, [1, 0.5, 0])
