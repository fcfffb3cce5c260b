"""Few votes made to go far: estimates that join people's votes with what models say of every candidate.

Prediction-powered inference (Angelopoulos et al. 2023), with a tuned coefficient (PPI++, Angelopoulos, Duchi and Zrnic 2023), is the difference
estimator of survey sampling: the mean of a prediction over all candidates, put right by the mean error on those that were voted on,

    θ(λ) = λ · mean_all(f) + Σ w (y − λ f) / Σ w.

Whatever f is, the error of f cancels out on average: a useless f costs nothing (λ goes to 0), a good one narrows the interval. λ = 0 is the
classical weighted mean. Prompts are a sample of prompts like these, so that the first mean has an error, too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from ...statistics import FloatArray, IntArray
from ..nouns import Counted
from .clusters import NOBODY, BoolArray, Clustered2, effective_number, two_way_covariance

_ROUNDING = 1e-12  # of the parts that a variance is made of


@dataclass(frozen=True, eq=False)
class Layout:
    """Which votes and candidates share prompts and raters, and what a vote weighs.

    ``weight``, ``prompt`` and ``rater`` are (n,) of votes; ``prompt_all`` is (N,) of candidates, in the same codes 0..n_prompts − 1.
    """

    weight: FloatArray
    prompt: IntArray
    rater: IntArray
    prompt_all: IntArray

    @classmethod
    def of(cls, counted: Counted) -> Layout:
        """The layout of a study's votes."""
        prompts = pl.concat([counted.frame["prompt_id"], counted.all["prompt_id"]])
        codes = prompts.rank("dense").cast(pl.Int64).to_numpy() - 1
        rater = counted.frame["rater"].rank("dense").cast(pl.Int64).to_numpy() - 1
        n = counted.frame.height
        return cls(counted.frame["weight"].to_numpy(), codes[:n], rater, codes[n:])

    @property
    def n_prompts(self) -> int:
        """Prompts of votes and candidates together."""
        return int(max(self.prompt.max(initial=-1), self.prompt_all.max(initial=-1))) + 1

    def effective_prompts(self, inside: BoolArray) -> float:
        """(Σ_p w_p)² / Σ_p w_p², w_p the weight of a prompt's votes inside: so many prompts of equal weight are as good."""
        return effective_number(np.bincount(self.prompt[inside], self.weight[inside]).astype(np.float64))

    def effective_size(self, inside: BoolArray) -> float:
        """(Σ w)² / Σ w² of the votes inside: so many votes of equal weight are as good."""
        return effective_number(self.weight[inside])

    def covariance(self, influence: FloatArray, *, telling: BoolArray | None = None) -> Clustered2:
        """Of influences stacked as those of :class:`Line` are: votes, then prompts; ``telling``: the votes that the figure is estimated from."""
        prompt = np.concatenate([self.prompt, np.arange(self.n_prompts)])
        rater = np.concatenate([self.rater, np.full(self.n_prompts, NOBODY)])
        if telling is not None:
            telling = np.concatenate([telling, np.zeros(self.n_prompts, dtype=bool)])
        weight = np.concatenate([self.weight, np.zeros(self.n_prompts)])
        return two_way_covariance(influence, prompt, rater, telling=telling, weight=weight)

    def by_prompt(self, of_candidates: FloatArray) -> FloatArray:
        """(n_prompts, p) sums of what the candidates of a prompt add."""
        return np.column_stack(
            [np.bincount(self.prompt_all, column, self.n_prompts) for column in of_candidates.T]
        )


@dataclass(frozen=True, eq=False)
class Line:
    """An estimate for every λ at once: ``value`` + λ ``gain``, with influences ``own`` + λ ``more``.

    Influences are (n + n_prompts, p): a row per vote, then a row per prompt for its candidates.
    """

    value: FloatArray
    gain: FloatArray
    own: FloatArray
    more: FloatArray

    def at(self, lam: FloatArray | float) -> tuple[FloatArray, FloatArray]:
        """Value (p,) and influence (n + n_prompts, p) at λ, one number or one per column."""
        return self.value + lam * self.gain, self.own + lam * self.more

    def __add__(self, other: Line) -> Line:
        """The sum of two figures, such as what two parts of the candidates add to a mean."""
        return Line(
            self.value + other.value, self.gain + other.gain, self.own + other.own, self.more + other.more
        )


