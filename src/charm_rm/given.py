"""What a verb takes for scores, judgements, win rates and offsets: the table itself, any table of another library, or a path.

One function for each kind; every public verb begins with them, so that all take the same. Ratings and battles have theirs in
:mod:`.ratings.given`, responses and preferences beside their loaders.
"""

from __future__ import annotations

import os
from typing import Any, TypeAlias

import polars as pl

from .errors import ConfigError, SchemaError, listing
from .paths import expanded
from .sources import load_source
from .store import load
from .tables import Margins, Offsets, Scores, TableLike, WinRates, as_frame

PathLike: TypeAlias = str | os.PathLike[str]
SourceLike: TypeAlias = Scores | Margins | WinRates | TableLike | PathLike
ComparableLike: TypeAlias = Scores | Margins | TableLike | PathLike
ScoresLike: TypeAlias = Scores | TableLike | PathLike
MarginsLike: TypeAlias = Margins | TableLike | PathLike
OffsetsLike: TypeAlias = Offsets | TableLike | PathLike

_WHERE = "the table given"


def as_source(given: SourceLike) -> Scores | Margins | WinRates:
    """Scores, judgements or published win rates: of a path as :func:`.sources.load_source` reads it, of a table by its columns.

    Raises:
        SchemaError: no table, one of no known columns, or values that are of the wrong kind.
        UnreadableFile: the path cannot be read.
    """
    if isinstance(given, Scores | Margins | WinRates):
        return given
    if isinstance(given, str | os.PathLike):
        return load_source(expanded(given))
    from .judgements import judgements_from_frame, layout_of  # loaded where no noun is given

    frame = as_frame(given, noun="scores")
    if layout_of(frame.columns) is not None:
        return judgements_from_frame(frame, where=_WHERE)
    return _of_columns(frame)


def as_comparable(given: ComparableLike | WinRates) -> Scores | Margins:
    """:func:`as_source`, of single responses: scores or judgements.

    Raises:
        ConfigError: these are published win rates.
    """
    source = as_source(given)
    if isinstance(source, WinRates):
        raise _another(
            given, source, "an offset or a comparison of responses needs scores or judgements of each prompt"
        )
    return source


def as_scores(given: ScoresLike) -> Scores:
    """:func:`as_source`, of scores alone.

    Raises:
        ConfigError: these are judgements, or published win rates.
    """
    source = as_source(given)
    if not isinstance(source, Scores):
        raise _another(given, source, "scores are needed, one number a response")
    return source


def as_judgements(given: MarginsLike) -> Margins:
    """:func:`as_source`, of judgements alone.

    Raises:
        ConfigError: these are scores, or published win rates.
    """
    source = as_source(given)
    if not isinstance(source, Margins):
        raise _another(given, source, "judgements of pairs are needed")
    return source


def as_offsets(given: OffsetsLike) -> Offsets:
    """Offsets, or the table or file that holds them (policy, delta, is_reference ...)."""
    if isinstance(given, Offsets):
        return given
    if isinstance(given, str | os.PathLike):
        return load(Offsets, expanded(given))
    return Offsets(as_frame(given, noun=Offsets.noun))


def _of_columns(frame: pl.DataFrame) -> Scores | Margins | WinRates:
    """What a frame is, by the column of its figures; one of none is taken for scores, whose error names the columns."""
    figures: dict[str, type[Scores] | type[Margins] | type[WinRates]] = {
        "score": Scores,
        "margin": Margins,
        "win_rate": WinRates,
    }
    found = [column for column in figures if column in frame.columns]
    if len(found) > 1:
        raise SchemaError(
            f"has the columns {listing(found)}: scores, judgements or win rates?",
            where=_WHERE,
            fix="keep one of them",
        )
    return figures[found[0]](frame) if found else Scores(frame)


def _another(given: Any, found: Scores | Margins | WinRates, why: str) -> ConfigError:
    where = str(given) if isinstance(given, str | os.PathLike) else None
    return ConfigError(
        f"this table holds {found.noun}: {why}", where=where, fix="give the table they were made from"
    )
