"""Whose judgements, where a table or folder holds those of several judges: one is chosen, and nobody's are mixed unasked."""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from ..errors import ConfigError, did_you_mean, listing
from ..reading import name_texts

EVERYBODY = "all"
# A judge and its prompt as a list that some tool wrote into a cell: ['gpt-4', 'single-v1'].
_PRINTED_PAIR = r"""^[\[(]\s*['"]([^'"]+)['"]\s*,\s*['"][^'"]*['"]\s*[\])]$"""
JUDGES = ("annotator", "judge", "evaluator", "judge_model", "judge_name")


def of_judge(frame: pl.DataFrame, judge: str | None, where: str) -> tuple[pl.DataFrame, str | None]:
    """The rows of one judge (a column of :data:`JUDGES`), and who that is: the one asked for, or the only one there is.

    ``all`` asks for everybody's, people's for instance, where no judge is called so: several judgements of one thing are averaged then.

    Raises:
        ConfigError: there are several (rows that name nobody beside rows that do, too) and none is chosen, or the one chosen is not there.
    """
    column = next((c for c in JUDGES if c in frame.columns), None)
    if column is None:
        return frame, judge
    frame = frame.with_columns(judge_names(frame[column]))
    known = frame[column].drop_nulls().unique().to_list()
    unnamed = frame[column].null_count()
    if judge == EVERYBODY and EVERYBODY not in known:
        return frame, EVERYBODY
    if judge is None and known and unnamed:
        raise ConfigError(
            f"{unnamed} of {frame.height} judgements name no judge, others name {listing(sorted(known), limit=12)}",
            where=where,
            fix="choose one with --judge NAME (annotator=), or name a judge in every row",
        )
    chosen = choose(known, judge, where)
    return (frame if chosen is None else frame.filter(pl.col(column) == chosen)), chosen


def judge_names(names: pl.Series) -> pl.Series:
    """Names of judges as text; of MT-Bench's, model and prompt, the model: its prompts differ by question and turn."""
    if names.dtype == pl.List(pl.String):
        return names.list.first()
    texts = name_texts(names)
    return texts.str.extract(_PRINTED_PAIR).fill_null(texts)


def choose(names: Collection[str], judge: str | None, where: str) -> str | None:
    """The judge asked for, or the only one there is; None where nobody is named.

    Raises:
        ConfigError: there are several and none is chosen, or the one chosen is not there.
    """
    known = sorted(names)
    if judge is None and len(known) > 1:
        raise ConfigError(
            f"judgements of {len(known)} judges: {listing(known, limit=12)}",
            where=where,
            fix="choose one with --judge NAME (annotator=), or all; where a command has no --judge, write one judge's with charm convert FILE --judge "
            "NAME -o FILE",
        )
    if judge is not None and known and judge not in known:
        raise ConfigError(
            f"no judgements of judge {judge!r}.{did_you_mean(judge, known)}",
            where=where,
            fix=f"choose one of {listing(known, limit=12)}",
        )
    return judge if judge is not None else next(iter(known), None)
