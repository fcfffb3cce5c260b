"""Votes that exist already, in whatever columns: which of them is which field, and the frame under our names."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping

import polars as pl

from ...errors import ConfigError, ReadingNote, SchemaError, did_you_mean, listing
from ...judgements.pair_rows import OUTCOMES
from ...judgements.prompts import IDS, TEXTS
from ...judgements.whose import judge_names
from ...ratings.battles import ONE_HOT, winner_of_one_hot
from ...reading.names import folded
from ...reading.resolve import by_tiers, check_given, option, told
from ...store import naming
from ...tables import NUMBER, TEXT, with_kinds

NOUN = "votes"
# Field -> tiers of names (folded); a name of an earlier tier wins over one of a later, two of one tier are refused where they differ.
SPELLINGS: dict[str, tuple[tuple[str, ...], ...]] = {
    "policy_a": (
        ("policy_a",),
        ("model_a", "model_1", "generator_1", "policy_1", "system_a", "system_1"),
        ("left_model", "model_left", "left_policy", "policy_left"),
    ),
    "policy_b": (
        ("policy_b",),
        ("model_b", "model_2", "generator_2", "policy_2", "system_b", "system_2"),
        ("right_model", "model_right", "right_policy", "policy_right"),
    ),
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
    "anony": (("anony",),),
    "left": (("left",),),
    "seconds": (("seconds",), ("duration", "time_taken", "seconds_taken", "lead_time")),
    "comment": (("comment",), ("comments", "reason", "rationale", "explanation")),
    "voted_at": (("voted_at",), ("tstamp", "timestamp", "created_at", "submitted_at", "time")),
}
# Of a table whose rows name the policy that was preferred and the one that was not: there is no column of winners then.
_CHOSEN = [
    (f"chosen_{word}", f"rejected_{word}")
    for word in ("policy", "model", "generator", "model_name", "policy_name")
]
_KINDS = {
    **dict.fromkeys(
        ("policy_a", "policy_b", "prompt_id", "rater", "judge", "left", "comment", "voted_at"), TEXT
    ),
    "seconds": NUMBER,
}


def in_our_columns(
    frame: pl.DataFrame, given: Mapping[str, str], *, but: Collection[str] = (), where: str
) -> tuple[pl.DataFrame, dict[str, str]]:
    """The fields that the frame has, under our names, with each row's number (``row``); and which column each field is of.

    What was read as what is told. ``winner`` is as the file has it; of the Kaggle layout's 0/1 columns, and of a policy chosen and one
    rejected, it is made. ``left`` is ``a`` where the columns of policies are called left and right. A column ``judge`` is there where one
    tells who judged, people or models; it may be the one of the raters.

    ``but``: columns that are no field of the votes.

    Raises:
        ConfigError: ``given`` names a column or field that is not there, or that is in ``but``.
            Or a model's column is the only one that may be two policies, or who won.
        SchemaError: two policies or who won are missing, or two columns that differ may be one field.
    """
    with naming(where):
        found = _found(frame, given, but)
        frame = _with_winner(frame, found)
        frame = _with_left(_with_chosen(frame, found), found)
        _refuse_missing(frame, found, but)
        if words := told({f: c for f, c in found.items() if f not in given and f != "judge"}):
            warnings.warn(f"{where}: {words}", ReadingNote, stacklevel=3)
        tidy = frame.select(_whole(frame[column]).alias(field) for field, column in found.items())
        if "judge" in tidy.columns:
            tidy = tidy.with_columns(judge_names(tidy["judge"]))
        if "voted_at" in tidy.columns:
            tidy = tidy.with_columns(_time_texts(tidy["voted_at"]))
        kinds = {field: kind for field, kind in _KINDS.items() if field in tidy.columns}
        return with_kinds(tidy, kinds, noun=NOUN).with_row_index("row"), found


def _found(frame: pl.DataFrame, given: Mapping[str, str], but: Collection[str]) -> dict[str, str]:
    """Field -> column. A column stands for one field, but for one of judges, which may be the raters', too; those in ``but`` for none."""
    check_given(frame.columns, SPELLINGS, given, noun=NOUN)
    if twice := sorted({column for column in given.values() if column in but}):
        raise ConfigError(
            f"the column {twice[0]!r} is both a field of the votes and a model's",
            where=f"--column {next(f for f, c in given.items() if c == twice[0])}={twice[0]}",
            fix="name another column for one of the two: --column FIELD=COLUMN, --model NAME=COLUMN",
        )
    found = dict(given)
    for field, tiers in SPELLINGS.items():
        if field in found:
            continue
        taken = {*but, *(found.values() if field != "judge" else ())}
        column = by_tiers(frame, field, tiers, taken, noun=NOUN)
        if column is not None:
            found[field] = column
    return found


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


def _with_chosen(frame: pl.DataFrame, found: dict[str, str]) -> pl.DataFrame:
    """A winner where two columns name the policy chosen and the one rejected: the first, in every row."""
    if {"policy_a", "policy_b", "winner"} & set(found):
        return frame
    by_name = {folded(c): c for c in frame.columns}
    pair = next((pair for pair in _CHOSEN if set(pair) <= set(by_name)), None)
    if pair is None:
        return frame
    found["policy_a"], found["policy_b"] = (by_name[name] for name in pair)
    found["winner"] = "winner"
    return frame.with_columns(pl.lit("a").alias("winner"))


def _with_left(frame: pl.DataFrame, found: dict[str, str]) -> pl.DataFrame:
    """The first policy stood on the left, where that is what its column is called."""
    if "left" in found or "left" not in folded(found.get("policy_a", "")).split("_"):
        return frame
    found["left"] = "left"
    return frame.with_columns(pl.lit("a").alias("left"))


def _refuse_missing(frame: pl.DataFrame, found: Mapping[str, str], but: Collection[str]) -> None:
    lost = [f for f in ("policy_a", "policy_b", "winner") if f not in found]
    if not lost:
        return
    if taken := [c for c in but if any(folded(c) in tier for tier in SPELLINGS[lost[0]])]:
        raise ConfigError(
            f"the column {taken[0]!r} is a model's by --model, and no other column is {lost[0]}",
            fix=f"say which column is {lost[0]} of people's votes: {option(lost[0], 'COLUMN')}; or leave out that --model",
        )
    raise SchemaError(
        f"{NOUN}: no column is {listing(lost)}; found {listing(frame.columns, limit=20)}.{did_you_mean(lost[0], frame.columns)}",
        fix="say which column it is: "
        + " ".join(option(f, "COLUMN") for f in lost)
        + ("; where each person's votes are a column: --votes-of NAME=COLUMN" if "winner" in lost else ""),
    )


def _time_texts(times: pl.Series) -> pl.Series:
    """Times as text: dates as ISO 8601, numbers as they are written."""
    if times.dtype == pl.Date or times.dtype == pl.Datetime:
        return times.dt.to_string("iso:strict")
    return times.cast(pl.String) if times.dtype.is_numeric() else times


def _whole(values: pl.Series) -> pl.Series:
    """Whole numbers as such: beside rows of models, which have no worker, ids of people are read as 58.0."""
    if not values.dtype.is_float():
        return values
    whole = values.fill_nan(None).drop_nulls()
    exact = ((whole == whole.floor()) & (whole.abs() < 2**53)).all()
    return values.fill_nan(None).cast(pl.Int64) if exact else values
