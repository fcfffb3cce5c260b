"""Votes that exist already, as a finished study: people's as votes, those of automatic judges as models they are held against."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from ...errors import SchemaError, counted, listing
from ...judgements.checks import note
from ...judgements.prompts import prompt_hashes, prompt_keys
from ...provenance import source_record
from ...ratings.battles import ONE_HOT
from ...ratings.votes import NAMES_SHOWN
from ...tables import Responses
from ...text_hash import refuse_other_texts
from ..frame import KEY
from ..nouns import MAIN, Comparisons, Study, StudyModel, StudyVotes
from .checks import (
    blind_votes,
    first_turns,
    refuse_blank_prompts,
    refuse_missing_policies,
    say_unknown_policies,
    say_what_may_mislead,
    with_times,
)
from .columns import in_our_columns
from .hints import say_unused_models, whole_pairs
from .judges import judge_model, original_first, people_and_judges, that_all_judged
from .labels import (
    by_policy,
    label_meanings,
    refuse_unused_labels,
    with_left,
    with_meanings,
    with_policy_names,
)
from .models import ModelColumns, model_columns, model_of_columns, refuse_scores_of_the_chosen
from .people import people_votes, with_repeats
from .prompts import SEVERAL_IDS, Texts, match_prompts
from .shapes import flat_votes, with_a_row_each
from .texts import answer_columns, texts_in_votes

TARGET = "these comparisons"
_EXTRAS = ("left", "seconds", "comment", "voted_at")


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
    columns_of_models: Sequence[str] = (),
    columns_of_raters: Sequence[str] = (),
    labels: Sequence[str] = (),
    responses: Responses | None = None,
    texts: Mapping[str, Texts] | None = None,
) -> Study:
    """A study of the votes in a frame, of any of the layouts that :mod:`.columns` knows.

    Every comparison that people voted on weighs 1: what is estimated is about these comparisons, since nobody knows how they were chosen.
    Models are ``models``, then those in columns of the votes, then automatic judges in rows of their own (told by a column ``judge``).

    Args:
        where: what messages call the table.
        columns: field -> column, where names do not tell.
        people: names in the column ``judge`` that are people's; by default all that are not called like a model. ``all``: everybody's.
        original: the model that the others are compared with; the first by default.
        anonymous: votes whose rater is not named are taken, each as a person's of its own; without it they are refused.
        first_left: the first policy of every row stood on the left of the screen.
        models: of tables of their own.
        columns_of_models: ``NAME=COLUMN`` or ``NAME=COLUMN_A,COLUMN_B``: models whose verdicts or scores stand in columns of ``votes``.
        columns_of_raters: ``NAME=COLUMN``: people whose votes stand in a column of their own, each.
        labels: ``LABEL=WINNER``: what labels of winners mean that are not known by themselves.
        responses: the texts; every answer that is compared has to be there.
        texts: model -> the prompts' ids and texts of its table, for votes that have texts in place of ids, or other ids.

    Where one rater voted on one comparison again, the first vote counts (by ``voted_at`` where all rows tell it, else in the order of the
    file), the second is a repeat and tells consistency, later ones are dropped. Later turns of a conversation are dropped. Rows without a verdict, of a policy against itself, and comparisons on which a model has no verdict are dropped. All of this
    is counted in a warning and in ``provenance``.

    Raises:
        SchemaError: a field is missing, a label means nothing, nothing is left, or a text is missing in ``responses``.
        ConfigError: ``columns``, ``people`` or ``original`` name what is not there; raters are not named.
    """
    votes, columns = with_a_row_each(flat_votes(votes, where=where), columns_of_raters, columns or {})
    if columns_of_raters:
        refuse_scores_of_the_chosen(columns_of_models, votes.columns)
    read = _read(votes, columns, columns_of_models, labels, where, first_left=first_left)
    given = responses if responses is not None else texts_in_votes(votes, read.frame, read.found, where)
    matched = match_prompts(
        read.frame.drop("prompt", strict=False),
        models,
        given,
        own_ids=read.own_ids,
        texts=texts or {},
        where=where,
    )
    frame, later = first_turns(matched.votes.drop("text", strict=False))
    frame, seen = blind_votes(frame)
    judged = people_and_judges(frame, people, where)
    told, dropped = people_votes(judged.people, where, anonymous=anonymous)
    in_columns = [model_of_columns(votes, frame, one, where, labels=read.labels) for one in read.asked]
    in_rows = [judge_model(n, rows, where) for n, rows in judged.judges.items()]
    beside = original_first([*matched.models, *in_columns, *in_rows], original)
    say_unknown_policies(told, beside, where)
    told, unjudged = that_all_judged(told, beside)
    told, again = with_repeats(told)
    dropped |= {
        "no verdict of a model": unjudged,
        "a later turn, which is another prompt": later,
        NAMES_SHOWN: seen,
        SEVERAL_IDS: matched.dropped,
        "votes of one rater on one comparison beyond the second": again,
    }
    _say(dropped, told, where)
    told = with_times(told, where)
    comparisons = _comparisons(told)
    _refuse_missing_texts(comparisons, matched.responses)
    _check_scored_texts(comparisons, matched.responses, beside, where, given=responses is not None)
    return Study(
        name=name,
        comparisons=Comparisons(comparisons.drop("n_votes")),
        votes=_votes(told, comparisons),
        models=tuple(beside),
        responses=matched.responses,
        provenance={
            "verb": "import_votes",
            **source_record(where),
            "target": TARGET,
            "judges": sorted(judged.judges),
            "dropped": {reason: count for reason, count in dropped.items() if count},
            "repeats": int(told["repeat"].sum()),
        },
    )


@dataclass(frozen=True)
class _Read:
    """Votes under our names, with ``text`` beside ``prompt_id`` where the prompt's text is known; which column is which field; the models asked for; what labels mean."""

    frame: pl.DataFrame
    found: Mapping[str, str]
    asked: Sequence[ModelColumns]
    own_ids: bool
    labels: Mapping[str, str]


