"""Covariances clustered by prompt and rater: a slow twin, bounds in every direction, and the cases with one of a kind."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from charm_rm.mismatch.student import student_quantile
from charm_rm.study.estimates.clusters import NOBODY, effective_clusters, two_way_covariance, upper_bound
from reference.slow_study import two_way_variance


@st.composite
def _rows(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = draw(st.integers(1, 30))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    prompts, raters = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    return rng.normal(size=(n, 3)), rng.integers(0, prompts, n), rng.integers(-1, raters, n)


@given(_rows())
def test_it_is_the_sum_over_pairs_of_rows_that_share_a_prompt_or_a_rater(rows) -> None:
    u, prompt, rater = rows
    found = two_way_covariance(u[:, 0], prompt, rater)
    if found.n_prompts < 2 and found.n_raters < 2:
        assert np.isnan(found.covariance).all()
        assert found.df == 0
    else:
        twin = two_way_variance(u[:, 0].tolist(), prompt.tolist(), rater.tolist())
        assert found.covariance[0, 0] == pytest.approx(twin, rel=1e-9, abs=1e-12)
        assert found.std_err[0] ** 2 == pytest.approx(twin, rel=1e-9, abs=1e-12)


@given(_rows(), st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_in_no_direction_is_it_below_either_part(rows, direction) -> None:
    u, prompt, rater = rows
    found, d = two_way_covariance(u, prompt, rater), np.array(direction)
    if found.n_prompts < 2 and found.n_raters < 2:
        return
    variance, df = found.along(d)
    scale = 1 + float(d @ d) * float(np.abs(u).sum()) ** 2
    assert variance >= d @ found.by_prompt @ d - 1e-9 * scale
    assert variance >= d @ found.by_rater @ d - 1e-9 * scale
    assert variance <= d @ found.covariance @ d + 1e-9 * scale
    assert df > 0
    assert found.covariance == pytest.approx(found.covariance.T)


@given(_rows(), st.integers(0, 2**32))
def test_combinations_are_what_their_own_influences_give(rows, seed) -> None:
    u, prompt, rater = rows
    weights = np.random.default_rng(seed).normal(size=(2, 3))
    found = two_way_covariance(u, prompt, rater).combined(weights)
    wanted = two_way_covariance(u @ weights.T, prompt, rater)
    assert found.covariance == pytest.approx(wanted.covariance, rel=1e-6, abs=1e-9, nan_ok=True)
    assert found.df == pytest.approx(wanted.df)


@given(_rows(), st.randoms(use_true_random=False))
def test_names_and_order_of_clusters_do_not_matter(rows, random) -> None:
    u, prompt, rater = rows
    order = list(range(len(u)))
    random.shuffle(order)
    renamed = np.where(rater == NOBODY, NOBODY, 100 - 7 * rater)
    one = two_way_covariance(u, prompt, rater)
    other = two_way_covariance(u[order], 5 * prompt[order] + 3, renamed[order])
    assert one.covariance == pytest.approx(other.covariance, rel=1e-9, abs=1e-9, nan_ok=True)
    assert one.df == pytest.approx(other.df)


def test_one_rater_goes_by_prompt_and_says_so() -> None:
    u, prompt = np.array([1.0, -2.0, 0.5, 0.5]), np.array([0, 0, 1, 2])
    found = two_way_covariance(u, prompt, np.zeros(4, dtype=np.int64))
    assert found.covariance[0, 0] == pytest.approx(1.5 * (1 + 0.25 + 0.25))
    assert (found.df, found.n_raters, found.rater_known) == (2, 1, False)


def test_one_prompt_goes_by_rater() -> None:
    found = two_way_covariance(np.array([1.0, -2.0, 1.0]), np.zeros(3, np.int64), np.array([0, 1, 2]))
    assert found.covariance[0, 0] == pytest.approx(1.5 * 6)
    assert found.df == 2


def test_one_vote_knows_nothing() -> None:
    found = two_way_covariance(np.array([0.3]), np.array([0]), np.array([0]))
    assert found.df == 0
    assert np.isnan(found.covariance).all()


def test_a_candidate_without_a_vote_goes_by_its_prompt_alone() -> None:
    """Rows of nobody share no rater: two prompts' rows do not go together because neither was voted on."""
    u, prompt = np.array([1.0, 1.0, 1.0, -1.0, -1.0, -1.0]), np.arange(6)
    voted = two_way_covariance(u, prompt, np.array([0, 0, 0, 1, 1, 1]))
    unvoted = two_way_covariance(u, prompt, np.array([NOBODY, NOBODY, 0, NOBODY, NOBODY, 1]))
    assert voted.covariance[0, 0] == pytest.approx(2 / 1 * 18)
    assert unvoted.covariance[0, 0] == pytest.approx(2 / 1 * 6)
    assert unvoted.n_prompts == 2


