"""Dense Bradley-Terry fits: parity with Zermelo's iteration and choix, derivatives by differences."""

from __future__ import annotations

import choix
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import special

from charm_rm.errors import NotConverged
from charm_rm.mismatch import strengths as s
from reference import slow_audit

wins_matrix = st.integers(2, 6).flatmap(
    lambda k: arrays(np.float64, (k, k), elements=st.integers(1, 20).map(float)).map(
        lambda w: w - np.diag(np.diag(w))
    )
)


def log_likelihood(theta: np.ndarray, wins: np.ndarray) -> float:
    return float((wins * special.log_expit(theta[:, None] - theta[None, :])).sum())


@given(wins_matrix)
@settings(max_examples=25)
def test_strengths_are_zermelos(wins: np.ndarray) -> None:
    fitted = s.fit_strengths(wins)
    np.testing.assert_allclose(fitted.theta, slow_audit.bradley_terry(wins.tolist(), rounds=3000), atol=1e-6)
    assert fitted.residual <= 1e-10


@given(wins_matrix)
@settings(max_examples=25)
def test_strengths_are_choixs(wins: np.ndarray) -> None:
    battles = [(k, r) for k, row in enumerate(wins) for r, n in enumerate(row) for _ in range(int(n))]
    theirs = choix.opt_pairwise(len(wins), battles, tol=1e-12)
    np.testing.assert_allclose(s.fit_strengths(wins).theta, theirs - theirs.mean(), atol=1e-5)


tree_wins = st.integers(2, 7).flatmap(
    lambda k: st.tuples(
        st.tuples(*(st.integers(0, child - 1) for child in range(1, k))),
        arrays(np.float64, (3, k - 1, 2), elements=st.floats(0.5, 500)),
    )
)


@given(tree_wins)
@settings(max_examples=50)
def test_a_tree_of_pairs_meets_every_win_rate_at_once(drawn: tuple[tuple[int, ...], np.ndarray]) -> None:
    parents, counts = drawn
    wins = np.zeros((3, len(parents) + 1, len(parents) + 1))
    for child, parent in enumerate(parents, start=1):
        wins[:, child, parent], wins[:, parent, child] = counts[:, child - 1].T
    found = s.fit_strengths(wins)
    assert found.iterations == 0
    for child, parent in enumerate(parents, start=1):
        won, lost = counts[:, child - 1].T
        np.testing.assert_allclose(
            found.theta[:, child] - found.theta[:, parent], np.log(won / lost), atol=1e-8
        )
    for one, theta in zip(wins, found.theta, strict=True):
        # The same games and a pair more, of no weight: no tree, so Newton's own way to the same place.
        if len(parents) > 1:
            missing = next(
                (k, r) for k in range(1, len(one)) for r in range(k) if not one[k, r] and parents[k - 1] != r
            )
            one[missing] = one[missing[::-1]] = 1e-12
            np.testing.assert_allclose(s.fit_strengths(one).theta, theta, atol=1e-6)


@given(wins_matrix)
@settings(max_examples=25)
def test_information_is_minus_the_second_derivative(wins: np.ndarray) -> None:
    theta = np.linspace(-0.5, 0.5, len(wins))
    p = special.expit(theta[:, None] - theta[None, :])
    step = 1e-4
    numeric = np.empty_like(wins)
    eye = np.eye(len(wins)) * step
    for i in range(len(wins)):
        for j in range(len(wins)):
            corners = [(a * eye[i] + b * eye[j], a * b) for a in (1, -1) for b in (1, -1)]
            numeric[i, j] = sum(sign * log_likelihood(theta + move, wins) for move, sign in corners) / (
                4 * step**2
            )
    np.testing.assert_allclose(s.information(wins + wins.T, p), -numeric, atol=1e-3)


def test_many_fits_at_once_are_the_single_fits() -> None:
    wins = np.random.default_rng(0).integers(1, 30, (5, 4, 4)).astype(float)
    wins[:, range(4), range(4)] = 0
    together = s.fit_strengths(wins).theta
    np.testing.assert_allclose(together, [s.fit_strengths(w).theta for w in wins], atol=1e-9)


def test_a_star_of_pairs_gives_the_logit() -> None:
    wins = np.array([[0.0, 8.0, 3.0], [2.0, 0.0, 0.0], [7.0, 0.0, 0.0]])
    theta = s.fit_strengths(wins).theta
    np.testing.assert_allclose(theta[0] - theta[1:], special.logit([0.8, 0.3]))


def test_lopsided_counts_converge() -> None:
    wins = np.array([[0, 1e6, 1.0], [1.0, 0, 1e6], [1.0, 1.0, 0]])
    assert s.fit_strengths(wins).residual <= 1e-10


def test_an_undefeated_policy_does_not_converge_to_a_huge_number() -> None:
    wins = np.array([[0.0, 5.0], [0.0, 0.0]])
    assert s.win_components(wins) == [[1], [0]] or len(s.win_components(wins)) == 2
    with pytest.raises(NotConverged, match="leave its scores out"):
        s.fit_strengths(wins, max_iterations=5, tolerance=1e-12)


def test_pseudo_inverse_is_numpys() -> None:
    wins = np.random.default_rng(0).integers(1, 30, (5, 5)).astype(float)
    np.fill_diagonal(wins, 0)
    laplacian = s.information(wins + wins.T, np.full((5, 5), 0.5))
    np.testing.assert_allclose(s.pseudo_inverse(laplacian), np.linalg.pinv(laplacian), atol=1e-12)