def _read(
    votes: pl.DataFrame,
    columns: Mapping[str, str],
    of_models: Sequence[str],
    labels: Sequence[str],
    where: str,
    *,
    first_left: bool,
) -> _Read:
    """The table under our names, and what in it may mean otherwise said."""
    asked = whole_pairs(votes, [model_columns(text, votes.columns) for text in of_models])
    taken = {column for one in asked for column in one.columns}
    frame, found = in_our_columns(votes, columns, but=taken, where=where)
    refuse_missing_policies(frame, where)
    meanings = label_meanings(labels)
    told = [votes[one.columns[0]] for one in asked if len(one.columns) == 1]
    refuse_unused_labels([frame["winner"], *told], meanings)
    frame = frame.with_columns(with_meanings(frame["winner"], meanings))
    frame = with_left(with_policy_names(frame, "winner", where), where, first_left=first_left)
    frame = by_policy(frame, "winner", where)
    frame, own_ids = _with_prompts(frame, votes.columns, where)
    say_what_may_mislead(votes, frame, list(found.values()), where)
    say_unused_models(
        votes, frame, {*found.values(), *ONE_HOT, *taken, *(answer_columns(votes, found) or ())}, where
    )
    return _Read(frame, found, asked, own_ids, meanings)


def _with_prompts(frame: pl.DataFrame, there: Sequence[str], where: str) -> tuple[pl.DataFrame, bool]:
    """The votes with ``prompt_id``, and ``text``, a hash of the prompt's text, where they have one; and whether the ids are their own."""
    if not {"prompt", "prompt_id"} & set(frame.columns):
        raise SchemaError(
            f"no column says which prompt was judged; found {listing(there, limit=20)}",
            where=where,
            fix="say which: --column prompt_id=COLUMN, or prompt=COLUMN for its text; votes without prompts are fitted by: charm ratings fit FILE",
        )
    refuse_blank_prompts(frame, where)
    keys = prompt_keys(frame, where)
    if "prompt" not in frame.columns:
        return frame.with_columns(keys), True
    text = prompt_hashes(frame["prompt"])
    own = "prompt_id" in frame.columns
    if not own and not keys.equals(text, check_names=False):
        return frame.with_columns(keys), True  # the column of prompts holds ids
    return frame.with_columns(keys, text), own


# --- the tables -----------------------------------------------------------------------------------


def _comparisons(votes: pl.DataFrame) -> pl.DataFrame:
    """A row per comparison, numbered in the order of prompts and policies."""
    table = votes.group_by(KEY).agg((~pl.col("repeat")).sum().alias("n_votes")).sort(KEY)
    width = len(str(table.height))
    number = (pl.int_range(pl.len()) + 1).cast(pl.String).str.zfill(width)
    return table.with_columns(
        pl.format("c{}", number).alias("comparison_id"),
        pl.lit(MAIN).alias("kind"),
        pl.lit(1.0).alias("inclusion"),
        pl.col("n_votes").clip(lower_bound=1).cast(pl.Int64).alias("votes_wanted"),
    )


def _votes(frame: pl.DataFrame, comparisons: pl.DataFrame) -> StudyVotes:
    named = frame.join(comparisons.select(*KEY, "comparison_id"), on=KEY, how="left", maintain_order="left")
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


def _check_scored_texts(
    comparisons: pl.DataFrame,
    responses: Responses | None,
    models: Sequence[StudyModel],
    where: str,
    *,
    given: bool,
) -> None:
    """Refuse scores of other texts than those compared, where scores keep their texts' hashes; of texts that the rows brought it is said.

    Raises:
        SchemaError: the responses that were ``given`` are other texts.
    """
    if responses is None:
        return
    sides = [
        comparisons.select("prompt_id", pl.col(side).alias("policy")) for side in ("policy_a", "policy_b")
    ]
    compared = Responses(responses.frame.join(pl.concat(sides), on=["prompt_id", "policy"], how="semi"))
    for model in models:
        try:
            if model.scores is not None:
                refuse_other_texts(model.scores, compared)
        except SchemaError as error:
            if given:
                raise
            note(f"{where}: {model.name!r}: {error.what}")


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
        "texts": study.responses is not None,
        "target": study.provenance.get("target"),
        "dropped": study.provenance.get("dropped", {}),
    }
