"""Votes inside of cells: lists of them in the row of their comparison, objects whose parts are columns."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence

import polars as pl

from ...errors import ConfigError, ReadingNote, did_you_mean, listing
from ...judgements.pair_rows import has_cells
from ...reading.names import folded
from ...reading.nested import with_inner_rows
from .columns import SPELLINGS

# No file has columns of these names.
_RATER, _WINNER = "rater (--votes-of)", "winner (--votes-of)"
_WINNERS = {name for tier in SPELLINGS["winner"] for name in tier}


def flat_votes(votes: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """A row per vote, and parts of objects as columns: of ``{"gpt4": {"winner": "A"}}`` the column ``gpt4.winner``."""
    return _parted(_taken_out(votes, where))


def with_a_row_each(
    votes: pl.DataFrame, columns_of_raters: Sequence[str], given: Mapping[str, str]
) -> tuple[pl.DataFrame, dict[str, str]]:
    """A row per vote where each person's votes are a column, ``NAME=COLUMN``; and ``given``, field -> column, with those of winner and rater.

    Raises:
        ConfigError: it is something else, names a column that is not there, a name or column comes twice, or winner or rater are given.
    """
    asked = [_rater_column(text, votes.columns) for text in columns_of_raters]
    if not asked:
        return votes, dict(given)
    if both := sorted({"rater", "winner"} & set(given)):
        raise ConfigError(
            f"the column of each {both[0]} is given twice",
            where=f"--votes-of {columns_of_raters[0]}",
            fix=f"leave out --column {both[0]}=..., or --votes-of",
        )
    for kind, words in zip(("name", "column"), zip(*asked, strict=True), strict=True):
        if twice := [word for word in words if words.count(word) > 1]:
            raise ConfigError(
                f"the {kind} {twice[0]!r} is given twice", where="--votes-of", fix="give each person a column"
            )
    columns = {column: name for name, column in asked}
    _refuse_nested(votes, list(columns))
    votes = votes.with_columns(pl.col(list(columns)).cast(pl.String))
    rest = [c for c in votes.columns if c not in columns]
    long = votes.unpivot(on=list(columns), index=rest, variable_name=_RATER, value_name=_WINNER)
    return long.with_columns(pl.col(_RATER).replace(columns)), {**given, "rater": _RATER, "winner": _WINNER}


def _rater_column(text: str, there: Sequence[str]) -> tuple[str, str]:
    name, _, column = text.partition("=")
    if not (name.strip() and column):
        raise ConfigError(
            "is not NAME=COLUMN", where=f"--votes-of {text}", fix="write, for example, ann=annotator_1"
        )
    if column not in there:
        raise ConfigError(
            f"the table has no column {column!r}.{did_you_mean(column, there)}",
            where=f"--votes-of {text}",
            fix=f"name one of its columns: {listing(there, limit=20)}",
        )
    return name.strip(), column


def _refuse_nested(votes: pl.DataFrame, columns: Sequence[str]) -> None:
    for column in columns:
        if not has_cells(votes[column]):
            raise ConfigError(
                f"column {column!r} holds {votes.schema[column]}, no labels of winners",
                where=f"--votes-of NAME={column}",
                fix="name a column whose cells say who won",
            )


def _taken_out(votes: pl.DataFrame, where: str) -> pl.DataFrame:
    """Lists of objects that name a winner as rows, where the rows themselves name none."""
    if any(folded(column) in _WINNERS for column in votes.columns):
        return votes
    for dtype in votes.dtypes:
        inner = dtype.inner if isinstance(dtype, pl.List) else None
        names = [f.name for f in inner.fields] if isinstance(inner, pl.Struct) else []
        winner = next((name for name in names if folded(name) in _WINNERS), None)
        if winner is not None:
            notes: list[str] = []
            votes = with_inner_rows(votes, (folded(winner),), notes)
            warnings.warn(f"{where}: {'; '.join(notes)}", ReadingNote, stacklevel=4)
            return votes
    return votes


def _parted(votes: pl.DataFrame) -> pl.DataFrame:
    """Objects as columns OBJECT.PART, and so on inside of them; but where there is a column of that name."""
    while objects := {
        name: parts for name, parts in _objects(votes).items() if not set(parts) & set(votes.columns)
    }:
        votes = votes.with_columns(
            pl.col(name).struct.rename_fields(parts) for name, parts in objects.items()
        ).unnest(*objects)
    return votes


def _objects(votes: pl.DataFrame) -> dict[str, list[str]]:
    """The columns of objects, each with the names of its parts."""
    kinds = {
        name: dtype for name, dtype in votes.schema.items() if isinstance(dtype, pl.Struct) and dtype.fields
    }
    return {name: [f"{name}.{part.name}" for part in dtype.fields] for name, dtype in kinds.items()}
