"""Votes inside of cells: lists of them in the row of their comparison, objects whose parts are columns."""

from __future__ import annotations

import warnings

import polars as pl

from ..errors import ReadingNote
from ..reading.names import folded
from ..reading.nested import with_inner_rows
from .vote_columns import SPELLINGS

_WINNERS = {name for tier in SPELLINGS["winner"] for name in tier}


def flat_votes(votes: pl.DataFrame, *, where: str) -> pl.DataFrame:
    """A row per vote, and parts of objects as columns: of ``{"gpt4": {"winner": "A"}}`` the column ``gpt4.winner``."""
    return _parted(_with_a_row_each(votes, where))


def _with_a_row_each(votes: pl.DataFrame, where: str) -> pl.DataFrame:
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
