"""Does a reward model order policies, and space them, as people do?

Three figures over the policies both sides know: Spearman's and Kendall's correlation of the RM's own
strengths with the ratings, and the mean |P̂ - P| over pairs (hard win rates, paired by prompt).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, NoOverlap, NotIdentifiable, noting_warnings
from ..margins import pair_margins, tally_margins
from ..mismatch.standing import plausible_strengths
from ..mismatch.strengths import rm_strengths
from ..ratings import Aliases, Yardstick, expected_win_rate, match_ratings, yardstick
from ..settings import Unrated, check_draws
from ..statistics import (
    FloatArray,
    PromptWeights,
    basic_interval,
    draw_prompt_weights,
    kendall,
    percentile_interval,
    spearman,
)
from ..tables import Ratings, Scores

METRICS: dict[str, tuple[float, float]] = {
    "spearman": (-1.0, 1.0),
    "kendall": (-1.0, 1.0),
    "mean_abs_mismatch": (0.0, 1.0),
}
FEWEST_POLICIES = 3


@dataclass(frozen=True, eq=False)
class AlignmentResult:
    """Agreement of scores with ratings over policies.

    ``frame`` has one row per metric of :data:`METRICS`: metric, n (policies, or pairs), value, ci_low, ci_high,
    and, with a baseline, baseline_value, difference, diff_ci_low, diff_ci_high (else null). ``warnings`` were
    said on the way.
    """

    frame: pl.DataFrame
    policies: tuple[str, ...]
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


def alignment_with_ratings(
    scores: Scores,
    ratings: Ratings,
    *,
    baseline: Scores | None = None,
    aliases: Aliases | None = None,
    unrated: Unrated = "error",
    draws: int = 1000,
    seed: int = 0,
) -> AlignmentResult:
    """Measure how well scores agree with human ratings, and how much better than a baseline's scores do.

    Intervals draw prompts and ratings together and are basic ones, 2·value - quantile: noise lowers
    correlations and raises absolute differences, in the draws as much again as in the value itself, and
    reflecting undoes both. With ``baseline`` both are reduced to the scores they share, and share every draw.
    ``aliases`` and ``unrated`` are those of :func:`charm_rm.ratings.match_ratings`.

    Raises:
        UnknownPolicy: a scored policy has no rating.
        NoOverlap: fewer than three policies, or no prompts shared.
        NotIdentifiable: all scores, or all ratings, are equal.
    """
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
            mend="score the responses of more policies",
        )
    rated = yardstick(matched, policies)
    if draws and not rated.has_uncertainty:
        warnings.warn(
            "some ratings carry no interval: the alignment's intervals leave out the ratings' own uncertainty",
            CharmWarning,
            stacklevel=3,
        )
    rng = np.random.default_rng(seed)
    scores = _only(scores, set(policies))
    n_prompts = scores.frame["prompt_id"].n_unique()
    drawn = draw_prompt_weights(n_prompts, draws=draws, rng=rng) if draws else None
    rating_draws = rated.draw(draws, rng) if draws else None
    mine = _measure(scores, rated, drawn, rating_draws)
    theirs = (
        None if baseline is None else _measure(_only(baseline, set(policies)), rated, drawn, rating_draws)
    )
    size = len(rated.policies)
    counts = dict.fromkeys(METRICS, size) | {"mean_abs_mismatch": size * (size - 1) // 2}
    frame = pl.DataFrame([_row(m, counts[m], mine, theirs) for m in METRICS], schema_overrides=_FLOATS)
    return AlignmentResult(frame, rated.policies, {"draws": draws, "seed": seed, "prompts": n_prompts})


_FLOATS = dict.fromkeys(
    ("ci_low", "ci_high", "baseline_value", "difference", "diff_ci_low", "diff_ci_high"), pl.Float64
)


@dataclass(frozen=True, eq=False)
class _Measured:
    """The figures by metric, and their (draws,) arrays, empty where nothing was drawn."""

    value: dict[str, float]
    draws: dict[str, FloatArray]


def _measure(
    scores: Scores, rated: Yardstick, drawn: PromptWeights | None, rating_draws: FloatArray | None
) -> _Measured:
    tally = tally_margins(pair_margins(scores), drawn=drawn)
    if (tally.ties is not None and np.array_equal(tally.ties, tally.n)) or np.ptp(rated.rating) == 0:
        raise NotIdentifiable(
            "all scores of a prompt are equal, or all ratings: there is no order to compare",
            mend="check the scores and the ratings",
        )
    strengths = rm_strengths(tally)
    k, r = tally.pairs.T

    def figures(theta: FloatArray, rating: FloatArray) -> dict[str, FloatArray]:
        """Along the last axis: of the estimate, or of every draw at once."""
        return {"spearman": spearman(theta, rating), "kendall": kendall(theta, rating)}

    def mismatch(win_rate: FloatArray, rating: FloatArray) -> FloatArray:
        expected = expected_win_rate(rating[..., k], rating[..., r])
        return np.asarray(np.abs(win_rate - expected).mean(axis=-1))

    value = figures(strengths.theta, rated.rating) | {
        "mean_abs_mismatch": mismatch(tally.win_rate, rated.rating)
    }
    drawn_figures = dict.fromkeys(METRICS, np.empty(0))
    if tally.win_rate_draws is not None and rating_draws is not None:
        # The same seed for a model and its baseline: what they share does not count as a difference.
        rng = np.random.default_rng(len(rating_draws))
        truth = plausible_strengths(strengths, rated, draws=len(rating_draws), rng=rng)
        drawn_figures = figures(*truth) | {"mean_abs_mismatch": mismatch(tally.win_rate_draws, rating_draws)}
    return _Measured({m: float(v) for m, v in value.items()}, drawn_figures)


def _row(metric: str, n: int, mine: _Measured, theirs: _Measured | None) -> dict[str, Any]:
    low, high = METRICS[metric]
    value, draws = mine.value[metric], mine.draws[metric]
    ends = _ends(metric, value, draws, low, high)
    row = {"metric": metric, "n": n, "value": value, "ci_low": ends[0], "ci_high": ends[1]}
    if theirs is None:
        return row | {name: None for name in _FLOATS if name not in row}
    gap, width = value - theirs.value[metric], high - low
    ends = _ends(metric, gap, draws - theirs.draws[metric], -width, width)
    row |= {"baseline_value": theirs.value[metric], "difference": gap}
    return row | {"diff_ci_low": ends[0], "diff_ci_high": ends[1]}


def _ends(
    metric: str, value: float, draws: FloatArray, low: float, high: float
) -> tuple[float | None, float | None]:
    if not draws.size:
        return None, None
    if metric == "mean_abs_mismatch":
        return basic_interval(value, draws, low=low, high=high)
    lower, upper = percentile_interval(draws)
    return min(float(lower), value), max(float(upper), value)


def _only(scores: Scores, policies: set[str]) -> Scores:
    """The scores of some policies."""
    return Scores(scores.frame.filter(pl.col("policy").is_in(list(policies))), provenance=scores.provenance)


def _in_common(scores: Scores, baseline: Scores) -> tuple[Scores, Scores]:
    """Keep the (prompt, policy) pairs that both scored, saying so where that drops any."""
    key = ["prompt_id", "policy"]
    mine = scores.frame.join(baseline.frame, on=key, how="semi")
    theirs = baseline.frame.join(scores.frame, on=key, how="semi")
    if mine.height == 0:
        raise NoOverlap(
            "scores and baseline scores share no (prompt, policy)", mend="score the same responses with both"
        )
    if dropped := len(scores) + len(baseline) - mine.height - theirs.height:
        warnings.warn(
            f"alignment is over the {mine.height} scores that both models have; {dropped} others are left out",
            CharmWarning,
            stacklevel=3,
        )
    return Scores(mine), Scores(theirs)
