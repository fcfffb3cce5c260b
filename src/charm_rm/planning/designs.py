"""The power of the tests that audits and comparisons make, as a function of the effect and the number of prompts."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..mismatch.favour import leave_one_out
from ..mismatch.gaps import line_errors
from ..mismatch.held import lines_without_each
from ..mismatch.line import Lines
from ..mismatch.measured import Measured
from ..mismatch.student import student_power
from ..settings import Scope
from ..statistics import ELO_PER_LOGIT, FloatArray, normal_tail

_MOST_ELO = 100_000.0
_EXACT = 20_000  # prompts up to which McNemar's power is summed exactly


@dataclass(frozen=True, eq=False)
class FavourDesign:
    """One policy's favour, the others showing none beyond their scatter, from a pilot of ``prompts`` prompts.

    var d(n) = (prompts / n) of what prompts leave in the pilot, plus what ratings and the other policies' scatter leave, which no number
    of prompts lowers. Found by Benjamini and Hochberg's q: of ``tests`` policies, the one has to pass alpha / tests. ``which`` are the
    policies whose power is averaged. ``tau2`` is the scatter of the others about the line, where it is assumed and not the pilot's.
    """

    measured: Measured
    prompts: int
    scope: Scope
    alpha: float
    tests: int
    which: NDArray[np.bool_]
    tau2: float | None = None
    largest: float = _MOST_ELO

    @cached_property
    def lines(self) -> Lines:
        """The lines through all policies but one, fitted to the pilot."""
        lines = lines_without_each(self.measured)
        return lines if self.tau2 is None else replace(lines, tau2=np.full_like(lines.tau2, self.tau2))

    def unit(self, n: float) -> tuple[FloatArray, FloatArray]:
        """(K,) standard errors of favour 0 in Elo points with ``n`` prompts, and degrees of freedom."""
        lines = self.lines
        share = 0.0 if math.isinf(n) else self.prompts / n
        then = replace(self.measured, theta_covariance=self.measured.theta_covariance * share)
        errors = line_errors(then, lines, self.scope)
        slope = np.where(lines.found & (lines.slope > 0), lines.slope, float(self.measured.line.slope))
        return np.asarray(ELO_PER_LOGIT * np.sqrt(errors.gap) / slope), errors.freedom

    def power(self, effect: float, n: float) -> float:
        """Mean over policies of the chance that a favour of ``effect`` Elo is found."""
        unit, freedom = self.unit(n)
        shift = np.divide(effect, unit, out=np.full_like(unit, np.inf), where=unit > 0)
        found = student_power(
            np.minimum(shift, 1e6)[self.which], freedom[self.which], tail=self.alpha / self.tests
        )
        return float(found.mean())


def policies_tested(measured: Measured, scope: Scope) -> NDArray[np.bool_]:
    """(K,) whose favour has a test."""
    found = leave_one_out(measured, scope)
    return np.asarray(found.found & (found.freedom > 0))


@dataclass(frozen=True, eq=False)
class GapDesign:
    """The difference of two models' favour of one policy, paired by prompt.

    ``by_prompt`` (K,) is the variance that a pilot of ``prompts`` prompts leaves, ``fixed`` (K,) what ratings leave, ``scatter`` (K,) what
    the other policies' favours do to both lines; all in Elo points squared.
    """

    by_prompt: FloatArray
    fixed: FloatArray
    scatter: FloatArray
    prompts: int
    alpha: float
    tests: int
    which: NDArray[np.bool_]
    largest: float = _MOST_ELO

    def power(self, effect: float, n: float) -> float:
        """Mean over policies of the chance that a difference of ``effect`` Elo is found."""
        share = 0.0 if math.isinf(n) else self.prompts / n
        known = self.by_prompt * share + self.fixed
        freedom = np.full(len(known), max(n - 1, 1.0))
        ratio = np.divide(known, self.scatter, out=np.full_like(known, np.inf), where=self.scatter > 0)
        freedom = np.minimum(freedom, max(len(known) - 3, 1) * (1 + ratio) ** 2)
        unit = np.sqrt(known + self.scatter)
        shift = np.divide(effect, unit, out=np.full_like(unit, np.inf), where=unit > 0)
        found = student_power(
            np.minimum(shift, 1e6)[self.which], freedom[self.which], tail=self.alpha / self.tests
        )
        return float(found.mean())


@dataclass(frozen=True, eq=False)
class PairDesign:
    """The mismatch P̂ - P of one pair, tested at the rated P.

    ``expected`` (m,) is P, ``share`` (m,) the share of P (1 - P) by which one outcome varies (1 without ties), ``doubt`` (m,) the variance of
    P that the ratings leave. The test rejects where |P̂ - P| > z √(share P (1 - P) / n + doubt), z of alpha / tests; P̂ then varies
    about P + effect.
    """

    expected: FloatArray
    share: FloatArray
    doubt: FloatArray
    alpha: float
    tests: int
    largest: float = 1.0

    def power(self, effect: float, n: float) -> float:
        """Mean over pairs, and over the directions that leave a win rate between 0 and 1, of the chance that the mismatch is found."""
        chances, weights = [], []
        for sign in (1.0, -1.0):
            rate = self.expected + sign * effect
            inside = (rate > 0) & (rate < 1)
            rate = np.clip(rate, 1e-9, 1 - 1e-9)
            chances.append(self._found(np.abs(rate - self.expected), rate, n))
            weights.append(inside.astype(float))
        total = np.sum(weights, axis=0)
        even = np.where(total == 0, 0.5, 0.0)
        weighted = sum(c * (w + even) for c, w in zip(chances, weights, strict=True))
        return float((weighted / np.maximum(total, 1.0)).mean())

    def _found(self, gap: FloatArray, rate: FloatArray, n: float) -> FloatArray:
        def spread(p: FloatArray) -> FloatArray:
            sampling = 0.0 if math.isinf(n) else self.share * p * (1 - p) / n
            return np.asarray(np.sqrt(sampling + self.doubt + 1e-18))

        z = normal_quantile(self.alpha / self.tests)
        reach, width = z * spread(self.expected), spread(rate)
        return np.asarray(1 - normal_tail((gap - reach) / width) + normal_tail((gap + reach) / width))


@dataclass(frozen=True, eq=False)
class AccuracyDesign:
    """The difference of two models' accuracy on the same items, of which a share ``discordant`` is right by one alone: McNemar's exact test."""

    discordant: float
    alpha: float
    tests: int
    largest: float = 1.0

    def power(self, effect: float, n: float) -> float:
        """The chance that exact p <= alpha / tests: Σ_d Pr(d differ of n) Pr(the test rejects with d)."""
        if math.isinf(n):
            return 1.0 if effect > 0 else 0.0
        share = min(max(self.discordant, effect), 1.0)
        if n > _EXACT:
            return mean_power(effect, math.sqrt(max(share - effect**2, 0.0)), n, self.alpha / self.tests)
        from scipy.stats import binom  # long to import

        d = np.arange(int(n) + 1)
        tail = self.alpha / self.tests / 2
        most = binom.ppf(tail, d, 0.5)
        most = np.where(binom.cdf(most, d, 0.5) > tail, most - 1, most)
        ahead = (1 + effect / share) / 2 if share > 0 else 0.5
        rejects = binom.cdf(most, d, ahead) + binom.sf(d - most - 1, d, ahead)
        return float(np.sum(binom.pmf(d, int(n), share) * rejects))


@dataclass(frozen=True, eq=False)
class MeanDesign:
    """The difference of two figures that are weighted means of credits; ``spread``² / n is the variance of the difference with n items."""

    spread: float
    alpha: float
    tests: int
    largest: float = 1.0

    def power(self, effect: float, n: float) -> float:
        """The chance that exchanging the models within prompts gives p <= alpha / tests, by the normal distribution."""
        if math.isinf(n):
            return 1.0 if effect > 0 else 0.0
        return mean_power(effect, self.spread, n, self.alpha / self.tests)


def mean_power(effect: float, spread: float, n: float, tail: float) -> float:
    """Power of a test of a mean whose null is drawn by turning signs: its standard deviation is √(spread² + effect²) / √n."""
    z, error = normal_quantile(tail), max(spread, 1e-12) / math.sqrt(n)
    reach = z * math.sqrt((spread**2 + effect**2) / n)
    upper, lower = (float(normal_tail(x)) for x in ((reach - effect) / error, (reach + effect) / error))
    return upper + lower


def normal_quantile(tail: float) -> float:
    """The z whose two-sided p-value is ``tail``."""
    from statistics import NormalDist

    return NormalDist().inv_cdf(1 - tail / 2)
