"""Draws of what each feature explains, and of what stays unexplained: over weights, prompts, ratings and other policies."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..mismatch.held import derivatives
from ..ratings import Yardstick
from ..statistics import ELO_PER_LOGIT, FloatArray
from .attribution import Taken, favour_by_theta
from .weighing import Weighed


@dataclass(frozen=True, eq=False)
class Drawn:
    """(draws, k, d) Elo points that each feature explains of each policy explained, and (draws, k) that nothing explains."""

    explained: FloatArray
    unexplained: FloatArray


def draw_parts(
    taken: Taken, weighed: Weighed, rated: Yardstick, *, sample: bool, rng: np.random.Generator
) -> Drawn:
    """Move everything at once, to first order, and the weights as they were drawn.

    A draw weighs the prompts anew (exponential weights v_i, mean 1): favour moves by Σ_i (v_i - 1) D U_i, U_i what prompt i adds to the strengths, and parts are
    sums with v. Ratings move by their errors. For a sample of policies the line and the mean style that a policy is held against are those of the others, whose own favours, explained and
    unexplained, scatter: each other policy l moves the line by D_kl z_l r_l with standard normal z_l, r_l its residual (the wild bootstrap).
    """
    k = np.flatnonzero(weighed.explains)
    draws, (_, n, d) = len(weighed.drawn), taken.parts.shape
    v = rng.standard_exponential((draws, n))
    v /= v.mean(axis=1, keepdims=True)
    units = taken.parts[k].transpose(1, 0, 2).reshape(n, -1)
    explained = -weighed.drawn[:, None, :] * (v @ units).reshape(draws, len(k), d)
    favour = taken.before.favours.favour[k] + _by_prompts_and_ratings(taken, v, rated, rng)[:, k]
    if sample:
        z = rng.standard_normal((draws, len(weighed.explains)))
        explained += _by_others(taken.operator.by_theta, taken, z, taken.explained)[:, k]
        favour += _by_others(
            favour_by_theta(taken.before.measured), taken, z, taken.before.favours.favour[:, None]
        )[:, k, 0]
    return Drawn(explained, favour - explained.sum(axis=2))


def _by_prompts_and_ratings(
    taken: Taken, v: FloatArray, rated: Yardstick, rng: np.random.Generator
) -> FloatArray:
    """(draws, K) by how much favour moves."""
    found = derivatives(taken.before.measured)
    by_theta = favour_by_theta(taken.before.measured)
    ratings = (rated.draw(len(v), rng) - rated.rating) / ELO_PER_LOGIT
    moved = ratings @ np.nan_to_num(found.favour_by_rho).T
    by_prompt = taken.before.strengths.by_prompt
    return np.asarray(moved if by_prompt is None else moved + ((v - 1) @ by_prompt.T) @ by_theta.T)


def _by_others(by_theta: FloatArray, taken: Taken, z: FloatArray, favour: FloatArray) -> FloatArray:
    """(draws, K, d) Σ_{l≠k} D_kl z_l r_l, with r_l the ``favour`` (K, d) of policy l in log-odds of strength."""
    slope = float(taken.before.measured.line.slope)
    residual = slope * favour / ELO_PER_LOGIT
    others = by_theta - np.diag(np.diag(by_theta))
    return np.asarray(np.einsum("kl,sl,ld->skd", others, z, residual, optimize=True))
