"""What a verb takes for ratings and for battles: the table itself, any table of another library, or a name or path."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

from ..paths import file_of
from ..tables import Battles, Ratings, TableLike, as_frame
from .battles import battles_from_frame, load_battles
from .load import load_ratings, ratings_from_frame

PathLike: TypeAlias = str | os.PathLike[str]
RatingsLike: TypeAlias = Ratings | TableLike | PathLike
BattlesLike: TypeAlias = Battles | TableLike | PathLike

_WHERE = "the table given"


def as_ratings(given: RatingsLike) -> Ratings:
    """Ratings: of a name or path as :func:`charm_rm.load_ratings` reads it (``arena``, ``arena:coding``, a file), of a table in any layout it knows.

    Raises:
        ConfigError: the table has several categories or dates.
        SchemaError: no table, of no known layout, or with values of the wrong kind.
        UnreadableFile: the path cannot be read.
    """
    if isinstance(given, Ratings):
        return given
    if isinstance(given, str | os.PathLike):
        return load_ratings(file_of(given))
    return ratings_from_frame(as_frame(given, noun=Ratings.noun), where=_WHERE)


def as_battles(given: BattlesLike, *, keep: Sequence[str] = (), style: Sequence[str] = ()) -> Battles:
    """Battles: of a path as :func:`charm_rm.load_battles` reads it, of a table in any layout it knows; ``keep`` and ``style`` as there."""
    if isinstance(given, Battles):
        return given
    if isinstance(given, str | os.PathLike):
        return load_battles(file_of(given), keep=keep, style=style)
    frame = as_frame(given, noun=Battles.noun)
    return battles_from_frame(frame, where=_WHERE, keep=keep, style=style)
