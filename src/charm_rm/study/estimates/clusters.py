"""How sure a figure is when its votes share prompts and raters: covariances clustered both ways.

Votes on one prompt go together, and so do votes of one rater: a prompt may be hard, a rater may like long answers. A figure is a mean of
influences, one per vote, and its covariance adds up what prompts share and what raters share (Cameron, Gelbach and Miller 2011).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...statistics import FloatArray, IntArray

BoolArray = NDArray[np.bool_]
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
    effective_raters: float

    @property
    def rater_known(self) -> bool:
        """Whether the covariance holds for raters like these: False where there was one, of whom alone it then speaks."""
        return self.n_raters > 1

    def along(self, direction: ArrayLike) -> tuple[float, float]:
        """Variance of the combination with weights ``direction`` (p,), and its degrees of freedom.

        Of one combination alone it is max(P + R − PR, P, R), the parts taken along d: at most d'Vd, which holds for all at once.
        """
        d = np.asarray(direction, dtype=np.float64)
        parts = (float(d @ part @ d) for part in (self.by_prompt, self.by_rater, self.by_both))
        return _along(*parts, prompts=self.n_prompts, raters=self.effective_raters)

    def combined(self, directions: FloatArray) -> Clustered2:
        """Of the combinations with weights ``directions`` (m, p): what the sums of their own influences would give."""
        parts = (directions @ part @ directions.T for part in (self.by_prompt, self.by_rater, self.by_both))
        return _put_together(
            *parts, n_prompts=self.n_prompts, n_raters=self.n_raters, raters=self.effective_raters
        )

    @property
    def std_err(self) -> FloatArray:
        """(p,) of each figure by itself."""
        return np.array([self.along(d)[0] for d in np.eye(len(self.by_prompt))]) ** 0.5


def two_way_covariance(
    influence: FloatArray,
    prompt: IntArray,
    rater: IntArray,
    *,
    telling: BoolArray | None = None,
    weight: FloatArray | None = None,
) -> Clustered2:
    """V = c_P Σ_p u_p u_p' + c_R Σ_r u_r u_r' − c_PR Σ_pr u_pr u_pr', u_g the sum of the influences of a cluster, c = G/(G−1).

    Args:
        influence: (n, p) or (n,), what each row adds to the figure less its expectation: their sum has the figure's variance.
        prompt: (n,) whole numbers, equal where two rows share a prompt.
        rater: (n,) likewise; −1 for a row that no rater made, which goes by its prompt alone.
        telling: (n,) which rows the figure is estimated from, by default all votes. Prompts and raters are counted on these, for G and for
            degrees of freedom: what else adds to the influences, such as models' verdicts on other prompts, makes no figure surer.
        weight: (n,) what a vote weighs, by default all alike. Raters are counted by it (:func:`effective_clusters`): five of whom one gave
            four votes in five are little more than one, and an interval that takes them for five holds its value far too rarely.

    V is raised, where chance makes it so, to no less than either one-way part in every direction: fewer clusters never make a figure surer.
    One rater alone: by prompt only. One prompt alone: by rater only.
    """
    u = np.asarray(influence, dtype=np.float64)
    u = u[:, None] if u.ndim == 1 else u
    voted = rater != NOBODY
    telling = voted if telling is None else telling & voted
    cell = _cells(prompt, rater)
    n_prompts, n_raters, n_cells = (
        len(np.unique(x[telling if telling.any() else slice(None)])) for x in (prompt, rater, cell)
    )
    weight = np.ones(len(u)) if weight is None else np.asarray(weight, dtype=np.float64)
    counting = telling if telling.any() else voted
    raters = effective_clusters(rater[counting], weight[counting]) if n_raters > 1 else float(n_raters)
    by_prompt = _by_cluster(u, prompt, n_prompts)
    by_rater = _by_cluster(u[voted], rater[voted], raters)
    by_both = _by_cluster(u[voted], cell[voted], n_cells)
    return _put_together(by_prompt, by_rater, by_both, n_prompts=n_prompts, n_raters=n_raters, raters=raters)


def _put_together(
    by_prompt: FloatArray,
    by_rater: FloatArray,
    by_both: FloatArray,
    *,
    n_prompts: int,
    n_raters: int,
    raters: float,
) -> Clustered2:
    if n_prompts < 2 and n_raters < 2:
        covariance = np.full(by_prompt.shape, np.nan)
    elif n_raters < 2:
        covariance = by_prompt
    elif n_prompts < 2:
        covariance = by_rater
    else:
        covariance = upper_bound(upper_bound(by_prompt + by_rater - by_both, by_prompt), by_rater)
    variances = zip(*(np.diag(part) for part in (by_prompt, by_rater, by_both)), strict=True)
    freedom = [_along(*parts, prompts=n_prompts, raters=raters)[1] for parts in variances]
    return Clustered2(covariance, min(freedom), n_prompts, n_raters, by_prompt, by_rater, by_both, raters)


def effective_number(weight: FloatArray) -> float:
    """(Σ w)² / Σ w²: so many things of equal weight are as good (Kish 1965); 0 of none."""
    squares = float((weight**2).sum())
    return float(weight.sum()) ** 2 / squares if squares > 0 else 0.0


def effective_clusters(cluster: IntArray, weight: FloatArray) -> float:
    """:func:`effective_number` of clusters, each of the weight of its rows.

    With G of these, c = G/(G−1) makes up exactly for the mean that is taken off where votes have nothing in common but it.
    """
    _, code = np.unique(cluster, return_inverse=True)
    return effective_number(np.bincount(code.ravel(), weight).astype(np.float64))


def degrees_of_freedom(
    variance: float, by_prompt: float, by_rater: float, *, prompts: float, raters: float
) -> float:
    """V² / (V_P² / (G_P − 1) + V_R² / (G_R − 1)), after Satterthwaite (1946): both parts are estimates, one of few raters a rough one.

    G_R are raters in effect (:func:`effective_clusters`), and G_R − 1 is taken to be 1 at least: two raters differ in one way.

    Simulated (docs/method.md), the interval covers with 3 raters, too; with V − V_P in place of V_R it would not, for chance often hides
    what few raters add.
    """
    raters = max(raters, 2.0)
    if max(by_prompt, by_rater) <= 0:
        return float(min(prompts, raters) - 1)
    of_prompts, of_raters = by_prompt / variance, by_rater / variance
    return 1 / (of_prompts**2 / (prompts - 1) + of_raters**2 / (raters - 1))


def _along(
    by_prompt: float, by_rater: float, by_both: float, *, prompts: int, raters: float
) -> tuple[float, float]:
    """Variance and degrees of freedom of one figure, of its three parts."""
    if prompts < 2 and raters <= 1:
        return np.nan, 0.0
    if raters <= 1:
        return by_prompt, prompts - 1.0
    if prompts < 2:
        return by_rater, max(raters - 1.0, 1.0)
    variance = max(by_prompt + by_rater - by_both, by_prompt, by_rater)
    return variance, degrees_of_freedom(variance, by_prompt, by_rater, prompts=prompts, raters=raters)


def upper_bound(one: FloatArray, other: FloatArray) -> FloatArray:
    """A + (B − A)₊, ₊ keeping the positive eigenvalues: at least A and at least B in every direction; A itself where it is so already."""
    gap = (other - one + (other - one).T) / 2
    values, vectors = np.linalg.eigh(gap)
    if values[-1] <= 0:
        return one
    raised: FloatArray = one + (vectors * np.maximum(values, 0.0)) @ vectors.T
    return raised


def _by_cluster(u: FloatArray, cluster: IntArray, clusters: float) -> FloatArray:
    """G/(G−1) Σ_g u_g u_g' with G = ``clusters``; zeros where it is 1."""
    if clusters <= 1:
        return np.zeros((u.shape[1], u.shape[1]))
    codes, index = np.unique(cluster, return_inverse=True)
    sums = np.column_stack([np.bincount(index.ravel(), column, len(codes)) for column in u.T])
    return np.asarray(sums.T @ sums * (clusters / (clusters - 1)), dtype=np.float64)


def _cells(prompt: IntArray, rater: IntArray) -> IntArray:
    """One code per prompt and rater."""
    _, p = np.unique(prompt, return_inverse=True)
    _, r = np.unique(rater, return_inverse=True)
    cells: IntArray = p.ravel().astype(np.int64) * (int(r.max(initial=0)) + 1) + r.ravel()
    return cells
