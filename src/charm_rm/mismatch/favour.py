"""Favouritism and sharpness: a reward model's own strengths against human ratings.

With θ_k the RM's Bradley-Terry strengths and ρ_k = rating_k · ln10 / 400, the line
θ_k = c + a·ρ_k + b_k is fitted by weighted least squares over policies. a is the *sharpness*: above 1 the RM
is less noisy than people, which makes it win "too often" for every strong policy without favouring any. b_k / a,
in Elo points, is the *favour* shown to policy k, free of any one reference.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import polars as pl

from ..errors import CharmWarning, NotIdentifiable, listing
from ..estimates import Z95, Estimate
from ..margins import Tally
from ..ratings import Yardstick
from ..statistics import (
    ELO_PER_LOGIT,
    FloatArray,
    IntArray,
    benjamini_hochberg,
    estimate_from_draws,
    normal_estimate,
    percentile_interval,
    sigmoid,
    two_sided_p,
)
from ..tables import Favouritism
from .strengths import fit_strengths, information, pseudo_inverse, win_components

_DRAW_CELLS = 4_000_000


# --- the RM's own strengths -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class RMStrengths:
    """``theta`` (K,), mean 0, with its (K, K) ``covariance`` over prompts and ``draws`` (draws, K) or None."""

    theta: FloatArray
    covariance: FloatArray
    draws: FloatArray | None


def rm_strengths(tally: Tally) -> RMStrengths:
    """Fit the RM's Bradley-Terry strengths to all its win rates, with a sandwich covariance over prompts.

    Where a policy wins or loses everything the maximum is at infinity: half a win and half a loss are then
    added to every pair, and a warning says so.

    Raises:
        NotIdentifiable: the pairs do not link every policy.
    """
    size = len(tally.policies)
    rate, games = tally.win_rate, tally.n
    if len(win_components(win_matrix(tally.pairs, rate * games, (1 - rate) * games, size))) > 1:
        _refuse_disconnected(tally)
        warnings.warn(
            "some policies win or lose every comparison; half a win and half a loss were added to each pair",
            CharmWarning,
            stacklevel=2,
        )
        rate, games = (rate * games + 0.5) / (games + 1), games + 1
    theta = fit_strengths(win_matrix(tally.pairs, rate * games, (1 - rate) * games, size)).theta
    return RMStrengths(theta, _sandwich(tally, games, theta), _strength_draws(tally, theta))


def win_matrix(pairs: IntArray, won: FloatArray, lost: FloatArray, size: int) -> FloatArray:
    """(..., K, K) counts from per-pair wins and losses (..., m)."""
    matrix = np.zeros((*won.shape[:-1], size, size))
    k, r = pairs.T
    matrix[..., k, r] = won
    matrix[..., r, k] = lost
    return matrix


def _sandwich(tally: Tally, games: FloatArray, theta: FloatArray) -> FloatArray:
    """H⁺ (Σ_i u_i u_iᵀ) H⁺, u_i the score contributions of prompt i, H the information."""
    played = win_matrix(tally.pairs, games, games, len(theta))
    bread = pseudo_inverse(information(played, sigmoid(theta[:, None] - theta[None, :])))
    covariance: FloatArray = bread @ tally.score_covariance @ bread
    return covariance


def _strength_draws(tally: Tally, start: FloatArray) -> FloatArray | None:
    """Refit under every draw of the win rates, a chunk of draws at a time."""
    if tally.win_rate_draws is None:
        return None
    chunk = max(1, _DRAW_CELLS // len(start) ** 2)
    parts = []
    for low in range(0, len(tally.win_rate_draws), chunk):
        rate = tally.win_rate_draws[low : low + chunk]
        wins = win_matrix(tally.pairs, rate * tally.n, (1 - rate) * tally.n, len(start))
        parts.append(fit_strengths(wins, start=start, tolerance=1e-6).theta)
    return np.concatenate(parts)


def _refuse_disconnected(tally: Tally) -> None:
    linked = win_matrix(tally.pairs, tally.n, tally.n, len(tally.policies))
    groups = win_components(linked)
    if len(groups) > 1:
        small = [tally.policies[i] for i in min(groups, key=len)]
        raise NotIdentifiable(
            f"{listing(small)} is compared with none of the other policies",
            mend="leave these policies out, or add comparisons that link them",
        )


# --- the line ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class SharpnessLine:
    """θ = intercept + slope·ρ, its WLS ``weights`` (K,) and the scatter ``tau2`` of policies about it."""

    intercept: float
    slope: float
    weights: FloatArray
    tau2: float


def fit_sharpness_line(
    rho: FloatArray, theta: FloatArray, theta_variance: FloatArray, rho_variance: FloatArray
) -> SharpnessLine:
    """Weighted least squares with weights 1 / (τ² + var θ_k + a² var ρ_k).

    τ², the variance of the policies' real favour, is the Paule-Mandel estimate of meta-regression
    (1982): without it, the best-measured policies would drag the line to themselves.
    """
    slope, tau2, intercept = 1.0, 0.0, 0.0
    weights = np.ones_like(theta)
    for _ in range(20):
        noise = np.maximum(theta_variance + slope**2 * rho_variance, 1e-12)
        tau2 = _paule_mandel(rho, theta, noise)
        weights = 1.0 / (noise + tau2)
        intercepts, slopes = weighted_line(rho, theta, weights)
        moved, slope, intercept = abs(float(slopes) - slope), float(slopes), float(intercepts)
        if moved < 1e-10:
            break
    return SharpnessLine(intercept, slope, weights, tau2)


def weighted_line(x: FloatArray, y: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Intercept and slope of weighted least squares along the last axis (leading axes: draws)."""
    share = weights / weights.sum(axis=-1, keepdims=True)
    x_mean, y_mean = (share * x).sum(axis=-1), (share * y).sum(axis=-1)
    centred = x - x_mean[..., None]
    slope = (share * centred * y).sum(axis=-1) / (share * centred**2).sum(axis=-1)
    return np.asarray(y_mean - slope * x_mean), np.asarray(slope)


