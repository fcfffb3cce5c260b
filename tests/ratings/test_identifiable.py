"""Battles that do not determine the ratings: named groups, or a stated prior."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.errors import NotIdentifiable
from charm_rm.ratings import fit_ratings

from .strategies import battles_of, connected_rows, log_strengths


def test_groups_that_never_meet_are_named() -> None:
    rows = [("a", "b", "tie"), ("c", "d", "tie"), ("d", "e", "tie")]
    with pytest.raises(NotIdentifiable) as caught:
        fit_ratings(battles_of(rows))
    assert "2 groups that never meet" in str(caught.value)
    assert "the 3 policies 'c', 'd', 'e'; the 2 policies 'a', 'b'" in str(caught.value)
    assert "add battles between the groups" in str(caught.value)


def test_a_prior_does_not_join_groups_that_never_meet() -> None:
    with pytest.raises(NotIdentifiable, match="never meet"):
        fit_ratings(battles_of([("a", "b", "tie"), ("c", "d", "tie")]), prior=1.0)


def test_battles_of_weight_zero_connect_nothing() -> None:
    rows = [("a", "b", "tie"), ("b", "c", "tie")]
    with pytest.raises(NotIdentifiable, match="never meet in battle: the 2 policies 'a', 'b'; 'c'"):
        fit_ratings(battles_of(rows, weight=[1.0, 0.0]))


def test_undefeated_and_winless_policies_are_named() -> None:
    rows = [("star", "x", "a"), ("x", "y", "tie"), ("y", "last", "a"), ("star", "y", "a")]
    with pytest.raises(NotIdentifiable) as caught:
        fit_ratings(battles_of(rows))
    assert "'star' never lost to any other policy" in str(caught.value)
    assert "'last' never won against any other policy" in str(caught.value)
    assert "--prior 1" in str(caught.value)


def test_a_group_undefeated_by_the_rest_is_named_though_its_members_lose_to_each_other() -> None:
    rows = [("a", "b", "a"), ("b", "a", "a"), ("a", "x", "a"), ("b", "y", "a"), ("x", "y", "tie")]
    with pytest.raises(NotIdentifiable, match="the 2 policies 'a', 'b' never lost to any other policy"):
        fit_ratings(battles_of(rows))


def test_a_tie_is_enough_to_pull_an_undefeated_policy_down_to_earth() -> None:
    ratings = fit_ratings(battles_of([("star", "x", "a"), ("star", "x", "tie")]))
    assert log_strengths(ratings)["star"] == pytest.approx(np.log(3) / 2)


def test_a_prior_makes_an_undefeated_policy_finite_and_its_interval_wide() -> None:
    """100 wins to none with prior 1 are 100.5 to 0.5: log-odds log 201, variance of about 1/0.5."""
    ratings = fit_ratings(battles_of([("star", "x", "a")] * 100), prior=1.0, anchor=("x", 0.0))
    logit = ratings.frame["rating"][0] * np.log(10) / 400
    assert logit == pytest.approx(np.log(201))
    assert ratings.frame["std_err"][0] * np.log(10) / 400 == pytest.approx(np.sqrt(1 / 0.5), rel=0.01)
    assert ratings.provenance["prior"] == 1.0
    assert ratings.provenance["n_battles"] == 100


@settings(max_examples=20)
@given(connected_rows(), st.floats(0.5, 5.0))
def test_a_prior_equals_pseudo_battles_written_out(rows: list, prior: float) -> None:
    pairs = sorted({tuple(sorted((a, b))) for a, b, _ in rows})
    more = rows + [(a, b, w) for a, b in pairs for w in "ab"]
    weight = [1.0] * len(rows) + [prior / 2] * (2 * len(pairs))
    written = fit_ratings(battles_of(more, weight=weight))
    assert log_strengths(fit_ratings(battles_of(rows), prior=prior)) == pytest.approx(
        log_strengths(written), abs=1e-8
    )
