"""Settings of human ratings: chosen from a table, or fitted to votes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..errors import BadSetting
from .definition import Settings, setting
from .vocabulary import Unrated, Votes

# As many pseudo-battles drown any votes there are.
MOST_PRIOR = 1e9


@dataclass(frozen=True, kw_only=True)
class RatingsChoice(Settings):
    """Which human ratings, and how policies are matched to them."""

    source: str | None = setting(
        None,
        "Human ratings: arena, arena:CATEGORY or example (shipped), a CSV, Parquet or JSON file, or hf:DATASET.",
        flags=("--ratings",),
        metavar="SPEC",
        path="path or id",
    )
    category: str | None = setting(None, "Category of the ratings, where the source has several.")
    date: str | None = setting(None, "Date of the ratings, where the source has several (YYYY-MM-DD).")
    aliases: str | None = setting(
        None,
        "CSV (policy, arena_name) that names your policies as the ratings do.",
        flags=("--alias",),
        path="path",
    )
    unrated: Unrated = setting("error", "Policies without a rating: stop with an error, or leave them out.")


def parse_anchor(text: str) -> tuple[str, float]:
    """``POLICY=RATING`` taken apart.

    Raises:
        BadSetting: it is something else.
    """
    policy, equals, rating = text.rpartition("=")
    try:
        if not (policy and equals):
            raise ValueError
        return policy, float(rating)
    except ValueError:
        raise BadSetting(
            f"anchor {text!r} is not POLICY=RATING", setting="anchor", fix="write, for example, gpt-4=1200"
        ) from None


@dataclass(frozen=True, kw_only=True)
class FitSettings(Settings):
    """Ratings fitted to votes."""

    anchor: str | None = setting(
        None,
        "Fix the level by one policy (default: the mean rating is 1000).",
        metavar="POLICY=RATING",
        check=parse_anchor,
    )
    style: tuple[str, ...] = setting(
        (),
        "Style control: a feature counted in the votes' texts (words, headers, bold, list_items ...; `charm features --list`), or "
        "the columns NAME_a and NAME_b; repeatable.",
        metavar="NAME",
    )
    prior: float = setting(
        0.0,
        "Prior: pseudo-battles per pair that met, half won and half lost; keeps ratings of undefeated policies finite.",
        least=0,
        below=MOST_PRIOR,
        metavar="N",
    )

    cluster: str = setting(
        "auto",
        "Column that groups votes which are not independent, such as a prompt or a voter; `none`: all votes are "
        "independent; `auto`: prompt_id, where the battles have it.",
        metavar="COLUMN",
    )

    votes: Votes = setting(
        "arena",
        "Which votes count, where the file says how they were cast: `arena`, those with hidden names (anony) and, of prompts "
        "asked many times, those that the Arena sampled (dedup_tag); or `all`.",
    )
    judge: str | None = setting(
        None,
        "Whose votes, where a column `judge` names automatic judges: `people`, one of the names, or `all` together.",
        metavar="NAME",
    )

    @property
    def columns(self) -> list[str]:
        """Columns of the battles to keep for the fit."""
        return [] if self.cluster in ("auto", "none") else [self.cluster]

    def arguments(self) -> dict[str, Any]:
        """The settings as :func:`charm_rm.fit_ratings` takes them."""
        return {
            "anchor": None if self.anchor is None else parse_anchor(self.anchor),
            "style": self.style,
            "prior": self.prior,
            "cluster": None if self.cluster == "none" else self.cluster,
        }


@dataclass(frozen=True, kw_only=True)
class RatingsSettings(FitSettings, RatingsChoice):
    """Human-preference ratings to audit against: a table (source) or votes to fit (battles)."""

    source: str | None = setting(
        "arena",
        "Human ratings: `arena`, `arena:CATEGORY` or `example` (shipped), a CSV, Parquet or JSON file, or hf:DATASET; null with "
        "battles.",
        path="path or id",
    )
    battles: str | None = setting(
        None, "Votes to fit ratings to (policy_a, policy_b, winner), instead of source.", path="path"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.battles is not None and self.source not in (None, "arena"):
            raise BadSetting("give either source or battles, not both", fix="leave out one of them")
        if self.battles is None and self.source is None:
            raise BadSetting("give source or battles", fix="name a leaderboard or a file of votes")
        if self.battles is None and (self.style or self.anchor or self.prior or self.cluster != "auto"):
            raise BadSetting(
                "style, anchor, prior and cluster need battles to fit", fix="leave them out, or give battles"
            )
