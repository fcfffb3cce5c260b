"""Which column of a table is which field: as told, else by its name; ambiguity is refused, naming the option."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence

import polars as pl

from ..errors import ConfigError, ReadingNote, SchemaError, did_you_mean, listing
from .names import WEAK_IDS, folded, spellings


def option(field: str, column: str = "...", *, table: str = "") -> str:
    """What to give for a field, as a command takes it and as Python does: ``--column policy=model``."""
    return f"--column {table + '.' if table else ''}{field}={column}"


def columns_of(
    frame: pl.DataFrame, fields: Collection[str], given: Mapping[str, str], *, noun: str, table: str = ""
) -> dict[str, str]:
    """Field -> column, for those of ``fields`` that the frame has.

    Args:
        given: fields whose column somebody told. Every other field is the column of its own name, else of one of its
            :data:`~.names.SPELLINGS`, the first tier that has any.
        noun: what messages call the table; ``table``: its name before a field in ``--column``, where it needs one.

    Raises:
        ConfigError: a column that was told is missing, or stands for an unknown field.
        SchemaError: two columns of one tier that differ: nobody knows which is meant.
    """
    check_given(frame.columns, fields, given, noun=noun)
    found = dict(given)
    for field in fields:
        if field not in found:
            column = _by_name(frame, field, set(found.values()), noun=noun, table=table)
            if column is not None:
                found[field] = column
    return {field: found[field] for field in fields if field in found}


def check_given(
    columns: Sequence[str], fields: Collection[str], given: Mapping[str, str], *, noun: str
) -> None:
    """Refuse a column that was told (field -> column) and is not there, or for a field that is none.

    Raises:
        ConfigError: there is such a column.
    """
    for field, column in given.items():
        if field not in fields:
            raise ConfigError(
                f"{noun} have no field {field!r}.{did_you_mean(field, fields)}",
                where=option(field, column),
                fix=f"use one of {', '.join(fields)}",
            )
        if column not in columns:
            raise ConfigError(
                f"the table has no column {column!r}.{did_you_mean(column, columns)}",
                where=option(field, column),
                fix=f"name one of its columns: {listing(columns, limit=20)}",
            )


def _by_name(frame: pl.DataFrame, field: str, taken: set[str], *, noun: str, table: str) -> str | None:
    if field in frame.columns and field not in taken:
        return field
    return by_tiers(frame, field, spellings(field), taken, noun=noun, table=table)


def by_tiers(
    frame: pl.DataFrame,
    field: str,
    tiers: Iterable[Collection[str]],
    taken: Collection[str],
    *,
    noun: str,
    table: str = "",
) -> str | None:
    """The column, of those that are not ``taken``, whose folded name is in the first of ``tiers`` that has any; None where none has.

    Raises:
        SchemaError: two columns of one tier that differ: nobody knows which is meant.
    """
    for tier in tiers:
        near = [c for c in frame.columns if c not in taken and folded(c) in tier]
        if near and all(frame[c].equals(frame[near[0]], check_names=False) for c in near[1:]):
            return near[0]
        if near:
            raise SchemaError(
                f"{noun}: {field} may be any of the columns {listing(near)}, and they differ",
                fix="say which: " + " or ".join(option(field, c, table=table) for c in near),
            )
    return None


def with_known_names(
    frame: pl.DataFrame, known: Mapping[str, str], given: Mapping[str, str], *, noun: str
) -> pl.DataFrame:
    """The frame with columns told (``given``) under the names they were told for, and others that ``known`` lists (however they are
    written: ``Model A``) under the names there; what was read as what is told. A column of a name of ``known`` stays.

    Raises:
        ConfigError: as :func:`columns_of`.
    """
    names = list(dict.fromkeys(known.values()))
    check_given(frame.columns, names, given, noun=noun)
    found = dict(given)
    for column in frame.columns:
        field = known.get(folded(column))
        if field and column not in names and field not in frame.columns and field not in found:
            found[field] = column
    if words := told(found):
        warnings.warn(f"{noun}: {words}", ReadingNote, stacklevel=4)
    return renamed(frame, found)


def preferring_texts(found: Mapping[str, str], given: Collection[str]) -> dict[str, str]:
    """Without a column of ids that may number rows as well as prompts (``id``, ``index``), where the prompts' texts are there.

    So scores and responses get the same ids, made of the texts.
    """
    weak = "prompt" in found and "prompt_id" not in given and folded(found.get("prompt_id", "")) in WEAK_IDS
    return {f: c for f, c in found.items() if not (weak and f == "prompt_id")}


def renamed(frame: pl.DataFrame, found: Mapping[str, str]) -> pl.DataFrame:
    """The frame with its fields under their own names; a column that had such a name, and is not the field, is dropped."""
    back = {column: field for field, column in found.items()}
    spare = [c for c in frame.columns if c in found and c not in back]
    return frame.drop(spare).rename(back)


def told(found: Mapping[str, str]) -> str:
    """``read 'model' as policy, 'reward' as score``; empty where every field has its own name."""
    words = [f"{column!r} as {field}" for field, column in found.items() if field != column]
    return f"read {', '.join(words)}" if words else ""
