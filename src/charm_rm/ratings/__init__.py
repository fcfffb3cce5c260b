"""Ratings on the Elo scale: fitted from battles, or loaded from a leaderboard, and matched by name."""

from __future__ import annotations

from .battles import load_battles
from .expected import Yardstick, expected_matrix, expected_variance, expected_win_rate, yardstick
from .fit import fit_ratings
from .given import BattlesLike, RatingsLike, as_battles, as_ratings
from .leaving_out import leave_out_steps
from .load import load_ratings
from .names import Aliases, match_ratings, read_aliases, resolve_names
from .naming import NameReport, compare_names

__all__ = [
    "Aliases",
    "BattlesLike",
    "NameReport",
    "RatingsLike",
    "Yardstick",
    "as_battles",
    "as_ratings",
    "compare_names",
    "expected_matrix",
    "expected_variance",
    "expected_win_rate",
    "fit_ratings",
    "leave_out_steps",
    "load_battles",
    "load_ratings",
    "match_ratings",
    "read_aliases",
    "resolve_names",
    "yardstick",
]
