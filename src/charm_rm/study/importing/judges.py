"""Judges of a table of votes: rows of people told from those of automatic judges, which become models; what models have no verdict on."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from ...errors import ConfigError, ReadingNote, SchemaError, listing
from ...judgements.margins import as_margins
from ...judgements.pair_rows import pair_rows
from ...provenance import source_record
from ...ratings.votes import is_automatic
from ..frame import KEY, margin_column, refuse_same_names, with_margins
from ..nouns import StudyModel
from .columns import NOUN

EVERYBODY = "all"


@dataclass(frozen=True)
class Judged:
    """People's votes, and the judges beside them by name, all with prompt_id, policy_a, policy_b, winner and row."""

    people: pl.DataFrame
    judges: Mapping[str, pl.DataFrame]


def people_and_judges(frame: pl.DataFrame, people: Collection[str], where: str) -> Judged:
    """Rows of people, and rows of each automatic judge."""
    if "judge" not in frame.columns:
        if set(people) - {EVERYBODY}:
            raise ConfigError(
                f"people are called {listing(people)}, and no column says who judged",
                where=where,
                fix="say which column it is: --column judge=COLUMN",
            )
        return Judged(frame, {})
    known = frame["judge"].drop_nulls().unique().sort().to_list()
    mine = _people_of(known, people, where)
    judges = [name for name in known if name not in mine]
    if judges:
        text = f"{where}: taken for people: {listing(mine, limit=6)}; for automatic judges: {listing(judges, limit=6)}"
        warnings.warn(f"{text} (--people NAME says otherwise)", ReadingNote, stacklevel=4)
    told = frame.filter(~pl.col("judge").is_in(judges).fill_null(False))
    if told.is_empty():
        raise SchemaError(f"{NOUN}: no row is one of people", where=where, fix="name them: --people NAME")
    return Judged(told, {name: frame.filter(pl.col("judge") == name) for name in judges})


def _people_of(known: Sequence[str], people: Collection[str], where: str) -> list[str]:
    if EVERYBODY in people:
        return list(known)
    if lost := sorted(set(people) - set(known)):
        raise ConfigError(
            f"nobody is called {listing(lost)} in the column of judges",
            where=where,
            fix=f"choose of {listing(known, limit=12)}",
        )
    return [name for name in known if name in people or not (people or is_automatic(name))]


def judge_model(name: str, rows: pl.DataFrame, where: str) -> StudyModel:
    """A judge's rows as margins; the mean where it was asked in both orders, or again."""
    rows = rows.select(
        "row", "prompt_id", pl.col("policy_a").alias("model_a"), pl.col("policy_b").alias("model_b"), "winner"
    )
    record = {"verb": "import_votes", "annotator": name, **source_record(where)}
    return StudyModel(
        name, margins=as_margins(pair_rows(rows, where), where=f"{where}, {name}", provenance=record)
    )


def original_first(models: Sequence[StudyModel], original: str | None) -> list[StudyModel]:
    refuse_same_names(models)
    names = [one.name for one in models]
    if original is None:
        return list(models)
    if original not in names:
        raise ConfigError(
            f"no model is called {original!r}",
            where="--original",
            fix=f"choose of {listing(names, limit=12) or 'the models given with --scores, --judgements or --model'}",
        )
    return sorted(models, key=lambda one: one.name != original)


def that_all_judged(frame: pl.DataFrame, models: Sequence[StudyModel]) -> tuple[pl.DataFrame, int]:
    """Votes on comparisons on which every model has a verdict, and how many are left out."""
    judged = with_margins(frame.select(KEY), models)
    kept = pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
    for model in models:
        known = judged[margin_column(model.name)].is_not_null()
        if not (kept & known).any():
            raise SchemaError(
                f"{model.name!r} has no verdict on any comparison that people voted on and the models before it judged",
                fix="ids of prompts or names of policies differ: name the columns with --column, or use the same names; prompts are matched "
                "by their texts, too, where both tables have them (--column prompt=COLUMN, --responses TABLE)",
            )
        kept = kept & known
    return frame.filter(kept), int((~kept).sum())
