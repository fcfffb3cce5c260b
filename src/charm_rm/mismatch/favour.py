"""Favour and sharpness: a reward model's own strengths against human ratings.

With θ_k the RM's Bradley-Terry strengths and ρ_k = rating_k · ln10 / 400, a line θ = c + a·ρ is fitted over policies
(:mod:`.line`). a is the *sharpness*: above 1 the RM is less noisy than people, which makes it win "too often" for every
strong policy without favouring any. The *favour* shown to policy k is how many Elo points its rating would have to be
higher for the line through *the other* policies to explain its strength. (A line through all would be pulled by the policy itself.)
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import CharmWarning, ConfigError, NotIdentifiable, listing
from ..estimates import SIGNIFICANT, Z95, Estimate
from ..ratings import Yardstick
from ..settings import Scope
from ..statistics import ELO_PER_LOGIT, FloatArray, benjamini_hochberg
from ..tables import Favouritism
from .gaps import fieller, line_errors
from .line import fit_lines
from .measured import FEWEST, Measured
from .strengths import FEWEST_PROMPTS
from .student import student_p, student_quantile

NOTEWORTHY_FAVOUR = 50.0  # Elo points that one would want an audit to be able to see


def check_scope(scope: str) -> None:
    """Refuse a scope that is none."""
    if scope not in get_args(Scope):
        raise ConfigError(f"unknown scope {scope!r}", fix="use 'sample' or 'these'")


# --- sharpness ------------------------------------------------------------------------------------


def sharpness(measured: Measured, scope: Scope) -> Estimate:
    """The slope a, with its 95 % interval.

    With A the influence of residuals on the slope and V = cov(θ - a ρ), var a = A (V + τ² I) Aᵀ and Student's t with K - 2
    degrees of freedom (scope ``sample``); A V Aᵀ and the normal distribution (``these``). No interval where strengths are not tested.
    """
    line = measured.line
    if not measured.tested.all():
        return Estimate(float(line.slope))
    variance, freedom = _noise_of_slope(measured)
    if scope == "sample":
        variance += float(line.tau2 * (line.tilt**2).sum())
        freedom = min(freedom, float(line.freedom))
    quantile = float(student_quantile(freedom)) if np.isfinite(freedom) else Z95
    error, value = float(np.sqrt(variance)), float(line.slope)
    return Estimate(value, error, value - quantile * error, value + quantile * error)


def _noise_of_slope(measured: Measured) -> tuple[float, float]:
    """A V Aᵀ, and its degrees of freedom."""
    line = measured.line
    if measured.joint is not None:
        covariance, freedom = measured.joint.along(line.tilt[None], -line.slope * line.tilt[None])
        return float(covariance[0, 0]), freedom
    noise = measured.theta_covariance + line.slope**2 * measured.rho_covariance
    return float(line.tilt @ noise @ line.tilt), np.inf


# --- favour ---------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Favours:
    """Per policy (K,): favour in Elo points, its error, 95 % ends (infinite: open) and p-value of favour 0.

    ``unit`` is the standard error of the test in Elo points at favour 0, ``freedom`` the test's degrees of freedom (0: not tested, with
    open ends). Where ``found`` is
    False the other policies give no rising line: the favour is then that of the line through all, with open ends and no test.
    """

    favour: FloatArray
    std_err: FloatArray
    low: FloatArray
    high: FloatArray
    p: FloatArray
    unit: FloatArray
    freedom: FloatArray
    found: NDArray[np.bool_]


def leave_one_out(measured: Measured, scope: Scope) -> Favours:
    """The favour of every policy against the line through all others.

    d_k = θ_k - c_(k) - a_(k) ρ_k, the line (k) fitted without k, and favour = d_k / a_(k). The interval holds every f for which
    (d_k - a_(k) f)² <= t² var(d_k - a_(k) f) (Fieller 1954), so that it leaves 0 out exactly where the test of d_k = 0 rejects.
    """
    size = len(measured.theta)
    lines = fit_lines(
        measured.rho,
        measured.theta,
        measured.theta_noise,
        measured.rho_noise,
        used=~np.eye(size, dtype=bool),
        shared=measured.shared_noise,
    )
    found = np.asarray(lines.found & (lines.slope > 0))
    slope = np.where(found, lines.slope, float(measured.line.slope))
    gap = np.where(
        found,
        measured.theta - lines.intercept - slope * measured.rho,
        measured.theta - measured.line.intercept - slope * measured.rho,
    )
    errors = line_errors(measured, lines, scope)
    judged = found & measured.tested
    t = student_quantile(np.where(judged, errors.freedom, 0.0))
    low, high = fieller(gap, slope, errors, t)
    favour = gap / slope
    spread = (
        np.sqrt(np.maximum(errors.gap - 2 * favour * errors.both + favour**2 * errors.slope, 0.0)) / slope
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(judged, gap / np.sqrt(errors.gap), np.nan)
    return Favours(
        favour=ELO_PER_LOGIT * favour,
        std_err=ELO_PER_LOGIT * spread,
        low=ELO_PER_LOGIT * low,
        high=ELO_PER_LOGIT * high,
        p=student_p(statistic, errors.freedom),
        unit=ELO_PER_LOGIT * np.sqrt(errors.gap) / slope,
        freedom=np.where(judged, errors.freedom, 0.0),
        found=found,
    )


# --- the table ------------------------------------------------------------------------------------


def favour_verdict(favour: float, low: float | None, high: float | None, q_value: float | None) -> str:
    """Say in a word what a policy's favour shows.

    Over- or under-valued where it is significant after adjusting for all policies tested, which its interval then bears out; else
    "underpowered" where the interval is open or reaches further than a noteworthy favour to either side, else "no evidence".
    """
    left_out = (low is not None and low > 0) or (high is not None and high < 0)
    if q_value is not None and q_value <= SIGNIFICANT and left_out:
        return "over-valued" if favour > 0 else "under-valued"
    if low is None or high is None or high - low > 2 * NOTEWORTHY_FAVOUR:
        return "underpowered"
    return "no evidence"


def favouritism_table(
    policies: tuple[str, ...], measured: Measured, rated: Yardstick, *, scope: Scope
) -> tuple[Favouritism, Favours]:
    """Favour of every policy and the sharpness, most favoured first; and what they were made of.

    Raises:
        NotIdentifiable: a sharpness that is not positive: favour has no Elo scale then.
    """
    if measured.line.slope <= 0:
        raise NotIdentifiable(
            f"the RM's ranking does not agree with human ratings (sharpness {measured.line.slope:.2f}); favour has no Elo scale",
            fix="check the sign of the scores and the names; the mismatch table still holds",
        )
    found, slope = leave_one_out(measured, scope), sharpness(measured, scope)
    _warn_of_loose_scale(slope)
    _warn_of_lost_lines(policies, found, scope)
    warn_of_untested(policies, measured)
    low, high = ([v if np.isfinite(v) else None for v in ends] for ends in (found.low, found.high))
    p = [None if np.isnan(v) else float(v) for v in found.p]
    q = [None if np.isnan(v) else float(v) for v in benjamini_hochberg(found.p)]
    frame = pl.DataFrame(
        {
            "policy": list(policies),
            "rm_elo": float(rated.rating.mean()) + ELO_PER_LOGIT * measured.theta,
            "arena_elo": rated.rating,
            "favour": found.favour,
            "std_err": found.std_err,
            "ci_low": low,
            "ci_high": high,
            "p_value": p,
            "q_value": q,
            "verdict": [favour_verdict(*row) for row in zip(found.favour, low, high, q, strict=True)],
        },
        schema_overrides=dict.fromkeys(("ci_low", "ci_high", "p_value", "q_value"), pl.Float64),
    )
    table = Favouritism(frame.sort("favour", descending=True), sharpness=slope, scope=scope)
    return table, found


def _warn_of_loose_scale(slope: Estimate) -> None:
    if slope.std_err is not None and slope.std_err > slope.value / 3:
        warnings.warn(
            f"the sharpness is imprecise ({slope.value:.2f} ± {slope.std_err:.2f}), and with it the Elo scale of the "
            "favour: its intervals are wide; signs and q-values do not depend on the scale",
            CharmWarning,
            stacklevel=2,
        )


def warn_of_untested(policies: tuple[str, ...], measured: Measured) -> None:
    """Say of which policies the strengths are not known well enough for any test of favour."""
    lost = [name for name, ok in zip(policies, measured.tested, strict=True) if not ok]
    if lost:
        warnings.warn(
            f"favour has no test and no interval for {listing(lost)}: fewer than {FEWEST_PROMPTS} shared prompts, or "
            "results so one-sided that no finite strength fits them; score more prompts",
            CharmWarning,
            stacklevel=3,
        )


def _warn_of_lost_lines(policies: tuple[str, ...], found: Favours, scope: Scope) -> None:
    if scope == "sample" and len(policies) == FEWEST:
        warnings.warn(
            "with three policies the line through the other two has no scatter to estimate noise from: favour has no interval and no test "
            "(scope `these` gives them for these policies alone)",
            CharmWarning,
            stacklevel=2,
        )
    elif not found.found.all():
        lost = [name for name, ok in zip(policies, found.found, strict=True) if not ok]
        warnings.warn(
            f"without {listing(lost)} the other policies' strengths do not rise with their ratings: favour there is measured from "
            "the line through all policies, without an interval",
            CharmWarning,
            stacklevel=2,
        )
