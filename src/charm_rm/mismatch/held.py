"""A source held against ratings: what the verbs beyond an audit (compare, families, influence) start from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import ConfigError, NotIdentifiable
from ..margins import Tally, only_policies, pair_samples, tally_margins
from ..ratings import Aliases, Yardstick, match_ratings, yardstick
from ..settings import Outcome, Unrated
from ..statistics import ELO_PER_LOGIT, FloatArray
from ..tables import Margins, Ratings, Scores, WinRates
from .favour import warn_of_untested
from .line import Lines, fit_lines
from .measured import Measured, measure_line
from .published import tally_published
from .strengths import RMStrengths, rm_strengths
from .student import student_p, student_quantile
from .thin_data import check_thin_data


@dataclass(frozen=True, eq=False)
class Held:
    """``source`` without unrated policies, its win rates and strengths, and the line of these on the ratings.

    ``prompts`` names the columns of ``strengths.by_prompt``; there are none in published win rates.
    """

    source: Scores | Margins | WinRates
    matched: Ratings
    tally: Tally
    rated: Yardstick
    strengths: RMStrengths
    measured: Measured
    prompts: tuple[str, ...]

    @property
    def policies(self) -> tuple[str, ...]:
        """The audited policies, in the order of every array."""
        return self.tally.policies

    @property
    def by_prompt(self) -> FloatArray:
        """(K, n_prompts) what each prompt adds to each strength.

        Raises:
            ConfigError: nothing is known by prompt.
        """
        found = self.strengths.by_prompt
        if found is None:
            raise ConfigError("published win rates are not per prompt", fix="give scores or judgements")
        return found


def hold_against(
    source: Scores | Margins | WinRates,
    ratings: Ratings,
    *,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    outcome: Outcome = "hard",
    temperature: float = 1.0,
) -> Held:
    """Match names, count win rates, fit strengths and the sharpness line.

    Raises:
        UnknownPolicy, NoOverlap: as in an audit.
        NotIdentifiable: no favour can be measured, which an audit only warns of; a sharpness that is not positive.
    """
    matched = match_ratings(ratings, source.policies, aliases=aliases, unrated=unrated)
    source = only_policies(source, set(matched.frame["policy"]))
    tally = tally_source(source, outcome=outcome, temperature=temperature)
    rated = yardstick(matched, tally.policies)
    check_thin_data(tally, rated)
    strengths = rm_strengths(tally)
    measured = rising_line(strengths, rated)
    warn_of_untested(tally.policies, measured)
    return Held(source, matched, tally, rated, strengths, measured, prompts_of(source))


def rising_line(strengths: RMStrengths, rated: Yardstick) -> Measured:
    """The sharpness line, which has to rise for favour to have an Elo scale.

    Raises:
        NotIdentifiable: it does not.
    """
    measured = measure_line(strengths, rated)
    if measured.line.slope <= 0:
        raise NotIdentifiable(
            f"the RM's ranking does not agree with human ratings (sharpness {measured.line.slope:.2f}); favour has no Elo scale",
            fix="check the sign of the scores and the names: charm audit says more",
        )
    return measured


def tally_source(source: Scores | Margins | WinRates, *, outcome: Outcome, temperature: float) -> Tally:
    """Win rates by pair, ties as half.

    Raises:
        ConfigError: soft win rates are asked of published ones.
    """
    if isinstance(source, WinRates):
        if outcome == "soft":
            raise ConfigError(
                "published win rates are hard or soft as they were published", fix="leave out --outcome soft"
            )
        return tally_published(source, draws=0, rng=np.random.default_rng(0))
    return tally_margins(pair_samples(source), outcome=outcome, temperature=temperature)


def prompts_of(source: Scores | Margins | WinRates) -> tuple[str, ...]:
    """Prompts in the order in which pairing puts them."""
    if isinstance(source, WinRates):
        return ()
    return tuple(source.frame["prompt_id"].unique().sort())


# --- derivatives ----------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Derivatives:
    """To first order, in log-odds: what a change of strengths and ratings does to favours (Elo points) and sharpness.

    δfavour = ``favour_by_theta`` δθ + ``favour_by_rho`` δρ, both (K, K); ``slope_by_theta`` and ``slope_by_rho`` (K,) are of the
    line through all policies. The weights of the lines are held fixed.
    """

    favour_by_theta: FloatArray
    favour_by_rho: FloatArray
    slope_by_theta: FloatArray
    slope_by_rho: FloatArray


def lines_without_each(measured: Measured) -> Lines:
    """The line through all policies but k, for every k."""
    return fit_lines(
        measured.rho,
        measured.theta,
        measured.theta_noise,
        measured.rho_noise,
        used=~np.eye(len(measured.theta), dtype=bool),
    )


def derivatives(measured: Measured) -> Derivatives:
    """With d = θ_k - c - aρ_k and f = d/a of the line without k: δf = (δd - f δa)/a, where δd and δa are linear in δθ - a δρ."""
    lines = lines_without_each(measured)
    slope = lines.slope[:, None]
    gap = measured.theta - lines.intercept - lines.slope * measured.rho
    by_gap = np.eye(len(gap)) - lines.influence(measured.rho)
    by_theta = ELO_PER_LOGIT * (by_gap - (gap / lines.slope)[:, None] * lines.tilt) / slope
    tilt = measured.line.tilt
    return Derivatives(by_theta, -slope * by_theta, tilt, -float(measured.line.slope) * tilt)


# --- errors ---------------------------------------------------------------------------------------


def prompt_variance(by_prompt: FloatArray) -> FloatArray:
    """n / (n - 1) Σ_i x_i² of each row: the variance over prompts of a sum whose part of prompt i is x_i."""
    n = by_prompt.shape[-1]
    return np.asarray((by_prompt**2).sum(axis=-1) * n / (n - 1))


def quadratic(rows: FloatArray, covariance: FloatArray) -> FloatArray:
    """r C rᵀ of each row."""
    return np.asarray(((rows @ covariance) * rows).sum(axis=-1))


def judged(
    difference: FloatArray, error: FloatArray, freedom: FloatArray | float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """p-value and 95 % interval by Student's t; NaN where there is no error."""
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where((error == 0) & (difference == 0), 0.0, difference / error)
    half = student_quantile(freedom) * error
    p = student_p(statistic, freedom)
    return p, difference - half, difference + half
