"""Ratings: load a leaderboard, or fit votes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from ...errors import counted
from ...ratings import fit_ratings, load_battles, load_ratings
from ...settings import FitSettings, RatingsChoice
from ...tables import Ratings

if TYPE_CHECKING:
    from ..run import Run


def chosen_ratings(choice: RatingsChoice) -> Ratings:
    """The leaderboard that was chosen."""
    return load_ratings(str(choice.source), category=choice.category, date=choice.date)


def fit_votes(
    battles: str | Path, settings: FitSettings, columns: Mapping[str, str] | None = None
) -> Ratings:
    """Ratings fitted to a file of votes; ``columns`` as :func:`~charm_rm.load_battles` takes them."""
    votes = load_battles(
        battles,
        keep=settings.columns,
        style=settings.style,
        votes=settings.votes,
        judge=settings.judge,
        columns=columns,
    )
    return fit_ratings(votes, **settings.arguments())


def run_stage(run: Run) -> str:
    """Fit ratings to votes, or load them."""
    section = run.config.ratings
    if section.battles is not None:
        ratings = fit_votes(section.battles, section)
        how = f"fitted to {counted(ratings.provenance['n_battles'], 'vote')}"
    else:
        ratings = chosen_ratings(section)
        how = f"from {Path(str(section.source)).name}"
    run.save(ratings, "ratings.parquet")
    return f"{counted(len(ratings), 'policy', 'policies')}, {how}"
