"""What so many votes will show, before there are any: half widths of intervals, and the votes that a half width takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from ...errors import NotIdentifiable, counted
from ...estimates import SIGNIFICANT
from ...mismatch.student import student_quantile
from ...statistics import FloatArray, IntArray
from ..estimates.clusters import degrees_of_freedom

_RATERS_TRIED = (2, 3, 5, 8, 10, 15, 20, 30, 50, 100, 200, 500, 1000)


@dataclass(frozen=True, kw_only=True)
class Assumed:
    """What is taken for granted of people before they vote.

    ``agreement`` of a model with votes, ``ties`` the share of votes for neither side, ``rater_agreement`` the chance that two raters
    who choose a side choose the same, ``prompt_icc`` and ``rater_icc`` the correlation of votes on one prompt and of one rater. Of the
    comparisons ``overlap`` get one vote more than ``votes_per_comparison``.
    """

    raters: int = 5
    votes_per_comparison: int = 1
    overlap: float = 0.2
    agreement: float = 0.65
    ties: float = 0.2
    rater_agreement: float = 0.7
    prompt_icc: float = 0.02
    rater_icc: float = 0.01

    def votes(self, comparisons: int) -> int:
        """Votes on so many comparisons."""
        return round(comparisons * (self.votes_per_comparison + self.overlap))

    def comparisons(self, votes: int) -> int:
        """Comparisons that so many votes suffice for."""
        return max(int(votes / (self.votes_per_comparison + self.overlap) + 1e-9), 1)

    @property
    def agreement_variance(self) -> float:
        """Variance of s y + (1 - s)(1 - y), which is ½ of ties: A (1 - A) - t / 4."""
        return max(self.agreement * (1 - self.agreement) - self.ties / 4, 1e-4)

    @property
    def difference_variance(self) -> float:
        """Of 2 y - 1 where two models disagree: 1 - t. The square of its mean, unknown and small, is left in."""
        return 1 - self.ties

    @property
    def within(self) -> float:
        """What several votes on one comparison leave of a single vote's variance: Σ over comparisons of (1 + (m - 1) ρ) / m, ρ = 2 g - 1.

        g is the chance that two raters agree; m is votes_per_comparison, and one more for the share ``overlap``.
        """
        rho = 2 * self.rater_agreement - 1
        m, more = self.votes_per_comparison, self.votes_per_comparison + 1
        return (1 - self.overlap) * (1 + (m - 1) * rho) / m + self.overlap * (1 + (more - 1) * rho) / more


@dataclass(frozen=True)
class Shown:
    """What so many comparisons will show of one figure: the half width of its 95 % interval, in shares.

    ``per_vote`` is the variance of votes that were drawn at random and independent of one another, over that of a vote here: above 1,
    each vote is worth more than one at random.
    """

    half_width: float
    std_err: float
    df: float
    per_vote: float


@dataclass(frozen=True, eq=False)
class Population:
    """The candidates as the power analysis sees them, and how ``chances(n)`` are set for a choice of n.

    ``prompt`` (N,) are codes of prompts from 0; ``gaps`` holds for each other model (N,) |s - s'|, how far its verdict is from the first's.
    """

    prompt: IntArray
    gaps: dict[str, FloatArray]
    chances: Callable[[int], FloatArray]
    assumed: Assumed

    @property
    def size(self) -> int:
        """Candidates."""
        return len(self.prompt)

    @cached_property
    def _prompts(self) -> int:
        return int(self.prompt.max()) + 1

    def assuming(self, **changed: float) -> Population:
        """The same with other assumptions."""
        return replace(self, assumed=replace(self.assumed, **changed))  # type: ignore[arg-type]

    def agreement(self, n: int) -> Shown:
        """A model's agreement with people, over all candidates."""
        return self._shown(n, np.ones(self.size), self.assumed.agreement_variance)

    def difference(self, n: int, model: str) -> Shown:
        """The difference of a model's agreement and the first one's: all of it is where the two disagree, a known share of all."""
        return self._shown(n, self.gaps[model], self.assumed.difference_variance, tests=len(self.gaps))

    def main(self, n: int) -> Shown:
        """The figure a study is planned for: the difference that is known least well, or, of one model, its agreement."""
        if not any(gap.any() for gap in self.gaps.values()):
            return self.agreement(n)
        return max((self.difference(n, model) for model in self.gaps), key=lambda shown: shown.half_width)

    def _shown(self, n: int, size: FloatArray, variance: float, *, tests: int = 1) -> Shown:
        """Half width of the mean of c_u z_u, z of the variance given, c_u = ``size``: what is 0 for sure needs no votes.

        With w = 1/π, one vote each: V₀ = v Σ c² w / N². Prompts: V_P = V₀ (1 + (b_P - 1) ρ_P), b_P - 1 = (Σ_p (Σ_{u in p} c)² - Σ c²) / Σ c² w, the
        number of votes that share a prompt, by weight. Raters: b_R - 1 = (Σ c)² / (R Σ c² w). V = V_P + V_R - V₀, and t by
        :func:`..estimates.clusters.degrees_of_freedom`, at 0.05 / ``tests`` as in the analysis.
        """
        a = self.assumed
        inside = size > 0
        if not inside.any():
            return Shown(0.0, 0.0, math.inf, math.nan)
        chances = self.chances(n)
        c = size[inside]
        spread = float((c**2 / chances[inside]).sum())
        base = variance * a.within * spread / self.size**2
        by_prompt = np.bincount(self.prompt[inside], weights=c, minlength=self._prompts)
        shared = float((by_prompt**2).sum() - (c**2).sum()) / spread
        of_prompts = base * (1 + shared * a.prompt_icc)
        of_raters = base * (1 + float(c.sum()) ** 2 / (a.raters * spread) * a.rater_icc)
        total = of_prompts + of_raters - base
        votes_each = np.bincount(self.prompt[inside], weights=chances[inside], minlength=self._prompts)
        prompts = max(float((1 - np.exp(-votes_each)).sum()), 2.0)
        df = _freedom(total, of_prompts, of_raters, prompts=prompts, raters=a.raters)
        std_err = math.sqrt(total)
        at_random = variance * float((c**2).sum()) / self.size / a.votes(n)
        quantile = float(student_quantile(df, tail=SIGNIFICANT / tests))
        return Shown(quantile * std_err, std_err, df, at_random / base)


