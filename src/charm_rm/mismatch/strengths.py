"""A reward model's own Bradley-Terry strengths: dense K x K wins, a thousand bootstrap draws at once.

P(k beats l) = sigmoid(θ_k - θ_l). The log-likelihood is concave and its sufficient statistics are the total
wins of each policy, so Newton's method on the counts is exact. (Human battles, with covariates, anchors and
priors, are fitted in :mod:`charm_rm.ratings`; here every pair has been compared and draws come in batches.)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..errors import CharmWarning, NotConverged, NotIdentifiable, listing
from ..margins import Tally
from ..statistics import FloatArray, IntArray, sigmoid

FEWEST_PROMPTS = 30  # shared with some other policy; the sandwich's errors are too small on fewer
_MAX_STEP = 3.0  # in log-odds; keeps the first steps of lopsided counts inside the region of fast convergence


@dataclass(frozen=True, eq=False)
class Strengths:
    """``theta`` (..., K), mean 0, natural log-odds; and how the solver got there."""

    theta: FloatArray
    iterations: int
    residual: float


def fit_strengths(
    wins: FloatArray,
    *,
    start: FloatArray | None = None,
    tolerance: float = 1e-10,
    max_iterations: int = 200,
) -> Strengths:
    """Maximum-likelihood strengths from ``wins`` (..., K, K); ``wins[k, l]`` counts wins of k over l.

    Counts may be fractional (a tie is half a win to each side) and leading axes are fitted at once. Where the
    maximum is not unique or not finite (see :func:`win_components`) this does not converge.

    Raises:
        NotConverged: after ``max_iterations``; ``tolerance`` is on wins minus expected wins, per game.
    """
    k, r = np.nonzero(np.triu(_met(wins), k=1))  # a star of K - 1 pairs should not cost K² of them
    won, games = wins[..., k, r], wins[..., k, r] + wins[..., r, k]
    sides = np.zeros((len(k), wins.shape[-1]))
    sides[np.arange(len(k)), k], sides[np.arange(len(k)), r] = 1.0, -1.0
    size = np.maximum(games @ np.abs(sides), 1e-300)
    theta = np.zeros(size.shape) if start is None else np.broadcast_to(start, size.shape).copy()
    if len(k) == wins.shape[-1] - 1:
        theta = _tree_strengths(won, games, sides)
    residual = np.inf
    for iteration in range(max_iterations + 1):
        p = sigmoid(theta[..., k] - theta[..., r])
        gradient = (won - games * p) @ sides
        residual = float(np.max(np.abs(gradient) / size))
        if residual <= tolerance:
            return Strengths(theta - theta.mean(axis=-1, keepdims=True), iteration, residual)
        curvature = np.zeros(wins.shape)
        curvature[..., k, r] = curvature[..., r, k] = games * p * (1 - p)
        step = solve_laplacian(laplacian(curvature), gradient)
        largest = np.max(np.abs(step), axis=-1, keepdims=True)
        theta = theta + step * np.minimum(1.0, _MAX_STEP / np.maximum(largest, 1e-300))
    raise NotConverged(
        f"Bradley-Terry: wins still differ from expected wins by {residual:.1e} per game after {max_iterations} steps",
        fix="a policy may have won or lost everything: leave its scores out",
    )


def _tree_strengths(won: FloatArray, games: FloatArray, sides: FloatArray) -> FloatArray:
    """θ with θ_k - θ_l = logit(won_kl / games_kl) for each of K - 1 pairs that link K policies.

    A tree (all against one baseline, say) has as many pairs as strengths: the maximum meets every win rate, so
    Newton's steps have nothing left to do. A pair won or lost always has no finite difference; it starts at a large one.
    """
    rate = np.clip(won / np.maximum(games, 1e-300), 1e-6, 1 - 1e-6)
    theta: FloatArray = np.log(rate / (1 - rate)) @ np.linalg.pinv(sides).T
    return theta


@dataclass(frozen=True, eq=False)
class RMStrengths:
    """``theta`` (K,), mean 0, with its (K, K) ``covariance`` over prompts.

    ``by_prompt`` is what it is made of, (K, n_prompts): by how much each prompt moves each strength, to first order. ``tested`` (K,)
    is False where the errors say nothing: on fewer than :data:`FEWEST_PROMPTS` prompts, and where the maximum is at infinity.
    """

    theta: FloatArray
    covariance: FloatArray
    tested: NDArray[np.bool_]
    by_prompt: FloatArray | None = None


def rm_strengths(tally: Tally) -> RMStrengths:
    """Fit the RM's Bradley-Terry strengths to all its win rates, with a sandwich covariance over prompts.

    Where a policy wins or loses everything the maximum is at infinity: half a win and half a loss are then
    added to every pair, and a warning says so; such strengths order the policies, and no favour is tested on them.

    Raises:
        NotIdentifiable: the pairs do not link every policy.
    """
    size = len(tally.policies)
    rate, games = tally.win_rate, tally.n
    finite = len(win_components(win_matrix(tally.pairs, rate * games, (1 - rate) * games, size))) == 1
    if not finite:
        _refuse_disconnected(tally)
        warnings.warn(
            "some policies win or lose every comparison; half a win and half a loss were added to each pair",
            CharmWarning,
            stacklevel=2,
        )
        rate, games = (rate * games + 0.5) / (games + 1), games + 1
    theta = fit_strengths(win_matrix(tally.pairs, rate * games, (1 - rate) * games, size)).theta
    bread = _bread(tally, games, theta)
    by_prompt = None if tally.prompt_scores is None else bread @ tally.prompt_scores
    tested = finite & (_most_prompts(tally) >= FEWEST_PROMPTS)
    return RMStrengths(theta, bread @ tally.score_covariance @ bread, tested, by_prompt)


def _most_prompts(tally: Tally) -> FloatArray:
    """(K,) how many prompts each policy shares with the one it shares most with."""
    most = np.zeros(len(tally.policies))
    np.maximum.at(most, tally.pairs, tally.n[:, None])
    return most


def win_matrix(pairs: IntArray, won: FloatArray, lost: FloatArray, size: int) -> FloatArray:
    """(..., K, K) counts from per-pair wins and losses (..., m)."""
    matrix = np.zeros((*won.shape[:-1], size, size))
    k, r = pairs.T
    matrix[..., k, r] = won
    matrix[..., r, k] = lost
    return matrix


def _bread(tally: Tally, games: FloatArray, theta: FloatArray) -> FloatArray:
    """H⁺ of the sandwich H⁺ (Σ_i u_i u_iᵀ) H⁺, u_i the score contributions of prompt i, H the information."""
    played = win_matrix(tally.pairs, games, games, len(theta))
    return pseudo_inverse(information(played, sigmoid(theta[:, None] - theta[None, :])))


def _refuse_disconnected(tally: Tally) -> None:
    linked = win_matrix(tally.pairs, tally.n, tally.n, len(tally.policies))
    groups = win_components(linked)
    if len(groups) > 1:
        small = [tally.policies[i] for i in min(groups, key=len)]
        raise NotIdentifiable(
            f"{listing(small)} is compared with none of the other policies",
            fix="leave these policies out, or add comparisons that link them",
        )


def information(games: FloatArray, p: FloatArray) -> FloatArray:
    """Negative Hessian of the log-likelihood: the Laplacian with weights n_kl p_kl (1 - p_kl)."""
    return laplacian(games * p * (1 - p))


def laplacian(weights: FloatArray) -> FloatArray:
    """Row sums on the diagonal less the symmetric ``weights`` (..., K, K)."""
    matrix = -weights
    k = np.arange(weights.shape[-1])
    matrix[..., k, k] += weights.sum(axis=-1)
    return matrix


def solve_laplacian(matrix: FloatArray, right: FloatArray) -> FloatArray:
    """Solve L x = right for the mean-0 x; ``right`` sums to 0."""
    return np.asarray(np.linalg.solve(_grounded(matrix), right[..., None])[..., 0], dtype=np.float64)


def pseudo_inverse(matrix: FloatArray) -> FloatArray:
    """Pseudo-inverse of a connected Laplacian: the covariance of mean-0 strengths under the model."""
    k = matrix.shape[-1]
    inverse: FloatArray = np.linalg.inv(_grounded(matrix)) - 1.0 / (k * _scale(matrix))
    return inverse


def win_components(wins: FloatArray) -> list[list[int]]:
    """Groups within which everyone is linked by a chain of wins both ways; one group: the MLE is finite."""
    reach = (wins > 0) | np.eye(len(wins), dtype=bool)
    for _ in range(int(np.ceil(np.log2(len(wins)))) + 1):  # each squaring doubles the length of the chains
        reach = (reach.astype(np.float32) @ reach.astype(np.float32)) > 0
    _, labels = np.unique(reach & reach.T, axis=0, return_inverse=True)
    return [np.flatnonzero(labels == c).tolist() for c in np.unique(labels)]


def _met(wins: FloatArray) -> NDArray[np.bool_]:
    """(K, K): who was compared with whom in any of the fits."""
    won = (wins > 0).reshape(-1, *wins.shape[-2:]).any(axis=0)
    return np.asarray(won | won.T)


def _grounded(matrix: FloatArray) -> FloatArray:
    """Add s·11ᵀ/K: the constant direction, L's null space, gets eigenvalue s and the rest is untouched."""
    grounded: FloatArray = matrix + _scale(matrix) / matrix.shape[-1]
    return grounded


def _scale(matrix: FloatArray) -> FloatArray:
    trace = np.trace(matrix, axis1=-2, axis2=-1) / matrix.shape[-1]
    return np.asarray(np.maximum(trace, 1e-300))[..., None, None]
