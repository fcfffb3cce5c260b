"""What the offset verbs share: checked settings, ratings as targets, draws, and the result table."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, ConfigError, listing
from ..ratings import Aliases, match_ratings, yardstick
from ..settings import Link, check_draws
from ..statistics import FloatArray, percentile_interval
from ..tables import Margins, Offsets, Ratings, Scores

# Log-odds that stand for certainty: beyond 1 - 1e-6, where preferences of `charm judge` are cut; those of judgements made
# elsewhere are cut further out.
_SURE_FROM = 13.8


@dataclass(frozen=True)
class Settings:
    """Settings common to both verbs; checked when made.

    Raises:
        ConfigError: a value is not usable.
    """

    link: Link
    temperature: float
    draws: int
    seed: int

    def __post_init__(self) -> None:
        if self.link not in ("hard", "sigmoid"):
            raise ConfigError(f"link {self.link!r} is not known", mend="use hard or sigmoid")
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"temperature {self.temperature!r} is not above 0",
                mend="give a temperature above 0; for its limit at 0 use link hard",
            )
        check_draws(self.draws)


def measured_in(source: Scores | Margins) -> dict[str, str]:
    """What the offsets move, for the provenance: scores, or judgements' margins, which are log-odds."""
    return {"source": source.noun, "unit": "score" if isinstance(source, Scores) else "log-odds"}


def named(value: str | Sequence[str]) -> list[str]:
    """One name or several -> a list, each once."""
    return [value] if isinstance(value, str) else list(dict.fromkeys(value))


def checked_weights(overs: list[str], refs: list[str], weights: Sequence[float] | None) -> FloatArray:
    """Weights that add up to 1, after checking that the two sides are disjoint and not empty."""
    if not overs or not refs:
        raise ConfigError(
            "nothing to calibrate: name at least one policy and one reference",
            mend="give over= and references= (--over and --ref)",
        )
    if both := sorted(set(overs) & set(refs)):
        raise ConfigError(
            f"policy {both[0]!r} is to be calibrated against itself", mend="name another reference"
        )
    array = np.ones(len(refs)) if weights is None else np.asarray(weights, dtype=np.float64)
    if array.shape != (len(refs),) or not np.isfinite(array).all() or (array <= 0).any():
        raise ConfigError(
            f"reference weights {array.tolist()} do not fit {len(refs)} references",
            mend="give one weight above 0 for each reference",
        )
    scaled: FloatArray = array / array.sum()
    return scaled


@dataclass(frozen=True, eq=False)
class Targets:
    """Ratings of the policies at hand, in order, in Elo points; ``draws`` (B, K) are plausible ratings."""

    rating: FloatArray
    draws: FloatArray


def rating_targets(
    ratings: Ratings,
    policies: Sequence[str],
    *,
    aliases: Aliases | None,
    draws: int,
    rng: np.random.Generator,
) -> tuple[Targets, list[str]]:
    """Ratings in the order of ``policies`` and draws of them, with the warnings that apply.

    Raises:
        UnknownPolicy: a policy has no rating.
    """
    matched = match_ratings(ratings, policies, aliases=aliases)
    rated = yardstick(matched, tuple(policies))
    notes = []
    if draws and not rated.has_uncertainty:
        without = matched.frame.filter(pl.col("std_err").is_null())["policy"]
        notes.append(
            f"the ratings of {listing(without)} carry no uncertainty; they are taken as exact, "
            "so the intervals are too narrow"
        )
    return Targets(rated.rating, rated.draw(draws, rng)), notes


def summarise_draws(draws: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(std_err, ci_low, ci_high) of each column of (B, K) draws; NaN where there are no draws."""
    if len(draws) == 0:
        nothing = np.full(draws.shape[1], np.nan)
        return nothing, nothing, nothing
    low, high = percentile_interval(draws)
    return draws.std(axis=0, ddof=1), low, high


def note_aligned(frame: pl.DataFrame) -> list[str]:
    """A warning that names the policies whose interval covers 0."""
    covers = pl.col("ci_low").is_not_null() & (pl.col("ci_low") <= 0) & (pl.col("ci_high") >= 0)
    names = frame.filter(covers & ~pl.col("is_reference"))["policy"]
    if names.len() == 0:
        return []
    return [
        f"the 95 % interval of the offset covers 0 for {listing(names)}: "
        "already aligned as far as these data tell; calibrating may hurt"
    ]


def note_verdicts(source: Scores | Margins) -> list[str]:
    """A warning where most judgements are sure: verdicts without a probability, which no constant turns in part."""
    if isinstance(source, Scores):
        return []
    sure = float((source.frame["margin"].abs() > _SURE_FROM).mean())  # type: ignore[arg-type]
    if sure <= 0.5:
        return []
    return [
        f"{sure:.0%} of the judgements are sure ones (the log-odds of 0 or 1, which have no size of their own): an offset can "
        "hardly turn some and not others; look at the win rates after"
    ]


def as_offsets(
    frame: pl.DataFrame, *, residuals: pl.DataFrame, provenance: Mapping[str, Any], notes: Sequence[str]
) -> Offsets:
    """The result table; says each note as a CharmWarning and keeps it in the provenance."""
    frame = frame.with_columns(pl.selectors.float().fill_nan(None))
    notes = [*notes, *note_aligned(frame)]
    for note in notes:
        warnings.warn(note, CharmWarning, stacklevel=3)
    return Offsets(frame, provenance=dict(provenance) | {"warnings": notes}, residuals=residuals)
