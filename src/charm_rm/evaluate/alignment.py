"""Does a reward model order policies, and space them, as people do?

Figures over the policies both sides know: how far win rates are from people's (raw, sharpness-fitted, debiased), Spearman's and
Kendall's correlation of the RM's own strengths with the ratings, and mean |favour| (hard win rates, paired by prompt).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, NoOverlap, NotIdentifiable, counted, noting_warnings, verb
from ..given import ScoresLike, as_scores
from ..margins import PairedMargins, SampledMargins, Tally, pair_samples, swap_models, tally_margins
from ..mismatch.effect import measure_effect
from ..mismatch.ordering import ordering_rows
from ..ratings import Aliases, RatingsLike, Yardstick, as_ratings, match_ratings, yardstick
from ..samples import shared_key
from ..settings import Unrated, check_draws
from ..shown import Summarised
from ..solved_on import warn_if_in_sample
from ..statistics import PromptWeights, draw_prompt_weights
from ..tables import Ratings, Scores
from .placebo import placebo_values

FEWEST_POLICIES = 3
FEWEST_PROMPTS = 2


@dataclass(frozen=True, eq=False, repr=False)
class AlignmentResult(Summarised):
    """Agreement of scores with ratings over policies.

    ``frame`` has one row per figure (:data:`charm_rm.mismatch.METRICS`; mean |favour| where it exists), with the columns of
    :class:`charm_rm.mismatch.effect.EffectRow`: metric, n (policies, or pairs), value, ci_low, ci_high, floor, and with a baseline
    baseline_value, difference, diff_ci_low, diff_ci_high, p_value (else null), and ``placebo_value``: the same figure of the baseline's
    scores with noise added (:mod:`charm_rm.evaluate.placebo`). ``warnings`` were said on the way.
    """

    frame: pl.DataFrame
    policies: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def alignment_with_ratings(
    scores: ScoresLike,
    ratings: RatingsLike,
    *,
    baseline: ScoresLike | None = None,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    draws: int = 1000,
    seed: int = 0,
) -> AlignmentResult:
    """Measure how well scores agree with human ratings, and how much better than a baseline's scores do.

    Intervals are for the true figures, over all prompts and with the true ratings. With ``baseline`` both are reduced to the scores they
    share; p-values come from exchanging the two models within prompts, ``draws`` times: they test that both score alike, not that one figure is equal, and the interval of a difference of order or
    favour leaves out 0 exactly where its p is at most 5 %. ``aliases`` and ``unrated`` are those of
    :func:`charm_rm.ratings.match_ratings`.

    Raises:
        UnknownPolicy: a scored policy has no rating.
        NoOverlap: fewer than three policies, or no prompts shared.
        NotIdentifiable: all scores, or all ratings, are equal; intervals are wanted from a single prompt.
    """
    scores = as_scores(scores, samples=True)
    ratings = as_ratings(ratings)
    baseline = None if baseline is None else as_scores(baseline, samples=True)
    check_draws(draws)
    with noting_warnings() as notes:
        result = _align(scores, ratings, baseline, aliases, unrated, draws=draws, seed=seed)
    return replace(result, warnings=tuple(notes))


def _align(
    scores: Scores,
    ratings: Ratings,
    baseline: Scores | None,
    aliases: Aliases | None,
    unrated: Unrated,
    *,
    draws: int,
    seed: int,
) -> AlignmentResult:
    if baseline is not None:
        scores, baseline = _in_common(scores, baseline)
    matched = match_ratings(ratings, scores.policies, aliases=aliases, unrated=unrated)
    policies = tuple(matched.policies)
    if len(policies) < FEWEST_POLICIES:
        raise NoOverlap(
            f"{len(policies)} rated policies: a rank correlation needs at least {FEWEST_POLICIES}",
            fix="score the responses of more policies",
        )
    rated = yardstick(matched, policies)
    _warn_of_exact_ratings(rated, draws)
    scores = _only(scores, set(policies))
    baseline = None if baseline is None else _only(baseline, set(policies))
    warn_if_in_sample(scores, "" if baseline is None else "scores: ")
    if baseline is not None:
        warn_if_in_sample(baseline, "baseline scores: ")
    mine = pair_samples(scores)
    theirs = None if baseline is None else pair_samples(baseline)
    rng = np.random.default_rng(seed)
    drawn = _draw_prompts(mine, draws, rng)
    tally, other = _tally(mine, rated, drawn), None if theirs is None else _tally(theirs, rated, drawn)
    rating_draws = rated.draw(draws, rng) if draws else None
    swapped = swap_models(mine, theirs, permutations=draws, rng=rng) if theirs is not None and draws else None
    rows = ordering_rows(tally, rated, draws=draws, seed=seed, baseline=other, swapped=swapped)
    found = measure_effect(
        tally, rated, rating_draws=rating_draws, baseline=other, swapped=swapped, more=rows
    )
    frame = found.frame
    if swapped is not None and np.array_equal(swapped.win_rate, swapped.baseline_win_rate):
        # Every outcome is the same: two intervals of noise say nothing against that.
        frame = frame.with_columns(diff_ci_low=pl.lit(0.0), diff_ci_high=pl.lit(0.0))
    placebo = {} if baseline is None else placebo_values(baseline, rated, seed=seed)
    named = pl.col("metric").replace_strict(placebo, default=None, return_dtype=pl.Float64)
    frame = frame.with_columns(placebo_value=named)
    about = {"draws": draws, "seed": seed, "prompts": mine.n_prompts, "exponent": found.exponent}
    return AlignmentResult(frame, rated.policies, about)


def _warn_of_exact_ratings(rated: Yardstick, draws: int) -> None:
    if draws and not rated.has_uncertainty:
        warnings.warn(
            "some ratings have no interval: the alignment's intervals do not include the uncertainty of the ratings",
            CharmWarning,
            stacklevel=4,
        )


def _draw_prompts(
    paired: PairedMargins | SampledMargins, draws: int, rng: np.random.Generator
) -> PromptWeights | None:
    if draws and paired.n_prompts < FEWEST_PROMPTS:
        raise NotIdentifiable(
            "the policies share one prompt only: chance cannot be estimated",
            fix="score at least two, better a few hundred, prompts; or ask for no intervals (--draws 0, draws= in Python)",
        )
    return draw_prompt_weights(paired.n_prompts, draws=draws, rng=rng) if draws else None


def _tally(paired: PairedMargins | SampledMargins, rated: Yardstick, drawn: PromptWeights | None) -> Tally:
    tally = tally_margins(paired, drawn=drawn)
    if (tally.ties is not None and np.array_equal(tally.ties, tally.n)) or np.ptp(rated.rating) == 0:
        raise NotIdentifiable(
            "all scores of a prompt are equal, or all ratings: there is no order to compare",
            fix="check the scores and the ratings",
        )
    return tally


def _only(scores: Scores, policies: set[str]) -> Scores:
    """The scores of some policies."""
    return Scores(scores.frame.filter(pl.col("policy").is_in(list(policies))), provenance=scores.provenance)


def _in_common(scores: Scores, baseline: Scores) -> tuple[Scores, Scores]:
    """Keep the (prompt, policy) pairs that both scored, saying so where that drops any."""
    key = shared_key(scores.frame, baseline.frame)
    mine = scores.frame.join(baseline.frame, on=key, how="semi")
    theirs = baseline.frame.join(scores.frame, on=key, how="semi")
    if mine.height == 0:
        raise NoOverlap(
            "scores and baseline scores share no (prompt, policy)", fix="score the same responses with both"
        )
    if dropped := len(scores) + len(baseline) - mine.height - theirs.height:
        warnings.warn(
            f"alignment is over the {counted(mine.height, 'score')} that both models have; {counted(dropped, 'other')} {verb(dropped, 'is', 'are')} left out",
            CharmWarning,
            stacklevel=3,
        )
    return Scores(mine, provenance=scores.provenance), Scores(theirs, provenance=baseline.provenance)
