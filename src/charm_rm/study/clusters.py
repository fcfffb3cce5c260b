"""How sure a figure is when its votes share prompts and raters: covariances clustered both ways.

Votes on one prompt go together, and so do votes of one rater: a prompt may be hard, a rater may like long answers. A figure is a mean of
influences, one per vote, and its covariance adds up what prompts share and what raters share (Cameron, Gelbach and Miller 2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..mismatch.student import student_quantile
from ..statistics import FloatArray, IntArray

NOBODY = -1  # the code of a row that is no vote: a candidate of which only the model's verdict is known
FEW_RATERS = 5  # with fewer, the variance between raters is little more than a guess


@dataclass(frozen=True, eq=False)
class Clustered2:
    """The covariance (p, p) of a sum of influences, and the degrees of freedom of Student's t that go with it.

    ``df`` is that of the entry that is known least well; :meth:`along` gives variance and degrees of freedom of one combination.
    ``by_prompt``, ``by_rater`` and ``by_both`` are the parts; a part that one cluster alone would carry is 0. NaN and 0 degrees of freedom
    where there is neither a second prompt nor a second rater.
    """

    covariance: FloatArray
    df: float
    n_prompts: int
    n_raters: int
    by_prompt: FloatArray
    by_rater: FloatArray
    by_both: FloatArray

    @property
    def rater_known(self) -> bool:
        """Whether the covariance holds for raters like these: False where there was one, of whom alone it then speaks."""
        return self.n_raters > 1

    def along(self, direction: ArrayLike) -> tuple[float, float]:
        """Variance d'Vd of the combination with weights ``direction`` (p,), and its degrees of freedom."""
        d = np.asarray(direction, dtype=np.float64)
        parts = (float(d @ part @ d) for part in (self.by_prompt, self.by_rater, self.by_both))
        return float(d @ self.covariance @ d), degrees_of_freedom(
            *parts, prompts=self.n_prompts, raters=self.n_raters
        )

    def half_width(self, direction: ArrayLike, *, level: float = 0.95) -> float:
        """t · √(d'Vd): half the width of the interval of one combination; infinite where there are no degrees of freedom."""
        variance, df = self.along(direction)
        quantile = float(student_quantile(df, tail=1 - level))
        return quantile * variance**0.5 if np.isfinite(quantile) else np.inf


def two_way_covariance(influence: FloatArray, prompt: IntArray, rater: IntArray) -> Clustered2:
    """V = c_P Σ_p u_p u_p' + c_R Σ_r u_r u_r' − c_PR Σ_pr u_pr u_pr', u_g the sum of the influences of a cluster, c = G/(G−1).

    Args:
        influence: (n, p) or (n,), what each row adds to the figure less its expectation: their sum has the figure's variance.
        prompt: (n,) whole numbers, equal where two rows share a prompt.
        rater: (n,) likewise; −1 for a row that no rater made, which goes by its prompt alone.

    V is raised, where chance makes it so, to no less than either one-way part in every direction: fewer clusters never make a figure surer.
    One rater alone: by prompt only. One prompt alone: by rater only.
    """
    u = np.asarray(influence, dtype=np.float64)
    u = u[:, None] if u.ndim == 1 else u
    voted = rater != NOBODY
    n_prompts, n_raters = len(np.unique(prompt)), len(np.unique(rater[voted]))
    by_prompt = _by_cluster(u, prompt)
    by_rater = _by_cluster(u[voted], rater[voted])
    by_both = _by_cluster(u[voted], _cells(prompt[voted], rater[voted]))
    if n_prompts < 2 and n_raters < 2:
        covariance = np.full(by_prompt.shape, np.nan)
    elif n_raters < 2:
        covariance = by_prompt
    elif n_prompts < 2:
        covariance = by_rater
    else:
        covariance = upper_bound(upper_bound(by_prompt + by_rater - by_both, by_prompt), by_rater)
    variances = zip(*(np.diag(part) for part in (by_prompt, by_rater, by_both)), strict=True)
    freedom = [degrees_of_freedom(*parts, prompts=n_prompts, raters=n_raters) for parts in variances]
    return Clustered2(covariance, min(freedom), n_prompts, n_raters, by_prompt, by_rater, by_both)


def degrees_of_freedom(
    by_prompt: float, by_rater: float, by_both: float, *, prompts: int, raters: int
) -> float:
    """V² / (V_P² / (G_P − 1) + B² / (G_R − 1)), B = V − V_P being what raters add: after Satterthwaite (1946).

    G_P − 1 where raters add nothing, G_R − 1 where they are all there is.
    """
    if prompts < 2 or raters < 2:
        return float(max(prompts, raters) - 1)
    total = max(by_prompt + by_rater - by_both, by_prompt, by_rater)
    if total <= 0:
        return float(min(prompts, raters) - 1)
    added = total - by_prompt
    return total**2 / (by_prompt**2 / (prompts - 1) + added**2 / (raters - 1))


def upper_bound(one: FloatArray, other: FloatArray) -> FloatArray:
    """A + (B − A)₊, ₊ keeping the positive eigenvalues: at least A and at least B in every direction; A itself where it is so already."""
    gap = (other - one + (other - one).T) / 2
    values, vectors = np.linalg.eigh(gap)
    if values[-1] <= 0:
        return one
    raised: FloatArray = one + (vectors * np.maximum(values, 0.0)) @ vectors.T
    return raised


def _by_cluster(u: FloatArray, cluster: IntArray) -> FloatArray:
    """G/(G−1) Σ_g u_g u_g'; zeros where there are fewer than two clusters."""
    codes, index = np.unique(cluster, return_inverse=True)
    if len(codes) < 2:
        return np.zeros((u.shape[1], u.shape[1]))
    sums = np.zeros((len(codes), u.shape[1]))
    np.add.at(sums, index.ravel(), u)
    filling: FloatArray = sums.T @ sums * len(codes) / (len(codes) - 1)
    return filling


def _cells(prompt: IntArray, rater: IntArray) -> IntArray:
    """One code per prompt and rater."""
    _, p = np.unique(prompt, return_inverse=True)
    _, r = np.unique(rater, return_inverse=True)
    cells: IntArray = p.ravel().astype(np.int64) * (int(r.max(initial=0)) + 1) + r.ravel()
    return cells
