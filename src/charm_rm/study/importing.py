"""Votes that exist already, as a finished study: people's as votes, those of automatic judges as models they are held against."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ..errors import ConfigError, ReadingNote, SchemaError, counted, listing
from ..judgements.checks import note, refuse_rows
from ..judgements.margins import as_margins
from ..judgements.pair_rows import Columns, outcomes, pair_rows
from ..judgements.prompts import prompt_keys
from ..provenance import source_record
from ..ratings.votes import is_automatic
from ..tables import Responses
from .frame import margin_column, with_margins
from .import_checks import (
    earliest_first,
    first_turns,
    refuse_missing_policies,
    say_unknown_policies,
    say_what_may_mislead,
)
from .nouns import MAIN, Comparisons, Study, StudyModel, StudyVotes
from .vote_columns import NOUN, in_our_columns

EVERYBODY = "all"
TARGET = "these comparisons"
_BOTH_BAD = r"both[ _-]?bad"
_KEY = ["prompt_id", "policy_a", "policy_b"]
_EXTRAS = ("left", "seconds", "comment", "voted_at")


@dataclass(frozen=True)
class _Judged:
    """People's votes, and the judges beside them by name, all with prompt_id, policy_a, policy_b, winner and row."""

    people: pl.DataFrame
    judges: Mapping[str, pl.DataFrame]


def import_votes(
    votes: pl.DataFrame,
    *,
    where: str,
    name: str,
    columns: Mapping[str, str] | None = None,
    people: Collection[str] = (),
    original: str | None = None,
    anonymous: bool = False,
    first_left: bool = False,
    models: Sequence[StudyModel] = (),
    responses: Responses | None = None,
) -> Study:
    """A study of the votes in a frame, of any of the layouts that :mod:`.vote_columns` knows.

    Every comparison that people voted on weighs 1: what is estimated is about these comparisons, since nobody knows how they were chosen.
    Votes of automatic judges in the same table (told by a column ``judge``) become models with margins, after ``models``.

    Args:
        where: what messages call the table.
        columns: field -> column, where names do not tell.
        people: names in the column ``judge`` that are people's; by default all that are not called like a model. ``all``: everybody's.
        original: the model that the others are compared with; the first by default.
        anonymous: votes whose rater is not named are taken, each as a person's of its own; without it they are refused.
        first_left: the first policy of every row stood on the left of the screen.
        responses: the texts; every answer that is compared has to be there.

    Where one rater voted on one comparison again, the first vote counts (by ``voted_at`` where all rows tell it, else in the order of the
    file), the second is a repeat and tells consistency, later ones are dropped. Later turns of a conversation are dropped. Rows without a verdict, of a policy against itself, and comparisons on which a model has no verdict are dropped. All of this
    is counted in a warning and in ``provenance``.

    Raises:
        SchemaError: a field is missing, a label means nothing, nothing is left, or a text is missing in ``responses``.
        ConfigError: ``columns``, ``people`` or ``original`` name what is not there; raters are not named.
    """
    frame = in_our_columns(votes, columns or {}, where=where)
    refuse_missing_policies(frame, where)
    frame = frame.with_columns(prompt_keys(frame, where))
    say_what_may_mislead(votes, frame, list((columns or {}).values()), where)
    frame, later = first_turns(frame.drop("prompt", strict=False))
    judged = _people_and_judges(frame, people, where)
    told, dropped = _people_votes(judged.people, where, anonymous=anonymous, first_left=first_left)
    found = [*models, *(_judge(n, rows, where) for n, rows in judged.judges.items())]
    found = _original_first(found, original)
    say_unknown_policies(told, found, where)
    told, unjudged = _that_all_judged(told, found)
    dropped |= {"no verdict of a model": unjudged, "a later turn, which is another prompt": later}
    told, again = _repeats(told)
    dropped |= {"votes of one rater on one comparison beyond the second": again}
    _say(dropped, told, where)
    comparisons = _comparisons(told)
    _refuse_missing_texts(comparisons, responses)
    return Study(
        name=name,
        comparisons=Comparisons(comparisons.drop("n_votes")),
        votes=_votes(told, comparisons),
        models=tuple(found),
        responses=responses,
        provenance={
            "verb": "import_votes",
            **source_record(where),
            "target": TARGET,
            "judges": sorted(judged.judges),
            "dropped": {reason: count for reason, count in dropped.items() if count},
            "repeats": int(told["repeat"].sum()),
        },
    )


# --- who judged -----------------------------------------------------------------------------------


