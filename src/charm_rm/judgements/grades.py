"""A judge's grades of single answers -> Scores: MT-Bench's, and tables of one's own with a judge beside every score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import polars as pl

from ..errors import SchemaError
from ..tables import TEXT, Scores, with_kinds
from .checks import NO_VERDICT, first_turn, note, refuse_rows
from .prompts import COLUMNS as PROMPTS
from .prompts import names_a_prompt, prompt_keys

POLICIES = ("policy", "model", "generator")
GRADES = ("score", "rating", "grade")
JUDGES = ("annotator", "judge")
USED = {*POLICIES, *GRADES, *JUDGES, *PROMPTS, "turn"}
_OUT_OF = r"^\[*\s*([+-]?\d+(?:\.\d+)?)\s*(?:/\s*(\d+))?\s*\]*$"


class Columns(NamedTuple):
    """Where a table of grades has the policy and its grade."""

    policy: str
    grade: str


def grade_columns(columns: Iterable[str]) -> Columns | None:
    """The columns of a judge's grades of single answers; None for any other table, plain scores among them.

    They are told by a judge (``judge``, ``annotator``), or by MT-Bench's ``question_id`` and ``turn``.
    """
    names = set(columns)
    policy = next((c for c in POLICIES if c in names), None)
    grade = next((c for c in GRADES if c in names), None)
    judged = names & {*JUDGES} or names >= {"question_id", "turn"}
    if policy is None or grade is None or not judged or not names_a_prompt(names):
        return None
    return None if names & {"reference", "games", "margin", "win_rate"} else Columns(policy, grade)


def graded_rows(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """prompt_id, policy and score of a table of grades; null where the judge gave none. Of several turns the first counts.

    Raises:
        SchemaError: a grade that is no number, or no prompt.
    """
    found = grade_columns(frame.columns)
    if found is None:
        raise SchemaError("no model and its score", where=where, fix="add model, score and judge")
    frame = first_turn(frame, where)
    score = _as_numbers(frame, found.grade, where)
    if _is_mt_bench(frame, found):  # what MT-Bench writes where it found no rating in the judge's answer
        score = score.set(score == -1, None)
    policy = with_kinds(frame, {found.policy: TEXT}, noun="judgements")[found.policy]
    return pl.DataFrame([prompt_keys(frame, where), policy.alias("policy"), score.alias("score")])


def _is_mt_bench(frame: pl.DataFrame, found: Columns) -> bool:
    return found == Columns("model", "score") and "question_id" in frame.columns


def _as_numbers(frame: pl.DataFrame, column: str, where: str) -> pl.Series:
    """Grades as numbers: 8, "8", "[[8]]" and "8/10" are 8; what stands for no verdict is null."""
    grades = frame[column]
    if grades.dtype.is_numeric():
        return grades.cast(pl.Float64).fill_nan(None)
    if grades.dtype != pl.String:
        raise SchemaError(
            f"column {column!r} should hold numbers, found {grades.dtype}",
            where=where,
            fix="write a number a row",
        )
    parts = grades.str.strip_chars().str.extract_groups(_OUT_OF).struct.unnest()
    number, out_of = parts.to_series(0).cast(pl.Float64), parts.to_series(1)
    silent = grades.is_null() | grades.str.strip_chars().str.to_lowercase().is_in(list(NO_VERDICT))
    refuse_rows(frame, number.is_null() & ~silent, column, where, "is no number", shown=grades)
    if out_of.drop_nulls().n_unique() > 1:
        raise SchemaError(
            f"column {column!r} holds grades out of {' and out of '.join(sorted(out_of.drop_nulls().unique()))}",
            where=where,
            fix="bring them to one scale",
        )
    return number


def as_scores(
    graded: pl.DataFrame, *, where: str, provenance: Mapping[str, Any], dropped: Mapping[str, int]
) -> Scores:
    """Scores of graded rows (prompt_id, policy, score), the mean where one response was graded several times.

    Args:
        graded: rows; without a grade, score is null: these are left out and counted.
        where: the file, for messages.
        provenance: of the scores; what was dropped is added.
        dropped: what was left out before, by reason.

    Raises:
        SchemaError: no grade is left.
    """
    told = graded.drop_nulls("score")
    counts = {**dropped, "no verdict": graded.height - told.height}
    total = graded.height + sum(dropped.values())
    for reason, count in counts.items():
        if count:
            note(f"{where}: {count} of {total} judgements dropped: {reason}")
    if told.height == 0:
        raise SchemaError("no judgement is left", where=where, fix="check the file")
    scores = told.group_by("prompt_id", "policy", maintain_order=True).agg(pl.col("score").mean())
    if again := told.height - scores.height:
        note(
            f"{where}: {again} of {told.height} judgements repeat a prompt and policy: the mean of each counts"
        )
    record = dict(provenance) | {"dropped": {k: v for k, v in counts.items() if v}, "averaged": again}
    return Scores(scores, provenance=record)
