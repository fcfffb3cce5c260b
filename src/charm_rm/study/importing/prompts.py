"""Prompts of votes and of the tables beside them: matched by their ids, else by their texts, and never by texts that are merely alike."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import polars as pl

from ...errors import CharmError, ReadingNote, SchemaError, counted, listing
from ...judgements.checks import note
from ...judgements.prompts import prompt_hashes
from ...reading.names import is_spelling
from ...reading.resolve import columns_of, option, preferring_texts
from ...store import column_names, kind_of, read_conversations
from ...tables import Margins, Responses, Scores
from ..nouns import StudyModel
from ..unmatched import column_of_ids

# What a table says of its prompts: prompt_id and text (a hash), or None where it has not both.
Texts: TypeAlias = Callable[[], pl.DataFrame | None]
SEVERAL_IDS = "a prompt's text that has several ids"
_FIX = "give the texts of these ids: --responses TABLE with prompt_id and prompt; or ids to the votes: --column prompt_id=COLUMN"


@dataclass(frozen=True)
class Matched:
    """Votes, models and responses whose prompts have the same ids, and how many votes were left out."""

    votes: pl.DataFrame
    models: tuple[StudyModel, ...]
    responses: Responses | None
    dropped: int


@dataclass(frozen=True)
class _Beside:
    """A table beside the votes: what messages call it, its ids, and its texts, read when they are needed."""

    name: str
    ids: frozenset[str]
    texts: Texts


def texts_of_file(path: Path, columns: Mapping[str, str]) -> Texts:
    """The prompts' ids and texts of a file of scores or judgements, where it has both; it is read when that is asked."""

    def read() -> pl.DataFrame | None:
        try:
            if kind_of(path) not in ("json", "jsonl") and not any(
                c in columns.values() or is_spelling(c, "prompt") for c in column_names(path)
            ):
                return None  # without reading what may be large
            frame = read_conversations(path, noun=Scores, texts=columns.values())
            known = {field: c for field, c in columns.items() if field in ("prompt_id", "prompt")}
            found = preferring_texts(
                columns_of(frame, ("prompt_id", "prompt"), known, noun=Scores.noun), known
            )
        except CharmError:
            return (
                None  # logs and games, which are read by other means: they have no column of prompts' texts
            )
        if len(found) < 2:
            return None
        return pl.DataFrame(
            [
                frame[found["prompt_id"]].cast(pl.String).alias("prompt_id"),
                prompt_hashes(frame[found["prompt"]]),
            ]
        )

    return read


def match_prompts(
    votes: pl.DataFrame,
    models: Sequence[StudyModel],
    responses: Responses | None,
    *,
    own_ids: bool,
    texts: Mapping[str, Texts],
    where: str,
) -> Matched:
    """The same ids for votes and tables: where ids do not meet, those of prompts whose texts are the same.

    Votes without ids get those of the first table that has ids and texts (responses first). A table whose ids are none of the votes' gets the votes'.
    A text with several ids is matched with none, nor is an id with several texts.

    Args:
        votes: with prompt_id, and perhaps ``text``, a hash of each prompt's text.
        models: of tables that were read by themselves.
        responses: the texts of the answers, if they are given.
        own_ids: the votes have ids; else ``prompt_id`` is ``text``.
        texts: model -> what its table says of its prompts.
        where: what messages call the votes.

    Raises:
        SchemaError: votes without ids meet a table whose ids' texts nobody knows, or are none of the votes'.
    """
    tables = [
        _Beside(m.name, frozenset(m.table.frame["prompt_id"]), texts.get(m.name, _nothing)) for m in models
    ]
    known = None if responses is None else _texts_of(responses)
    shown: list[_Beside] = []
    if known is not None:
        shown = [_Beside(Responses.noun, frozenset(known["prompt_id"]), lambda: known)]
        votes = _with_texts(votes, known)
    if "text" not in votes.columns or votes["text"].null_count() == votes.height:
        return Matched(votes, tuple(models), responses, 0)
    votes, dropped = (votes, 0) if own_ids else _with_ids(votes, [*shown, *tables], where)
    links = [
        _links(one, votes, known, where, must=not own_ids, responses=responses) for one in (*tables, *shown)
    ]
    linked = tuple(_linked(model, link) for model, link in zip(models, links, strict=False))
    if responses is not None and links[-1]:
        responses = Responses(_renamed(responses.frame, links[-1]), provenance=responses.provenance)
    return Matched(votes, linked, responses, dropped)


