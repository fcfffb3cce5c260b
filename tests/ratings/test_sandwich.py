"""The covariance: over battles, over clusters of them, and never thinner than one battle."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from charm_rm.estimates import Z95
from charm_rm.ratings import fit_ratings
from charm_rm.ratings.sandwich import at_least
from charm_rm.statistics import ELO_PER_LOGIT
from charm_rm.tables import Battles, Ratings
from reference import bradley_terry as twin

from .strategies import OUTCOME, battles_of, connected_rows


def by_name(ratings: Ratings) -> np.ndarray:
    """The sandwich in log-odds, in alphabetical order: without what widens it where clusters are few."""
    order = np.argsort(ratings.frame["policy"].to_numpy())
    widened = ratings.provenance["interval_quantile"] / Z95
    return ratings.covariance[np.ix_(order, order)] / (widened * ELO_PER_LOGIT) ** 2


def gap_error(ratings: Ratings, one: int = 0, other: int = 1) -> float:
    """Standard error of a rating difference, in Elo points."""
    c = by_name(ratings)
    return float(ELO_PER_LOGIT * np.sqrt(c[one, one] + c[other, other] - 2 * c[one, other]))


# --- never thinner than one battle --------------------------------------------------------------


@pytest.mark.parametrize(("ties", "error"), [(1, 2.0), (6, 1 / 3), (600, 1 / 300)])
def test_ties_alone_know_as_much_as_one_battle_leaves_open(ties: int, error: float) -> None:
    """One coin's variance ¼ over the squared information (n/4)²: 2/n log-odds."""
    ratings = fit_ratings(battles_of([("x", "y", "tie")] * ties))
    assert gap_error(ratings) == pytest.approx(error * ELO_PER_LOGIT)


def test_three_policies_with_nothing_but_ties() -> None:
    """n ties a pair: each policy's one battle spread over two opponents: C = ½·¼ / (n/4)² L⁺, L = 3 I - 11ᵀ."""
    rows = [("x", "y", "tie"), ("y", "z", "both_bad"), ("z", "x", "tie")] * 4
    assert gap_error(fit_ratings(battles_of(rows))) == pytest.approx(ELO_PER_LOGIT * np.sqrt(1 / 8 * 2 / 3))


@pytest.mark.parametrize("prior", [1e-6, 0.1, 1.0, 10.0])
def test_one_sided_battles_under_a_prior_are_known_loosely(prior: float) -> None:
    ratings = fit_ratings(battles_of([("star", "x", "a")] * 5), prior=prior)
    assert gap_error(ratings) > 0.9 * ELO_PER_LOGIT / np.sqrt(5 / 4 + prior / 4)


def test_a_policy_that_only_tied_keeps_its_own_floor_beside_policies_with_many_battles() -> None:
    rows = [("x", "y", "a"), ("x", "y", "b")] * 500 + [("z", "x", "tie")] * 4
    ratings = fit_ratings(battles_of(rows))
    assert gap_error(ratings, 2, 0) == pytest.approx(ELO_PER_LOGIT * 2 / 4, rel=0.05)
    assert gap_error(ratings, 0, 1) == pytest.approx(ELO_PER_LOGIT * 2 / np.sqrt(1000), rel=1e-3)


def test_clusters_that_each_cancel_out_do_not_make_a_certainty() -> None:
    rows = [("x", "y", "a"), ("x", "y", "b")] * 30
    frame = battles_of(rows).frame.with_columns(prompt_id=pl.Series([f"p{i // 2}" for i in range(60)]))
    assert gap_error(fit_ratings(Battles(frame))) == pytest.approx(ELO_PER_LOGIT * 2 / 60)


@settings(max_examples=30)
@given(connected_rows(), st.booleans(), st.floats(1e-6, 1e6))
def test_no_difference_is_known_better_than_one_further_battle_allows(
    rows: list, ties_alone: bool, scale: float
) -> None:
    rows = [(a, b, "tie") for a, b, _ in rows] if ties_alone else rows
    ratings = fit_ratings(battles_of(rows, weight=[scale] * len(rows)))
    plain = [(a, b, OUTCOME[w]) for a, b, w in rows]
    least = twin.one_battle_floor(plain, twin.strengths(plain))
    spare = np.linalg.eigvalsh(by_name(ratings) - least)
    assert spare.min() > -1e-6 * np.trace(least)
    if ties_alone:
        np.testing.assert_allclose(by_name(ratings), least, rtol=1e-6, atol=1e-9)


