"""Votes that exist already, in whatever columns: which of them is which field, and the frame under our names."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import polars as pl

from ..errors import ConfigError, ReadingNote, SchemaError, did_you_mean, listing
from ..judgements.pair_rows import OUTCOMES
from ..judgements.prompts import IDS, TEXTS
from ..ratings.battles import ONE_HOT, winner_of_one_hot
from ..reading.names import folded
from ..reading.resolve import option, told
from ..store import naming
from ..tables import NUMBER, TEXT, with_kinds

NOUN = "votes"
# Field -> tiers of names (folded); a name of an earlier tier wins over one of a later, two of one tier are refused where they differ.
SPELLINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "policy_a": (("policy_a",), ("model_a", "model_1", "generator_1", "policy_1", "system_a", "system_1")),
    "policy_b": (("policy_b",), ("model_b", "model_2", "generator_2", "policy_2", "system_b", "system_2")),
    "winner": (OUTCOMES[:1], OUTCOMES[1:], ("outcome", "vote", "preferred")),
    "prompt_id": (IDS[:1], IDS[1:]),
    "prompt": (TEXTS[:1], ("prompt_text",), TEXTS[1:]),
    "rater": (
        ("rater", "rater_id"),
        ("worker", "worker_id", "voter", "voter_id", "annotator_id", "participant", "participant_id"),
        ("annotator", "user", "user_id", "evaluator_id", "judge_hash"),
    ),
    "judge": (("judge",), ("judge_model", "judge_name", "judge_type", "evaluator"), ("annotator",)),
    "turn": (("turn",),),
    "left": (("left",),),
    "seconds": (("seconds",), ("duration", "time_taken", "seconds_taken")),
    "comment": (("comment",), ("comments", "reason", "rationale", "explanation")),
    "voted_at": (("voted_at",), ("tstamp", "timestamp", "created_at", "submitted_at", "time")),
}
_KINDS = {
    **dict.fromkeys(
        ("policy_a", "policy_b", "prompt_id", "rater", "judge", "left", "comment", "voted_at"), TEXT
    ),
    "seconds": NUMBER,
}


def in_our_columns(frame: pl.DataFrame, given: Mapping[str, str], *, where: str) -> pl.DataFrame:
    """The fields that the frame has, under our names, with each row's number (``row``); what was read as what is told.

    ``winner`` is as the file has it; of the Kaggle layout's 0/1 columns it is made. A column ``judge`` is there where one tells who
    judged, people or models; it may be the one of the raters.

    Raises:
        ConfigError: ``given`` names a column or field that is not there.
        SchemaError: two policies or who won are missing, or two columns that differ may be one field.
    """
    with naming(where):
        found = _found(frame, given)
        frame = _with_winner(frame, found)
        _refuse_missing(frame, found)
        if words := told({f: c for f, c in found.items() if f not in given and f != "judge"}):
            warnings.warn(f"{where}: {words}", ReadingNote, stacklevel=3)
        tidy = frame.select(_whole(frame[column]).alias(field) for field, column in found.items())
        kinds = {field: kind for field, kind in _KINDS.items() if field in tidy.columns}
        return with_kinds(tidy, kinds, noun=NOUN).with_row_index("row")


def _found(frame: pl.DataFrame, given: Mapping[str, str]) -> dict[str, str]:
    """Field -> column. A column stands for one field, but for one of judges, which may be the raters', too."""
    _check_given(frame, given)
    found = dict(given)
    for field, tiers in SPELLINGS.items():
        if field in found:
            continue
        taken = set(found.values()) if field != "judge" else set()
        column = _by_name(frame, field, tiers, taken)
        if column is not None:
            found[field] = column
    return found


def _check_given(frame: pl.DataFrame, given: Mapping[str, str]) -> None:
    for field, column in given.items():
        if field not in SPELLINGS:
            raise ConfigError(
                f"votes have no field {field!r}.{did_you_mean(field, SPELLINGS)}",
                where=option(field, column),
                fix=f"use one of {', '.join(SPELLINGS)}",
            )
        if column not in frame.columns:
            raise ConfigError(
                f"the table has no column {column!r}.{did_you_mean(column, frame.columns)}",
                where=option(field, column),
                fix=f"name one of its columns: {listing(frame.columns, limit=20)}",
            )


def _by_name(
    frame: pl.DataFrame, field: str, tiers: tuple[tuple[str, ...], ...], taken: set[str]
) -> str | None:
    for tier in tiers:
        near = [c for c in frame.columns if c not in taken and folded(c) in tier]
        if near and all(frame[c].equals(frame[near[0]], check_names=False) for c in near[1:]):
            return near[0]
        if near:
            raise SchemaError(
                f"{NOUN}: {field} may be any of the columns {listing(near)}, and they differ",
                fix="say which: " + " or ".join(option(field, c) for c in near),
            )
    return None


def _with_winner(frame: pl.DataFrame, found: dict[str, str]) -> pl.DataFrame:
    """A column of outcomes made of three of 0 and 1, where that is how they are written."""
    if "winner" in found or not set(ONE_HOT) <= set(frame.columns):
        return frame
    flags = [c for c in ONE_HOT if frame.schema[c] == pl.Boolean]
    frame = with_kinds(
        frame.with_columns(pl.col(flags).cast(pl.Int64)), dict.fromkeys(ONE_HOT, NUMBER), noun=NOUN
    )
    found["winner"] = "winner"
    return frame.with_columns(winner_of_one_hot(frame))


def _refuse_missing(frame: pl.DataFrame, found: Mapping[str, str]) -> None:
    lost = [f for f in ("policy_a", "policy_b", "winner") if f not in found]
    if not lost:
        return
    raise SchemaError(
        f"{NOUN}: no column is {listing(lost)}; found {listing(frame.columns, limit=20)}.{did_you_mean(lost[0], frame.columns)}",
        fix="say which column it is: " + " ".join(option(f, "COLUMN") for f in lost),
    )


def _whole(values: pl.Series) -> pl.Series:
    """Whole numbers as such: beside rows of models, which have no worker, ids of people are read as 58.0."""
    if not values.dtype.is_float():
        return values
    whole = values.fill_nan(None).drop_nulls()
    exact = ((whole == whole.floor()) & (whole.abs() < 2**53)).all()
    return values.fill_nan(None).cast(pl.Int64) if exact else values