def _nothing() -> None:
    return None


def _texts_of(responses: Responses) -> pl.DataFrame:
    first = responses.frame.unique("prompt_id", keep="first", maintain_order=True)
    return first.select("prompt_id").with_columns(prompt_hashes(first["prompt"]))


def _with_texts(votes: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """Votes with the texts that responses have of their ids, where the votes have none."""
    told = votes.join(known.rename({"text": "_text"}), on="prompt_id", how="left", maintain_order="left")
    if "text" not in votes.columns:
        return told.rename({"_text": "text"})
    return told.with_columns(pl.coalesce("text", "_text").alias("text")).drop("_text")


def _other_texts(votes: pl.DataFrame, known: pl.DataFrame) -> tuple[pl.Series, int]:
    """The prompts of a table that have the votes' id and another text, of how many with the same id."""
    both = (
        votes.select("prompt_id", "text")
        .drop_nulls()
        .unique("prompt_id")
        .join(known.drop_nulls().unique("prompt_id"), on="prompt_id", suffix="_there")
    )
    return both.filter(pl.col("text") != pl.col("text_there"))["prompt_id"].sort(), both.height


def _say_other_texts(votes: pl.DataFrame, known: pl.DataFrame, name: str, where: str) -> None:
    other, of = _other_texts(votes, known)
    if len(other):
        note(
            f"{where}: of {counted(of, 'prompt')} that {name!r} has by the same id, {len(other):,} {'has' if len(other) == 1 else 'have'} "
            f"another text there ({listing(other, limit=3)}). Where ids number other prompts, name the right column: --column prompt_id=COLUMN"
        )


# --- texts to ids ---------------------------------------------------------------------------------


def _with_ids(votes: pl.DataFrame, beside: Sequence[_Beside], where: str) -> tuple[pl.DataFrame, int]:
    """Votes with the ids of the first table that has other ids than those made of texts, and knows the texts; and how many are dropped."""
    made = set(votes["text"])
    strange = [one for one in beside if not one.ids & made]
    book = next(((one, found) for one in strange if (found := one.texts()) is not None), None)
    if book is None:
        return votes, 0
    one, found = book
    ids = _one_text_each(found, one.name, where).group_by("text").agg(pl.col("prompt_id"))
    several = ids.filter(pl.col("prompt_id").list.len() > 1)["text"]
    kept = votes.filter(~pl.col("text").is_in(several.implode()))
    link = ids.filter(pl.col("prompt_id").list.len() == 1).select("text", pl.col("prompt_id").list.first())
    link = link.filter(pl.col("text").is_in(kept["text"].unique().implode()))
    if link.is_empty():
        raise _no_text_is_there(one.name, where)
    _say_matched(one.name, link.height, kept["text"].n_unique(), where)
    named = pl.col("prompt_id").replace(dict(link.iter_rows()))
    return kept.with_columns(named), votes.height - kept.height


def _fix_of(one: _Beside, responses: Responses | None) -> str:
    """What gives the texts of a table's ids: a column of the responses that has these ids, where there is one."""
    column = None if responses is None else column_of_ids(responses, pl.Series(sorted(one.ids)))
    if column is None:
        return _FIX
    return (
        f"the responses' column {column!r} has these ids: {option('prompt_id', column, table=Responses.noun)}"
    )


def _links(
    one: _Beside,
    votes: pl.DataFrame,
    known: pl.DataFrame | None,
    where: str,
    *,
    must: bool,
    responses: Responses | None,
) -> dict[str, str | None]:
    """A table's id -> the votes' id of the same text; empty where ids meet as they are, or, unless they ``must``, cannot be matched.

    Votes that ``must`` be matched have no ids but those of another table, which this one may give to other prompts: its texts decide. An id
    that the votes have for another text then stands for None.
    """
    same = one.ids & set(votes["prompt_id"])
    if same and not must:
        if (found := one.texts()) is not None:
            _say_other_texts(votes, found, one.name, where)
        return {}
    theirs = _texts_beside(one, votes, known)
    if same and (theirs is None or not len(_other_texts(votes, theirs)[0])):
        return {}
    if theirs is None:
        if must:
            raise SchemaError(
                f"the votes have prompts' texts and no ids, and nothing says which texts the ids of {one.name!r} are of",
                where=where,
                fix=_fix_of(one, responses),
            )
        return {}
    mine = votes.select("prompt_id", "text").drop_nulls().unique()
    known_once = _one_text_each(theirs, one.name, where)
    both = known_once.join(_one_text_each(mine, "the votes", where), on="text", suffix="_votes")
    once = both.filter(~pl.col("text").is_duplicated())
    if lost := both["text"].n_unique() - once.height:
        note(
            f"{where}: {counted(lost, 'text')} of prompts with several ids, in the votes or in {one.name!r}: not matched"
        )
    if once.is_empty():
        if must:
            raise _no_text_is_there(one.name, where)
        return {}
    _say_matched(one.name, once.height, mine["text"].n_unique(), where)
    return dict.fromkeys(same) | dict(once.select("prompt_id", "prompt_id_votes").iter_rows())


def _one_text_each(known: pl.DataFrame, name: str, where: str) -> pl.DataFrame:
    """prompt_id and text of the ids that have one text; how many have several, and so stand for no prompt, is said."""
    pairs = known.drop_nulls().unique()
    several = pairs.filter(pl.col("prompt_id").is_duplicated())["prompt_id"].unique().sort()
    if len(several):
        have = "has" if len(several) == 1 else "have"
        note(
            f"{where}: {counted(len(several), 'prompt_id')} of {name!r} {have} several texts ({listing(several, limit=3)}): not matched"
        )
    return pairs.filter(~pl.col("prompt_id").is_in(several.implode()))


def _texts_beside(one: _Beside, votes: pl.DataFrame, known: pl.DataFrame | None) -> pl.DataFrame | None:
    """What a table's ids stand for: themselves, where they are made of texts; what the table says; what responses say of the same ids."""
    if not one.ids.isdisjoint(votes["text"]):
        return pl.DataFrame({"prompt_id": sorted(one.ids)}).with_columns(pl.col("prompt_id").alias("text"))
    found = one.texts()
    if found is None and known is not None and not one.ids.isdisjoint(known["prompt_id"]):
        return known
    return found


def _no_text_is_there(name: str, where: str) -> SchemaError:
    return SchemaError(
        f"no text of the votes' prompts is one of {name!r}, word for word",
        where=where,
        fix="give the texts as they were asked (--column prompt=COLUMN), or ids to the votes (--column prompt_id=COLUMN)",
    )


def _say_matched(name: str, found: int, of: int, where: str) -> None:
    words = f"{where}: matched with {name!r} by the prompts' texts: {found:,} of {counted(of, 'prompt')}"
    if found < of:
        note(f"{words}; the other texts are not there, word for word")
    else:
        warnings.warn(words, ReadingNote, stacklevel=6)


def _renamed(frame: pl.DataFrame, link: Mapping[str, str | None]) -> pl.DataFrame:
    return frame.with_columns(pl.col("prompt_id").replace(dict(link))).drop_nulls("prompt_id")


def _linked(model: StudyModel, link: Mapping[str, str | None]) -> StudyModel:
    """The model with the votes' ids."""
    if not link:
        return model
    if model.scores is not None:
        scores = Scores(_renamed(model.scores.frame, link), provenance=model.scores.provenance)
        return replace(model, scores=scores)
    margins = model.table
    return replace(model, margins=Margins(_renamed(margins.frame, link), provenance=margins.provenance))