# --- at_least -----------------------------------------------------------------------------------


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.integers(1, 5), st.integers(1, 5))
def test_at_least_is_above_both_and_touches_nothing_that_is_enough(
    seed: int, rank: int, floor_rank: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(5, rank)), rng.normal(size=(5, floor_rank))
    filling, floor = a @ a.T, b @ b.T
    raised = at_least(filling, floor)
    assert np.linalg.eigvalsh(raised - filling).min() > -1e-8
    inside = b @ rng.normal(size=floor_rank)  # directions that the floor has: through its pseudo-inverse
    direction = np.linalg.pinv(floor) @ inside
    assert direction @ raised @ direction >= (direction @ floor @ direction) * (1 - 1e-8)
    enough = filling + floor
    assert at_least(enough, floor) is enough or np.allclose(at_least(enough, floor), enough, atol=1e-8)


# --- clusters -----------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_clustered_sandwich_agrees_with_its_slow_twin(seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = np.array(["x", "y", "z"])
    first = rng.integers(3, size=90)
    second = (first + rng.integers(1, 3, size=90)) % 3
    winners = rng.choice(["a", "b", "tie"], 90)
    rows = list(zip(names[first], names[second], winners, strict=True))
    prompt = [f"p{i}" for i in rng.integers(25, size=90)]
    plain = [(a, b, OUTCOME[w]) for a, b, w in rows]
    ratings = fit_ratings(Battles(battles_of(rows).frame.with_columns(prompt_id=pl.Series(prompt))))
    expected = twin.clustered_sandwich(plain, twin.strengths(plain), prompt)
    np.testing.assert_allclose(by_name(ratings), expected, rtol=1e-6, atol=1e-9)


def test_one_vote_a_cluster_is_the_plain_sandwich_but_for_g_over_g_less_one() -> None:
    rows = [("x", "y", "a"), ("y", "z", "a"), ("z", "x", "a"), ("x", "y", "tie"), ("y", "z", "b")] * 8
    frame = battles_of(rows).frame.with_columns(voter=pl.int_range(40))
    plain, single = fit_ratings(Battles(frame)), fit_ratings(Battles(frame), cluster="voter")
    np.testing.assert_allclose(by_name(single), by_name(plain) * 40 / 39, atol=1e-12)


@pytest.mark.parametrize("prior", [0.0, 2.0])
def test_a_vote_repeated_within_its_cluster_adds_no_certainty(prior: float) -> None:
    rows = [("x", "y", w) for w in "aababbaaab" * 4]
    prompt = pl.Series([f"p{i}" for i in range(40)])
    once = Battles(battles_of(rows).frame.with_columns(prompt_id=prompt))
    thrice = Battles(pl.concat([once.frame] * 3))
    expected = gap_error(fit_ratings(once, prior=prior))
    assert gap_error(fit_ratings(thrice, prior=3 * prior)) == pytest.approx(
        expected, rel=0.02 if prior else 1e-9
    )
    assert gap_error(fit_ratings(thrice, prior=prior, cluster=None)) < 0.62 * expected


def test_style_coefficients_are_clustered_too() -> None:
    rng = np.random.default_rng(0)
    rows = [("x", "y", w) for w in rng.choice(["a", "b"], 60)]
    frame = battles_of(rows).frame.with_columns(
        length_a=pl.Series(rng.integers(1, 99, 60)),
        length_b=pl.Series(rng.integers(1, 99, 60)),
        prompt_id=pl.Series([f"p{i}" for i in range(60)]),
    )
    twice = Battles(pl.concat([frame] * 2))
    one = fit_ratings(Battles(frame), style=["length"]).provenance["style"]["length"]
    two = fit_ratings(twice, style=["length"]).provenance["style"]["length"]
    assert two == pytest.approx(one)
    independent = fit_ratings(twice, style=["length"], cluster=None).provenance["style"]["length"]
    assert independent["std_err"] < 0.75 * one["std_err"]
