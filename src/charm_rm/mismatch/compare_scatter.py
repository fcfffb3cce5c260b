"""What the favours of all other policies do to a difference of favours, through the lines of both models."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ..statistics import FloatArray
from .held import Held, lines_without_each


def line_scatter(
    one: Held, other: Held, favour_by_theta: FloatArray, other_by_theta: FloatArray
) -> FloatArray:
    """(K,) variance that the real scatter b, b' of the other policies about both lines adds to f_k - f'_k, in Elo points squared.

    Σ_{l≠k} (D_kl, -D'_kl) T_k (D_kl, -D'_kl)ᵀ, D and D' being the derivatives of the favours by strengths and T_k the 2 × 2 covariance of (b, b')
    over the policies but k. Favours that both models show alike cancel where both show k the same favour; where they do not, they tilt both
    Elo scales, and the difference with them.
    """
    size = len(one.policies)
    others = ~np.eye(size, dtype=bool)
    if size <= 3:
        return np.zeros(size)  # a line through two others has no scatter to judge by
    covariance = _scatter_covariance(one, other, others)
    moved = np.stack([np.where(others, favour_by_theta, 0.0), -np.where(others, other_by_theta, 0.0)])
    moved = np.nan_to_num(moved)
    return np.asarray(np.maximum(np.einsum("ikl,kij,jkl->k", moved, covariance, moved), 0.0))


def _scatter_covariance(one: Held, other: Held, others: NDArray[np.bool_]) -> FloatArray:
    """(K, 2, 2) T_k = Σ_{l≠k} r_l r_lᵀ / (K - 3) - mean noise of r_l, r_l the residuals of l about both lines without k, made positive."""
    size = len(others)
    residual, slope = [], []
    for held in (one, other):
        lines, m = lines_without_each(held.measured), held.measured
        residual.append(m.theta - lines.intercept[:, None] - lines.slope[:, None] * m.rho)
        slope.append(float(m.line.slope))
    r = np.nan_to_num(np.where(others, np.stack(residual), 0.0))
    squares = np.einsum("ikl,jkl->kij", r, r) / (size - 3)
    parts = np.stack([one.by_prompt, other.by_prompt])
    noise = np.einsum("iln,jln->lij", parts, parts)
    noise = noise + np.multiply.outer(one.measured.rho_noise, np.outer(slope, slope))
    expected = (noise.sum(axis=0) - noise) / (size - 1)
    values, vectors = np.linalg.eigh(squares - expected)
    return np.asarray(np.einsum("kij,kj,klj->kil", vectors, np.maximum(values, 0.0), vectors))
