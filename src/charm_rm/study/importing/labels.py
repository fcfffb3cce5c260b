"""What is told of who won: labels that somebody explains, and policies' names in other case or with spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from ...errors import ConfigError, SchemaError, counted, did_you_mean, listing
from ...judgements.checks import NO_VERDICT, note, refuse_rows
from ...judgements.pair_rows import LABELS, Columns, has_cells, outcomes

# What a label may mean, and the label of that meaning which every reader knows.
MEANINGS = {
    "a": "model_a",
    "b": "model_b",
    "tie": "tie",
    "both_bad": "both_bad",
    "left": "left",
    "right": "right",
    "none": "none",
}
_FIX = "say what a label means: --label LABEL=WINNER (WINNER is a, b, tie, both_bad, left, right, or none for no verdict); or correct these rows"


def label_meanings(texts: Sequence[str]) -> dict[str, str]:
    """``LABEL=WINNER`` taken apart, for each: label, folded -> the known label of what it means. A label may hold ``=``.

    Raises:
        ConfigError: it is something else, or a label is given two meanings.
    """
    found: dict[str, str] = {}
    for text in texts:
        label, equals, meaning = text.rpartition("=")
        meaning = meaning.strip().lower()
        if not (equals and label.strip() and meaning in MEANINGS):
            raise ConfigError(
                f"is not LABEL=WINNER.{did_you_mean(meaning, MEANINGS)}",
                where=f"--label {text}",
                fix=f"WINNER is one of {', '.join(MEANINGS)}: for example --label 'skipped=none' --label 1=a --label 0=b",
            )
        key = _folded(pl.Series([label]))[0]
        if found.setdefault(key, MEANINGS[meaning]) != MEANINGS[meaning]:
            raise ConfigError("the label has two meanings", where=f"--label {text}", fix="give it one")
    return found


def with_meanings(cells: pl.Series, meanings: Mapping[str, str]) -> pl.Series:
    """A column of winners with the labels that were explained as known ones."""
    if not meanings or not has_cells(cells):
        return cells
    words = _folded(cells)
    return (
        words.to_frame("words")
        .select(
            pl.when(pl.col("words").is_in(list(meanings)))
            .then(pl.col("words").replace(dict(meanings)))
            .otherwise(cells.cast(pl.String))
            .alias(cells.name)
        )
        .to_series()
    )


def refuse_unused_labels(columns: Sequence[pl.Series], meanings: Mapping[str, str]) -> None:
    """Refuse labels that are in none of the columns of winners: they are misspelt.

    Raises:
        ConfigError: there is one.
    """
    there = {label for cells in columns if has_cells(cells) for label in _folded(cells).drop_nulls().unique()}
    if lost := [label for label in meanings if label not in there]:
        raise ConfigError(
            f"no winner is told as {lost[0]!r}.{did_you_mean(lost[0], there)}",
            where=f"--label {lost[0]}=...",
            fix=f"labels are {listing(sorted(there), limit=12)}",
        )


def with_policy_names(frame: pl.DataFrame, column: str, where: str) -> pl.DataFrame:
    """A column's winners that name one of their row's policies in other case or with spaces around, by its name; it is said."""
    if frame[column].dtype != pl.String:
        return frame
    told, words = frame[column], _folded(frame[column])
    exact = (
        (told == frame["policy_a"])
        | (told == frame["policy_b"])
        | words.str.strip_chars("[]").is_in(list(LABELS))
    )
    a, b = (words == _folded(frame[side]) for side in ("policy_a", "policy_b"))
    near = ((a != b) & ~exact).fill_null(False)
    if not near.any():
        return frame
    first = int(near.arg_true()[0])
    note(
        f"{where}: {counted(int(near.sum()), 'winner')} named in other case or with spaces read as the policy of that name, {told[first]!r} for one"
    )
    named = pl.when(near & a).then("policy_a").when(near).then("policy_b").otherwise(column)
    return frame.with_columns(named.alias(column))


def with_left(frame: pl.DataFrame, where: str, *, first_left: bool) -> pl.DataFrame:
    """``left`` as a or b, where the table says which answer stood there, as a side or by the policy's name, or the first did in every row (``first_left``)."""
    if first_left:
        return frame.with_columns(pl.lit("a").alias("left"))
    if "left" not in frame.columns:
        return frame
    told = pl.col("left")
    side = (
        pl.when(told == pl.col("policy_a"))
        .then(pl.lit("a"))
        .when(told == pl.col("policy_b"))
        .then(pl.lit("b"))
    )
    named = frame.with_columns(side.otherwise(told.str.to_lowercase()).alias("left"))
    unknown = named["left"].is_not_null() & ~named["left"].is_in(["a", "b"])
    refuse_rows(frame, unknown, "left", where, "is neither a, b, nor one of the two policies")
    return named


def by_policy(frame: pl.DataFrame, column: str, where: str) -> pl.DataFrame:
    """A column's winners told by their side of the screen (left, right) as those of policies, by what stood there.

    Raises:
        ConfigError: a row does not say which policy stood on the left.
    """
    if frame[column].dtype != pl.String:
        return frame
    label = frame[column].str.strip_chars().str.to_lowercase()
    by_side = label.is_in(["left", "right"]).fill_null(False)
    if not by_side.any():
        return frame
    left = (
        frame["left"]
        if "left" in frame.columns
        else pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    )
    if unknown := int((by_side & left.is_null()).sum()):
        raise ConfigError(
            f"{counted(unknown, 'cell')} of {column!r} {'is' if unknown == 1 else 'are'} left or right, and the row does not say which policy stood there",
            where=where,
            fix="say that the first policy of every row stood on the left: --first-left, or which column names the one that did: --column left=COLUMN",
        )
    won = pl.when((label == "left") == (left == "a")).then(pl.lit("model_a")).otherwise(pl.lit("model_b"))
    return frame.with_columns(pl.when(by_side).then(won).otherwise(column).alias(column))


def winners_told(frame: pl.DataFrame, columns: Columns, where: str) -> pl.Series:
    """:func:`~charm_rm.judgements.pair_rows.outcomes` of votes: what cannot be read is refused with the option that explains it."""
    try:
        return outcomes(frame, columns, where)
    except SchemaError as error:
        error.where = (error.where or where).replace(": judgements,", ": votes,")
        error.fix = _FIX
        raise


def _folded(cells: pl.Series) -> pl.Series:
    """Labels without case and spaces around, whole numbers as such."""
    return cells.cast(pl.String).str.strip_chars().str.to_lowercase().str.replace(r"^([+-]?\d+)\.0$", "${1}")


def numbers_told(cells: pl.Series) -> pl.Series | None:
    """The numbers in the cells that tell a verdict at all; None where one of these is no number."""
    words = cells.cast(pl.String).str.strip_chars().str.to_lowercase()
    told = words.filter(words.is_not_null() & ~words.is_in(list(NO_VERDICT)))
    numbers = told.cast(pl.Float64, strict=False)
    return None if numbers.null_count() else numbers
