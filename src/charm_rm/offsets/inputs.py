"""What the offset verbs start from: checked settings and weights, ratings as targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import ConfigError, NotIdentifiable, listing
from ..ratings import Aliases, match_ratings, yardstick
from ..settings import Link, check_draws
from ..statistics import FloatArray
from ..tables import Ratings

# A target this near to 0 or 1 is one in all but name: the ratings lie some 3600 points apart.
_CERTAIN = 1e-9
_SHARPEST = 1e-9
BoolArray = NDArray[np.bool_]


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
    cross_fit: bool = True

    def __post_init__(self) -> None:
        if self.link not in ("hard", "sigmoid"):
            raise ConfigError(
                f"link {self.link!r} is not known", fix="use --link hard or sigmoid (link= in Python)"
            )
        if not (np.isfinite(self.temperature) and self.temperature > 0):
            raise ConfigError(
                f"temperature {self.temperature!r} is not above 0",
                fix="give --temperature (temperature= in Python) above 0; for its limit at 0 use --link hard (link= in Python)",
            )
        check_draws(self.draws)

    @property
    def link_temperature(self) -> float | None:
        """The sigmoid's temperature; None with the hard link, which has none."""
        return self.temperature if self.link == "sigmoid" else None


@dataclass(frozen=True, eq=False)
class Question:
    """Which policy is to win as often as people say, over which references, under which link (None: hard)."""

    over: str
    references: tuple[str, ...]
    weights: FloatArray
    temperature: float | None

    @property
    def where(self) -> str:
        """The two sides, for messages."""
        return f"policy {self.over!r} against {', '.join(self.references)}"

    def check_target(self, target: float) -> None:
        """Raise :class:`NotIdentifiable` for a target of 0 or 1, which no finite offset meets."""
        if not _CERTAIN < target < 1 - _CERTAIN:
            raise NotIdentifiable(
                f"the ratings imply a win rate of {target:.0f}, which no finite offset reaches",
                where=f"policy {self.over!r}",
                fix="check that the ratings are on the Elo scale and of one leaderboard",
            )

    def check_spread(self, smallest: float, largest: float) -> None:
        """Raise where margins from ``smallest`` to ``largest`` do not go with the link.

        Raises:
            NotIdentifiable: they are equal, and the link hard: between 0 and 1 nothing lies but ½.
            ConfigError: as :func:`check_sharpness`.
        """
        check_sharpness(self.temperature, max(abs(smallest), abs(largest)))
        if smallest == largest and self.temperature is None:
            raise NotIdentifiable(
                f"all margins are equal ({smallest:g}): the win rate can only be 0, ½ or 1",
                where=self.where,
                fix="check the scores or judgements (a constant reward model?), or use --link sigmoid",
            )


def check_sharpness(temperature: float | None, largest: float) -> None:
    """Raise for a sigmoid so steep beside margins up to ``largest`` that their last bits decide what it says.

    Raises:
        ConfigError: the temperature is less than a billionth of the largest margin.
    """
    if temperature is not None and temperature < _SHARPEST * largest:
        raise ConfigError(
            "the sigmoid's temperature is less than a billionth of the largest margin: it says no more than who won, "
            "and its offset is lost in rounding",
            fix="give a temperature near the spread of the margins, or use --link hard",
        )


def named(value: str | Sequence[str]) -> list[str]:
    """One name or several -> a list, each once."""
    return [value] if isinstance(value, str) else list(dict.fromkeys(value))


def checked_weights(overs: list[str], refs: list[str], weights: Sequence[float] | None) -> FloatArray:
    """Weights that add up to 1, after checking that the two sides are disjoint and not empty."""
    if not overs or not refs:
        raise ConfigError(
            "nothing to calibrate: name at least one policy and one reference",
            fix="give over= and references= (--over and --ref)",
        )
    if both := sorted(set(overs) & set(refs)):
        raise ConfigError(
            f"policy {both[0]!r} is to be calibrated against itself", fix="name another reference"
        )
    array = np.ones(len(refs)) if weights is None else np.asarray(weights, dtype=np.float64)
    if array.shape != (len(refs),) or not np.isfinite(array).all() or (array <= 0).any():
        raise ConfigError(
            f"reference weights {array.tolist()} do not fit {len(refs)} references",
            fix="give one weight above 0 for each reference",
        )
    scaled: FloatArray = array / array.sum()
    return scaled


@dataclass(frozen=True, eq=False)
class Targets:
    """Ratings of the policies at hand, in order, in Elo points; ``draws`` (B, K) are plausible ratings."""

    rating: FloatArray
    draws: FloatArray

    def of(self, chosen: Sequence[int]) -> Targets:
        """Those of some of the policies, in this order."""
        return Targets(self.rating[list(chosen)], self.draws[:, list(chosen)])


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