def _people_and_judges(frame: pl.DataFrame, people: Collection[str], where: str) -> _Judged:
    """Rows of people, and rows of each automatic judge."""
    if "judge" not in frame.columns:
        if set(people) - {EVERYBODY}:
            raise ConfigError(
                f"people are called {listing(people)}, and no column says who judged",
                where=where,
                fix="say which column it is: --column judge=COLUMN",
            )
        return _Judged(frame, {})
    known = frame["judge"].drop_nulls().unique().sort().to_list()
    mine = _people_of(known, people, where)
    judges = [name for name in known if name not in mine]
    if judges:
        text = f"{where}: taken for people: {listing(mine, limit=6)}; for automatic judges: {listing(judges, limit=6)}"
        warnings.warn(f"{text} (--people NAME says otherwise)", ReadingNote, stacklevel=4)
    told = frame.filter(~pl.col("judge").is_in(judges).fill_null(False))
    if told.is_empty():
        raise SchemaError(f"{NOUN}: no row is one of people", where=where, fix="name them: --people NAME")
    return _Judged(told, {name: frame.filter(pl.col("judge") == name) for name in judges})


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


def _judge(name: str, rows: pl.DataFrame, where: str) -> StudyModel:
    """A judge's rows as margins; the mean where it was asked in both orders, or again."""
    rows = rows.select(
        "row", "prompt_id", pl.col("policy_a").alias("model_a"), pl.col("policy_b").alias("model_b"), "winner"
    )
    record = {"verb": "import_votes", "annotator": name, **source_record(where)}
    return StudyModel(
        name, margins=as_margins(pair_rows(rows, where), where=f"{where}, {name}", provenance=record)
    )


def _original_first(models: Sequence[StudyModel], original: str | None) -> list[StudyModel]:
    names = [one.name for one in models]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ConfigError(
            f"two models are called {listing(twice)}", fix="name them apart: NAME=FILE, or leave one out"
        )
    if original is None:
        return list(models)
    if original not in names:
        raise ConfigError(
            f"no model is called {original!r}",
            where="--original",
            fix=f"choose of {listing(names, limit=12) or 'the models given with --scores or --judgements'}",
        )
    return sorted(models, key=lambda one: one.name != original)


# --- people's votes -------------------------------------------------------------------------------


def _people_votes(
    frame: pl.DataFrame, where: str, *, anonymous: bool, first_left: bool
) -> tuple[pl.DataFrame, dict[str, int]]:
    """Votes with rater, winner (a, b, tie, both_bad) and policies in order, and how many rows were dropped, by reason."""
    frame = frame.with_columns(_winners(frame, where))
    silent = frame["winner"].is_null()
    itself = (frame["policy_a"] == frame["policy_b"]).fill_null(False) & ~silent
    dropped = {"no verdict": int(silent.sum()), "a policy against itself": int(itself.sum())}
    frame = frame.filter(~silent & ~itself)
    if frame.is_empty():
        raise SchemaError(
            f"{NOUN}: no vote of people is left", where=where, fix="check the column of winners"
        )
    frame = frame.with_columns(_raters(frame, where, anonymous=anonymous))
    frame = frame.with_columns(pl.lit("a").alias("left")) if first_left else _with_left(frame, where)
    return _in_order(frame), dropped


def _with_left(frame: pl.DataFrame, where: str) -> pl.DataFrame:
    """``left`` as a or b, where the table says which answer stood there, as a side or by the policy's name."""
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


def _winners(frame: pl.DataFrame, where: str) -> pl.Series:
    """Who won, by any label, number or name that judgements know; null for no verdict."""
    p = outcomes(frame, Columns("policy_a", "policy_b", "winner"), where)
    label = frame["winner"].cast(pl.String).str.to_lowercase()
    tie = (
        pl.when(label.str.contains(_BOTH_BAD).fill_null(False))
        .then(pl.lit("both_bad"))
        .otherwise(pl.lit("tie"))
    )
    side = pl.when(pl.col("p") > 0.5).then(pl.lit("a")).when(pl.col("p") < 0.5).then(pl.lit("b"))
    winner = pl.when(pl.col("p").is_not_null()).then(side.otherwise(tie))
    return p.to_frame().select(winner.alias("winner"))["winner"]


def _raters(frame: pl.DataFrame, where: str, *, anonymous: bool) -> pl.Series:
    """Who voted: the column of raters, else of judges. Nobody's vote is a person's of its own, where that is asked for."""
    column = next((c for c in ("rater", "judge") if c in frame.columns), None)
    nobody = pl.repeat(None, frame.height, dtype=pl.String, eager=True)
    names = nobody if column is None else frame[column]
    unnamed = names.is_null() | (names.str.strip_chars() == "")
    if not anonymous and unnamed.any():
        row = int(frame["row"][int(unnamed.arg_true()[0])])
        raise ConfigError(
            f"{int(unnamed.sum())} of {frame.height} votes do not say who voted, so nobody knows which belong together",
            where=f"{where}, row {row}",
            fix="say which column it is: --column rater=COLUMN, or take each as a person's of its own: --anonymous",
        )
    own = pl.select(pl.format("unnamed {}", frame["row"])).to_series()
    return names.zip_with(~unnamed, own).alias("rater")


