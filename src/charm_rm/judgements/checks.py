"""What every layout of judgements checks alike: values row by row, and repeated rows."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Sequence

import polars as pl
import polars.selectors as cs

from .. import store
from ..errors import CharmWarning, SchemaError, listing
from ..tables import NUMBER, TEXT, with_kinds


def refuse_rows(
    frame: pl.DataFrame,
    bad: pl.Series,
    column: str,
    where: str,
    complaint: str,
    *,
    shown: pl.Series | None = None,
) -> None:
    """Raise for the first row of ``frame`` (with its ``row`` in the file) where ``bad`` holds, with its value."""
    bad = bad.fill_null(False)
    if bad.any():
        at = int(bad.arg_true()[0])
        value = (frame[column] if shown is None else shown)[at]
        value = value.to_list() if isinstance(value, pl.Series) else value
        raise SchemaError(
            f"{column} {value!r} {complaint} ({int(bad.sum())} such rows)",
            where=f"{where}: judgements, row {frame['row'][at]}",
            fix="correct or drop these rows; an unknown label is never counted as a tie",
        )


# What stands in the place of a verdict where there is none, in lower case.
NO_VERDICT = frozenset({"", "error", "none", "null", "nan", "n/a", "invalid"})
# Whatever the layout; what else a layout has, it checks itself.
_KINDS = {
    **dict.fromkeys(("policy", "reference", "generator_1", "generator_2", "model", "model_1", "model_2", "baseline"), TEXT),
    **dict.fromkeys(("model_a", "model_b", "policy_a", "policy_b"), TEXT),
    **dict.fromkeys(("prompt_id", "question_id", "uid", "instruction", "output_1", "output_2", "winner"), TEXT),
    **dict.fromkeys(("g1_winner", "g2_winner"), TEXT),
    "turn": NUMBER,
    **dict.fromkeys(("margin", "preference", "probability", "p_first", "p_second"), NUMBER),
}  # fmt: skip


def numbered(frame: pl.DataFrame, where: str, *, but: Collection[str] = ()) -> pl.DataFrame:
    """The frame with each row's number (``row``), names and texts as text and measures as numbers, null for none (NaN too).

    Columns in ``but`` stay as they are: their layout knows more than one kind.

    Raises:
        SchemaError: a name or a measure is of another kind; with the row.
    """
    with store.naming(where):
        frame = with_kinds(frame, {c: k for c, k in _KINDS.items() if c not in but}, noun="judgements")
    return frame.with_columns(cs.float().fill_nan(None)).with_row_index("row")


def without_repeats(frame: pl.DataFrame, columns: Sequence[str], where: str) -> pl.DataFrame:
    """Leave out rows that say the same as an earlier one in all ``columns``, with a count."""
    once = frame.unique(columns, keep="first", maintain_order=True)
    if lost := frame.height - once.height:
        note(f"{where}: {lost} of {frame.height} judgements say the same as another: counted once")
    return once


def first_turn(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """The first turn alone, with a count: a later one was asked after each model's own answer, so models share no prompt there."""
    if "turn" not in frame.columns:
        return frame
    later = (frame["turn"] > frame["turn"].min()).fill_null(False)
    if lost := int(later.sum()):
        note(
            f"{where}: {lost} of {frame.height} judgements left out: of a later turn, where models share no prompt"
        )
    return frame.filter(~later)


def refuse_twice(frame: pl.DataFrame, where: str) -> None:
    """Raise where one pair was judged twice on one prompt, in one order, with different results."""
    key = ["prompt_id", "policy", "reference"]
    twice = frame.filter(pl.struct(key).is_duplicated())
    if twice.height:
        row = twice.row(0, named=True)
        raise SchemaError(
            f"prompt {row['prompt_id']!r}: {row['policy']!r} against {row['reference']!r} is judged twice, differently "
            f"({twice.height} such rows)",
            where=where,
            fix="keep one judgement per prompt and pair; the two orders of a pair have policy and reference exchanged",
        )


def needed(frame: pl.DataFrame, columns: Sequence[str], where: str) -> str:
    """The first of the ``columns`` that is there.

    Raises:
        SchemaError: none is.
    """
    for column in columns:
        if column in frame.columns:
            return column
    raise SchemaError(
        f"none of the columns {listing(columns)} is there; found {listing(frame.columns, limit=12)}",
        where=where,
        fix="add one of them",
    )


def note(message: str) -> None:
    """Say what was left out or taken otherwise than a reader might expect."""
    warnings.warn(message, CharmWarning, stacklevel=4)