def _paule_mandel(rho: FloatArray, theta: FloatArray, noise: FloatArray) -> float:
    """The τ² >= 0 at which Σ w_k b_k², w_k = 1 / (noise_k + τ²), equals its expectation K - 2.

    Their own iteration: the sum falls and is convex in τ², so Newton's steps from 0 climb to the root.
    """
    tau2 = 0.0
    for _ in range(100):
        weights = 1.0 / (noise + tau2)
        intercept, slope = weighted_line(rho, theta, weights)
        squares = (theta - intercept - slope * rho) ** 2
        excess = float((weights * squares).sum()) - (len(theta) - 2)
        if excess <= 1e-10 * len(theta):
            break
        tau2 += excess / float((weights**2 * squares).sum())
    return tau2


# --- favouritism ------------------------------------------------------------------------------------


def favouritism_table(
    tally: Tally,
    strengths: RMStrengths,
    rated: Yardstick,
    *,
    rating_draws: FloatArray | None,
    rng: np.random.Generator,
) -> Favouritism:
    """Favour of every policy and the sharpness; most favoured first.

    Standard errors are by the delta method from the covariances of θ and of the ratings and from the scatter
    about the line; intervals come from draws of prompts, ratings and (for the line) policies together. p-values
    test b = 0, which does not depend on how well the scale a is known.

    Raises:
        NotIdentifiable: fewer than three policies, equal ratings, or a sharpness that is not positive.
    """
    rho = rated.rating / ELO_PER_LOGIT
    _check_identifiable(rated)
    theta_variance = np.diag(strengths.covariance)
    line = fit_sharpness_line(rho, strengths.theta, theta_variance, rated.variance / ELO_PER_LOGIT**2)
    if line.slope <= 0:
        raise NotIdentifiable(
            f"the RM's ranking does not rise with human ratings (sharpness {line.slope:.2f}); favour has no Elo scale",
            mend="check the sign of the scores and the names; the mismatch table still holds",
        )
    residual = strengths.theta - line.intercept - line.slope * rho
    favour = residual / line.slope * ELO_PER_LOGIT
    errors = _delta_errors(line, strengths, rated, rho, residual)
    _warn_of_loose_scale(line, errors)
    std_err, slope_err = errors.favour, errors.slope
    sharpness, low, high = (
        normal_estimate(line.slope, slope_err),
        favour - Z95 * std_err,
        favour + Z95 * std_err,
    )
    if strengths.draws is not None and rating_draws is not None:
        sharpness, low, high = _drawn_intervals(line, strengths.draws, rating_draws / ELO_PER_LOGIT, rng)
    p = two_sided_p(residual, errors.residual)  # favour is 0 exactly where b is, whatever the scale a
    frame = pl.DataFrame(
        {
            "policy": list(tally.policies),
            "rm_elo": float(rated.rating.mean()) + ELO_PER_LOGIT * strengths.theta,
            "arena_elo": rated.rating,
            "favour": favour,
            "std_err": std_err,
            "ci_low": low,
            "ci_high": high,
            "p_value": p,
            "q_value": benjamini_hochberg(p),
        }
    )
    return Favouritism(frame.sort("favour", descending=True), sharpness=sharpness)


