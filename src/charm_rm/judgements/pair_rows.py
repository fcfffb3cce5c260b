"""Rows of a prompt, two models and who won: the Arena's columns, and the many ways to say the outcome."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import polars as pl

from ..errors import SchemaError
from ..reading.resolve import option
from ..statistics import sigmoid
from .checks import NO_VERDICT, first_turn, note, refuse_rows
from .prompts import COLUMNS as PROMPTS
from .prompts import prompt_keys

# Log-odds in favour of A. Arena-Hard's own score counts a strong verdict as three slight ones; so does this.
VERDICTS = {
    "A>>B": 3.0,
    "A>B": 1.0,
    "A=B": 0.0,
    "B>A": -1.0,
    "B>>A": -3.0,
    "B<<A": 3.0,
    "B<A": 1.0,
    "B=A": 0.0,
    "A<B": -1.0,
    "A<<B": -3.0,
}
SIDES = (("model_a", "model_b"), ("policy_a", "policy_b"), ("model_1", "model_2"))
OUTCOMES = ("winner", "verdict", "judgement", "judgment", "preference", "label", "choice")
_SCORES = {"score_a", "score_b"}
USED = {*(name for pair in SIDES for name in pair), *OUTCOMES, *PROMPTS, *_SCORES, "turn"}
_FIRST = ("a", "model_a", "policy_a", "model_1", "response_a", "answer_a", "assistant_a", "first")
_SECOND = ("b", "model_b", "policy_b", "model_2", "response_b", "answer_b", "assistant_b", "second")
_TIES = (
    "c",
    "tie",
    "tie (bothbad)",
    "tie(bothbad)",
    "tie (both bad)",
    "both bad",
    "both_bad",
    "bothbad",
    "both good",
    "both_good",
    "bothgood",
    "tie (inconsistent)",
    "draw",
    "equal",
    "same",
)
# Of a label in lower case, without brackets: the probability that the first model is preferred.
LABELS = {
    **dict.fromkeys(_FIRST, 1.0),
    **dict.fromkeys(_SECOND, 0.0),
    **dict.fromkeys(_TIES, 0.5),
    **{label.casefold(): float(sigmoid(odds)) for label, odds in VERDICTS.items()},
}
_ONE_TWO = {"1": 1.0, "2": 0.0, "0": 0.5, "1.5": 0.5}
_SIGNED = {"1": 1.0, "-1": 0.0, "0": 0.5}
_NUMBER = r"^[+-]?\d+(?:\.\d+)?$"


class Columns(NamedTuple):
    """Where a table has the two models, in the order in which the judge saw them, and the outcome."""

    first: str
    second: str
    outcome: str


def pair_columns(columns: Iterable[str]) -> Columns | None:
    """The columns of two models and an outcome; None where they are not all there, or where both sides have scores: these count."""
    names = set(columns)
    if names >= _SCORES:
        return None
    sides = next((pair for pair in SIDES if names.issuperset(pair)), None)
    outcome = next((c for c in OUTCOMES if c in names), None)
    return None if sides is None or outcome is None else Columns(*sides, outcome)


def pair_rows(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """prompt_id, policy (the first model), reference and ``p``: 1, ½ or 0; the mean where a judge was asked several times.

    Raises:
        SchemaError: no prompt, a label that means nothing, or 0 and 1 alone, which may mean two things.
    """
    found = pair_columns(frame.columns)
    if found is None:
        raise SchemaError("no two models and an outcome", where=where, fix="add model_a, model_b, winner")
    frame = first_turn(frame, where)
    p = outcomes(frame, found, where)
    _refuse_another_outcome(frame, found, p, where)
    judged = frame.select(
        prompt_keys(frame, where),
        pl.col(found.first).alias("policy"),
        pl.col(found.second).alias("reference"),
        p,
    )
    return _averaged(judged, where)


def _refuse_another_outcome(frame: pl.DataFrame, found: Columns, p: pl.Series, where: str) -> None:
    """Refuse a table in which another column says who won, too, and says otherwise. One that holds anything else is no outcome.

    Only who is preferred is compared: ``A`` and ``A>>B`` agree. A row in which either has no verdict says nothing.
    """
    for column in (c for c in OUTCOMES if c in frame.columns and c != found.outcome):
        try:
            other = outcomes(frame, found._replace(outcome=column), where)
        except SchemaError:
            continue
        differ = ((other - 0.5).sign() != (p - 0.5).sign()).fill_null(False)
        if differ.any():
            at = int(differ.arg_true()[0])
            raise SchemaError(
                f"columns {found.outcome!r} and {column!r} both say who won, and they differ: "
                f"{frame[found.outcome][at]!r} and {frame[column][at]!r} ({int(differ.sum())} such rows)",
                where=f"{where}: judgements, row {frame['row'][at]}",
                fix=f"say which: {option('winner', found.outcome)} or {option('winner', column)}",
            )


def outcomes(frame: pl.DataFrame, columns: Columns, where: str) -> pl.Series:
    """The probability ``p`` that the first model is preferred; null for no verdict.

    An outcome is the name of a model, a label (``model_a``, ``A``, ``[[A]]``, ``A>>B``, ``tie``, ``tie (bothbad)``, ``C``) or a
    number: 1, 2 and 0 or 1.5 (first, second, tie), or 1, -1 and 0.
    """
    told = _as_labels(frame[columns.outcome], where)
    label = told.str.strip_chars(" \t[]").str.to_lowercase().str.replace(r"^([+-]?\d+)\.0$", "${1}")
    label = label.str.replace(r"^(model|response|answer|assistant) ", "${1}_")
    names = frame.select(
        pl.when(told == pl.col(columns.first))
        .then(1.0)
        .when(told == pl.col(columns.second))
        .then(0.0)
        .alias("p")
    )["p"]
    known = LABELS | _numbers(label, columns.outcome, where)
    labels = label.replace_strict(known, default=None, return_dtype=pl.Float64)
    both = names.is_not_null() & labels.is_not_null() & (names != labels)
    complaint = "is the name of one model and the label of the other"
    refuse_rows(frame, both, columns.outcome, where, complaint, shown=told)
    p = names.fill_null(labels) if labels.len() else names
    unknown = p.is_null() & label.is_not_null() & ~label.is_in(list(NO_VERDICT))
    complaint = "is neither of the two models' names, nor a known label (model_a, A, [[A]], A>B, 1, tie ...)"
    refuse_rows(frame, unknown, columns.outcome, where, complaint, shown=told)
    return p.alias("p")


def has_cells(column: pl.Series) -> bool:
    """Whether a column holds one text, number or flag a row: no lists, objects or bytes."""
    return not (column.dtype.is_nested() or column.dtype in (pl.Object, pl.Binary))


def _as_labels(outcome: pl.Series, where: str) -> pl.Series:
    """Outcomes as text, null for none."""
    if not has_cells(outcome):
        raise SchemaError(
            f"column {outcome.name!r} should hold labels, found {outcome.dtype}",
            where=where,
            fix="write who won: model_a, model_b or tie",
        )
    return (outcome.fill_nan(None) if outcome.dtype.is_float() else outcome).cast(pl.String)


def _numbers(label: pl.Series, column: str, where: str) -> dict[str, float]:
    """What numbers mean among these labels, by those that are there.

    Raises:
        SchemaError: 0 and 1 alone: 0 may be a tie, or the second model; or 2 beside -1.
    """
    told = set(label.filter(label.str.contains(_NUMBER).fill_null(False)).unique())
    if not told:
        return {}
    if ("2" in told) == ("-1" in told):
        raise SchemaError(
            f"column {column!r} holds the numbers {', '.join(sorted(told))}, which may mean several things",
            where=where,
            fix="write model_a, model_b or tie (numbers are known as 1, 2 and 0, or as 1, -1 and 0)",
        )
    return _ONE_TWO if "2" in told else _SIGNED


def _averaged(judged: pl.DataFrame, where: str) -> pl.DataFrame:
    """One row per prompt and pair in this order, p its mean; rows without a verdict stay, to be counted as such."""
    told = judged.filter(pl.col("p").is_not_null())
    key = ["prompt_id", "policy", "reference"]
    once = told.group_by(key, maintain_order=True).agg(pl.col("p").mean())
    if again := told.height - once.height:
        note(
            f"{where}: {again} of {told.height} judgements repeat a prompt and pair: the mean of each counts"
        )
    return pl.concat([once, judged.filter(pl.col("p").is_null())])