def mean_line(
    y: FloatArray,
    f: FloatArray,
    f_all: FloatArray,
    layout: Layout,
    *,
    inside: BoolArray | None = None,
    inside_all: BoolArray | None = None,
) -> Line:
    """θ(λ) = λ mean_all(f) + Σ w (y − λ f) / Σ w for every λ; of a figure that is exactly 0 outside of a known part of the candidates, too.

    With Q the part's share of all candidates and sums over the part: θ(λ) = Q Σ w y / Σ w + λ (mean_all(f) − Q Σ w f / Σ w). Its influences
    are Q w (y − ȳ) / Σ w of a vote in the part, ȳ (1 − Q) / N of a candidate in it and −ȳ Q / N of one outside; f likewise.

    Args:
        y: (n,) or (n, p), what is averaged, of each vote.
        f: likewise, what is predicted of the very same; made without the votes of that prompt. At λ = 0, votes alone, it has no say.
        f_all: (N,) or (N, p), the prediction of every candidate, those voted on among them.
        layout: weights, prompts and raters.
        inside: (n,) and ``inside_all`` (N,), which votes and candidates the part has; by default it is all of them, Q = 1.
    """
    y, f, f_all = _columns(y), _columns(f), _columns(f_all)
    part = np.ones(len(y)) if inside is None else inside.astype(np.float64)
    part_all = np.ones(len(f_all)) if inside_all is None else inside_all.astype(np.float64)
    share, n_all = float(part_all.mean()), len(f_all)
    weight = part * layout.weight
    if not weight.sum() > 0:
        weight, share = np.ones_like(weight), 0.0
    weight = (weight / weight.sum())[:, None]
    y_mean, f_mean = (weight * y).sum(axis=0), (weight * f).sum(axis=0)
    f_part = part_all[:, None] * f_all
    spare = (part_all - part_all.mean())[:, None] / n_all
    own = np.vstack([share * weight * (y - y_mean), layout.by_prompt(spare * y_mean)])
    predicted = (f_part - f_part.mean(axis=0)) / n_all - spare * f_mean
    more = np.vstack([-share * weight * (f - f_mean), layout.by_prompt(predicted)])
    return Line(share * y_mean, f_part.mean(axis=0) - share * f_mean, own, more)


def ratio_line(top: Line, bottom: Line, at: float) -> Line:
    """The influences of top / bottom at λ = 0 and what λ adds, linearised about the ratio ``at``: (u_top − at · u_bottom) / bottom."""
    whole = bottom.value
    return Line(
        top.value / whole,
        (top.gain - at * bottom.gain) / whole,
        (top.own - at * bottom.own) / whole,
        (top.more - at * bottom.more) / whole,
    )


def tuned(line: Line, layout: Layout) -> FloatArray:
    """(p,) λ = −cov(own, more) / var(more), kept within [0, 1]: where V(λ) = V + 2 λ cov + λ² var is least.

    By prompt alone: predictions know nothing of raters, and few raters would make the choice a matter of chance. 0 where var(more) is
    nothing but rounding: with votes on all candidates, predictions add nothing, and their quotient would be anything.
    """
    columns = []
    for k in range(len(line.value)):
        both = np.column_stack([line.own[:, k], line.more[:, k]])
        v = layout.covariance(both).by_prompt
        adds = v[1, 1] > _ROUNDING * (v[0, 0] + float(both[:, 1] @ both[:, 1]))
        columns.append(float(np.clip(-v[0, 1] / v[1, 1], 0.0, 1.0)) if adds else 0.0)
    return np.array(columns)


def effective_votes(n_votes: int, classical: float, powered: float) -> float:
    """n · (se classical / se powered)²: how many votes alone would give as narrow an interval."""
    return n_votes * (classical / powered) ** 2 if powered > 0 else float(n_votes)


def _columns(values: FloatArray) -> FloatArray:
    """(n,) as (n, 1)."""
    values = np.asarray(values, dtype=np.float64)
    return values[:, None] if values.ndim == 1 else values