def _check_identifiable(rated: Yardstick) -> None:
    if len(rated.policies) < 3 or np.ptp(rated.rating) == 0:
        raise NotIdentifiable(
            f"favouritism needs three or more policies with different ratings, found {len(rated.policies)}",
            mend="audit more policies; the mismatch of single pairs needs no line",
        )


@dataclass(frozen=True, eq=False)
class _Errors:
    """Standard errors: of b (log-odds), of the favour (Elo points), of the slope."""

    residual: FloatArray
    favour: FloatArray
    slope: float


def _warn_of_loose_scale(line: SharpnessLine, errors: _Errors) -> None:
    if errors.slope > line.slope / 3:
        warnings.warn(
            f"the sharpness is loosely known ({line.slope:.2f} ± {errors.slope:.2f}), and with it the Elo scale of the "
            "favour: its intervals are wide; signs and q-values do not depend on the scale",
            CharmWarning,
            stacklevel=2,
        )


def _delta_errors(
    line: SharpnessLine, strengths: RMStrengths, rated: Yardstick, rho: FloatArray, residual: FloatArray
) -> _Errors:
    """Standard errors of the favour and of the slope.

    With A = (XᵀWX)⁻¹XᵀW, H = XA and V = cov θ + a² cov ρ: var b = (I-H) V (I-H)ᵀ + τ² H Hᵀ, var slope =
    [A (V + τ² I) Aᵀ]₁₁, and b/a adds (b/a²)² var slope. The covariance of b and a is left out: with the right
    weights residuals and coefficients are uncorrelated.
    """
    x = np.stack([np.ones_like(rho), rho], axis=1)
    weighted = x.T * line.weights
    a = np.linalg.solve(weighted @ x, weighted)
    hat = x @ a
    noise = strengths.covariance + line.slope**2 * rated.full_covariance / ELO_PER_LOGIT**2
    rest = np.eye(len(rho)) - hat
    b_variance = np.diag(rest @ noise @ rest.T + line.tau2 * hat @ hat.T)
    slope_variance = float((a @ (noise + line.tau2 * np.eye(len(rho))) @ a.T)[1, 1])
    variance = b_variance / line.slope**2 + (residual / line.slope**2) ** 2 * slope_variance
    return _Errors(np.sqrt(b_variance), ELO_PER_LOGIT * np.sqrt(variance), float(np.sqrt(slope_variance)))


def _drawn_intervals(
    line: SharpnessLine, theta: FloatArray, rho: FloatArray, rng: np.random.Generator
) -> tuple[Estimate, FloatArray, FloatArray]:
    """Refit the line under every draw, policies weighted by a Bayesian bootstrap of their own."""
    weights = line.weights * rng.standard_exponential(theta.shape)
    intercept, slope = weighted_line(rho, theta, weights)
    favour = ((theta - intercept[:, None]) / slope[:, None] - rho) * ELO_PER_LOGIT
    low, high = percentile_interval(favour)
    return estimate_from_draws(line.slope, slope), low, high