def _in_order(frame: pl.DataFrame) -> pl.DataFrame:
    """policy_a before policy_b, as the noun has them; winner and left go with them."""
    swap = pl.col("policy_a") > pl.col("policy_b")
    other = {"a": "b", "b": "a"}
    sides = [c for c in ("winner", "left") if c in frame.columns]
    return frame.with_columns(
        pl.min_horizontal("policy_a", "policy_b").alias("policy_a"),
        pl.max_horizontal("policy_a", "policy_b").alias("policy_b"),
        *(pl.when(swap).then(pl.col(c).replace(other)).otherwise(c).alias(c) for c in sides),
    )


def _repeats(frame: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """``repeat`` on a rater's second vote on a comparison; later ones are dropped and counted."""
    frame = earliest_first(frame)
    turn = pl.int_range(pl.len()).over(*_KEY, "rater")
    kept = frame.with_columns(turn.alias("_turn")).filter(pl.col("_turn") < 2)
    return kept.with_columns((pl.col("_turn") == 1).alias("repeat")).drop("_turn"), frame.height - kept.height


# --- what models say ------------------------------------------------------------------------------


def _that_all_judged(frame: pl.DataFrame, models: Sequence[StudyModel]) -> tuple[pl.DataFrame, int]:
    """Votes on comparisons on which every model has a verdict, and how many are left out."""
    judged = with_margins(frame.select(_KEY), models)
    kept = pl.repeat(True, frame.height, dtype=pl.Boolean, eager=True)
    for model in models:
        known = judged[margin_column(model.name)].is_not_null()
        if not (kept & known).any():
            raise SchemaError(
                f"{model.name!r} has no verdict on any comparison that people voted on and the models before it judged",
                fix="ids of prompts or names of policies differ: name the columns with --column, or use the same names",
            )
        kept = kept & known
    return frame.filter(kept), int((~kept).sum())


# --- the tables -----------------------------------------------------------------------------------


def _comparisons(votes: pl.DataFrame) -> pl.DataFrame:
    """A row per comparison, numbered in the order of prompts and policies."""
    table = votes.group_by(_KEY).agg((~pl.col("repeat")).sum().alias("n_votes")).sort(_KEY)
    width = len(str(table.height))
    number = (pl.int_range(pl.len()) + 1).cast(pl.String).str.zfill(width)
    return table.with_columns(
        pl.format("c{}", number).alias("comparison_id"),
        pl.lit(MAIN).alias("kind"),
        pl.lit(1.0).alias("inclusion"),
        pl.col("n_votes").clip(lower_bound=1).cast(pl.Int64).alias("votes_wanted"),
    )


def _votes(frame: pl.DataFrame, comparisons: pl.DataFrame) -> StudyVotes:
    named = frame.join(comparisons.select(*_KEY, "comparison_id"), on=_KEY, how="left", maintain_order="left")
    extras = [c for c in _EXTRAS if c in named.columns]
    return StudyVotes(named.select("comparison_id", "rater", "winner", "repeat", *extras))


def _refuse_missing_texts(comparisons: pl.DataFrame, responses: Responses | None) -> None:
    if responses is None:
        return
    there = responses.frame.select("prompt_id", "policy")
    for side in ("policy_a", "policy_b"):
        lost = comparisons.join(
            there, left_on=["prompt_id", side], right_on=["prompt_id", "policy"], how="anti"
        )
        if lost.height:
            row = lost.row(0, named=True)
            raise SchemaError(
                f"responses: no answer of {row[side]!r} to prompt {row['prompt_id']!r}, which people voted on "
                f"({counted(lost.height, 'comparison')} of {comparisons.height} lack one)",
                fix="give all answers, name the columns (--column responses.prompt_id=...), or leave out --responses",
            )


def _say(dropped: Mapping[str, int], votes: pl.DataFrame, where: str) -> None:
    told = [f"{count} ({reason})" for reason, count in dropped.items() if count]
    if told:
        note(f"{where}: votes left out: {', '.join(told)}")
    if again := int(votes["repeat"].sum()):
        note(
            f"{where}: {counted(again, 'vote')} on a comparison that the rater had voted on already: the first one counts, "
            "the second tells consistency"
        )


def study_summary(study: Study) -> dict[str, Any]:
    """What was imported, in numbers."""
    votes = study.votes.frame
    return {
        "name": study.name,
        "comparisons": len(study.comparisons),
        "prompts": study.comparisons.frame["prompt_id"].n_unique(),
        "policies": len(study.policies),
        "votes": int((~votes["repeat"]).sum()),
        "repeats": int(votes["repeat"].sum()),
        "raters": votes["rater"].n_unique(),
        "models": [one.name for one in study.models],
        "target": study.provenance.get("target"),
        "dropped": study.provenance.get("dropped", {}),
    }