def _freedom(total: float, of_prompts: float, of_raters: float, *, prompts: float, raters: int) -> float:
    """Degrees of freedom as an analysis has them; of one rater those of the prompts, since it can tell nothing of others."""
    if raters < 2:
        return prompts - 1
    return degrees_of_freedom(total, of_prompts, of_raters, prompts=round(prompts), raters=raters)


def comparisons_for_width(population: Population, half_width: float) -> int:
    """The fewest comparisons whose votes give the main figure (:meth:`Population.main`) a 95 % interval of ± ``half_width``.

    Raises:
        NotIdentifiable: no number is enough; how many raters would do is said.
    """
    if population.main(population.size).half_width > half_width:
        raise _out_of_reach(population, half_width)
    low, high = 0, 2
    while high < population.size and population.main(high).half_width > half_width:
        low, high = high, high * 2
    high = min(high, population.size)
    while high - low > 1:
        middle = (low + high) // 2
        if population.main(middle).half_width > half_width:
            low = middle
        else:
            high = middle
    return high


def _out_of_reach(population: Population, half_width: float) -> NotIdentifiable:
    raters = population.assumed.raters
    enough = next(
        (
            r
            for r in _RATERS_TRIED
            if r > raters and population.assuming(raters=r).main(population.size).half_width <= half_width
        ),
        None,
    )
    best = population.main(population.size).half_width
    fix = (
        f"plan for {enough} raters (--raters, raters= in Python)"
        if enough
        else "ask for a wider interval, or bring more prompts"
    )
    return NotIdentifiable(
        f"with {counted(raters, 'rater')} no number of votes gives ± {half_width:g}: all {population.size:,} comparisons would give "
        f"± {best:.3f}",
        fix=fix,
    )