def test_votes_of_one_rater_that_lean_one_way_widen_what_prompts_alone_would_say() -> None:
    rater = np.repeat([0, 1, 2, 3], 25)
    lean = np.array([1.0, -1.0, 1.0, -1.0])[rater]
    found = two_way_covariance(lean, np.arange(100), rater)
    assert found.covariance[0, 0] > 20 * found.by_prompt[0, 0]
    assert found.df == pytest.approx(3, abs=0.5)


@given(_rows())
def test_degrees_of_freedom_are_those_of_raters_and_prompts_together(rows) -> None:
    """At most their sum, at least what two parts of one size leave."""
    found = two_way_covariance(*rows)
    if found.n_prompts > 1 and found.n_raters > 1:
        prompts, raters = found.n_prompts - 1, max(found.effective_raters - 1, 1)
        least = min(1 / (1 / prompts + 1 / raters), prompts, raters)
        assert least - 1e-9 <= found.df <= prompts + raters + 1e-9


def _covers(votes_of: list[int], spread: float, *, studies: int = 300) -> float:
    """How often 95 % intervals hold the share 0.6 of people who differ by ``spread``, with so many votes of each rater."""
    rng, held = np.random.default_rng(5), 0
    rater = np.repeat(np.arange(len(votes_of)), votes_of)
    for _ in range(studies):
        prompt = rng.integers(0, 120, len(rater))
        share = 0.6 + spread * rng.normal(size=len(votes_of))[rater]
        y = (rng.random(len(rater)) < share).astype(float)
        given = two_way_covariance((y - y.mean()) / len(y), prompt, rater)
        variance, df = given.along([1.0])
        held += abs(y.mean() - 0.6) <= student_quantile(df) * variance**0.5
    return held / studies


@pytest.mark.parametrize("votes_of", [[240, 15, 15, 15, 15], [120, 60, 30, 15, 15, 15, 15, 12, 9, 9]])
def test_intervals_hold_where_one_rater_gave_most_votes(votes_of: list[int]) -> None:
    """Counting raters by heads, they held in 63 % and 90 %."""
    assert _covers(votes_of, 0.1) >= 0.92
    assert _covers(votes_of, 0.0) >= 0.95


@given(st.integers(2, 9), st.integers(1, 5))
def test_raters_who_vote_alike_are_counted_by_heads(raters: int, votes: int) -> None:
    rater = np.repeat(np.arange(raters), votes)
    assert effective_clusters(rater, np.ones(len(rater))) == pytest.approx(raters)
    assert 1 <= effective_clusters(rater, np.where(rater == 0, 50.0, 1.0)) < raters


def test_the_bound_of_two_matrices_is_above_both_and_changes_nothing_without_need() -> None:
    rng = np.random.default_rng(1)
    a, b = (m @ m.T for m in rng.normal(size=(2, 4, 3)))
    bound = upper_bound(a, b)
    for below in (a, b):
        assert np.linalg.eigvalsh(bound - below)[0] > -1e-12
    assert upper_bound(a + b, b) is not b
    assert (upper_bound(a + b, b) == a + b).all()
