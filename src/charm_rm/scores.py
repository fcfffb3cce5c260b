"""Scores as people have them: reading any table that holds a reward of each policy on each prompt."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from .conversations import as_conversation, prompt_hash, prompt_ids, uniform_prompts
from .errors import (
    ConfigError,
    NoModels,
    ReadingNote,
    SchemaError,
    SeveralModels,
    SeveralSamples,
    counted,
    listing,
)
from .policy_names import near_policies
from .provenance import source_record
from .reading.repeats import check_told_apart
from .reading.resolve import option
from .reading.score_layouts import long_scores
from .samples import CHOICES, KEY, has_samples, numbered, one_of_each
from .settings import Sample, TableSettings
from .store import naming, payload_of, read_conversations, restored
from .tables import NUMBER, TEXT, Scores, with_kinds

_AS_NAMED = TableSettings()
_WHOLE_AS_FLOAT = r"^\d+\.0$"
_KEY = list(KEY)


def load_scores(
    source: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    reward_model: str | None = None,
    sample: Sample | None = None,
) -> Scores:
    """Read scores from a table in any of the layouts of :mod:`~charm_rm.reading.score_layouts`.

    What is not in charm's own columns is told in a :class:`~charm_rm.errors.ReadingNote`, and in the provenance. A judge's grades (a
    column ``judge``, MT-Bench's files, logs of Inspect and promptfoo) are read as :func:`charm_rm.load_source` reads them.

    Args:
        columns: which column holds which field (``{"policy": "model"}``), where names do not tell.
        reward_model: whose scores, where the table has those of several reward models.
        sample: of several scores of a policy on a prompt the ``first``, their ``mean`` or their ``max``; or ``all``, told apart by ``sample``.

    Raises:
        SchemaError: the columns are of no layout, or ambiguous; the error names the option that helps.
        ConfigError: a choice is needed (several reward models, several samples), or does not fit the table.
        UnreadableFile: the file cannot be read.
    """
    return read_scores(source, TableSettings.of(columns, reward_model=reward_model, sample=sample))


def read_scores(source: str | Path, table: TableSettings) -> Scores:
    """:func:`load_scores` by settings."""
    from .judgements import holds_grades, load_judged

    path = Path(source)
    if table.reward_model is None and table.sample is None and holds_grades(path, table.fields("scores")):
        graded = load_judged(path, columns=table.fields("scores"))
        if isinstance(graded, Scores):
            return graded
    frame = read_conversations(path, noun=Scores, texts=table.fields("scores").values())
    return scores_from_frame(frame, source=str(path), table=table, payload=payload_of(path))


def scores_from_frame(
    frame: pl.DataFrame,
    *,
    source: str,
    table: TableSettings = _AS_NAMED,
    payload: Mapping[str, Any] | None = None,
) -> Scores:
    """Scores of a frame in any layout; ``source`` says where it came from. Errors as :func:`load_scores`.

    ``payload`` is what charm kept in the file beside the rows: scores that it wrote keep their provenance.
    """
    ours = payload if payload and payload.get("noun") == Scores.noun else None
    if ours is not None and table.values(TableSettings) == _AS_NAMED.values():
        return _chosen(restored(Scores, frame, ours, source))
    notes: list[str] = []
    given = table.fields("scores")
    with naming(source):
        own_samples = "sample" in frame.columns
        long = long_scores(frame, given, notes)
        long = _of_reward_model(long, table.reward_model, notes)
        sampled = table.sample is not None or "sample" in long.columns
        long = _with_prompt_ids(long, notes, sampled=sampled)
        long = with_kinds(long, {"prompt_id": TEXT, "policy": TEXT, "score": NUMBER}, noun=Scores.noun)
        several = long.select(pl.struct(_KEY).is_duplicated().any()).item()
        long = _one_score_each(long, table.sample, notes, source)
        if "sample" in long.columns and not several:  # a seed that was read as a sample tells nothing apart
            long = numbered(long) if own_samples else long.drop("sample")
        long = _own_columns(long, notes)
        if notes:
            warnings.warn(f"{source}: {'; '.join(notes)}", ReadingNote, stacklevel=3)
        how: dict[str, Any] = {"verb": "load_scores", **source_record(source)} | (
            {"read": notes} if notes else {}
        )
        provenance = how if ours is None else {**ours.get("provenance", {}), "read": notes}
        return Scores(long, provenance=provenance)


def _chosen(scores: Scores) -> Scores:
    """Scores that charm wrote, where they are of one response a policy and prompt."""
    if has_samples(scores):
        raise _needs_choice(scores.frame.group_by(_KEY).len()["len"].to_list())
    return scores


def _needs_choice(counts: list[int]) -> SeveralSamples:
    return SeveralSamples(
        f"the table has several scores of a policy on a prompt (up to {max(counts)}: samples, best of n), and which to compare is not said",
        fix=f"choose {CHOICES}",
    )


def _own_columns(frame: pl.DataFrame, notes: list[str]) -> pl.DataFrame:
    """The columns that scores have; others are left out, which is noted of those that were used for nothing."""
    own = [c.name for c in Scores.columns]
    spare = [c for c in frame.columns if c not in (*own, "prompt", "reward_model")]
    if spare:
        notes.append(f"left out {'column' if len(spare) == 1 else 'columns'} {listing(spare, limit=8)}")
    if frame.height and frame["prompt_id"].str.contains(_WHOLE_AS_FLOAT).all():
        notes.append(
            "every prompt_id ends in .0, as whole numbers do that became floats: none matches an id without it"
        )
    return frame.select([c for c in frame.columns if c in own])


def _of_reward_model(frame: pl.DataFrame, chosen: str | None, notes: list[str]) -> pl.DataFrame:
    """The rows of one reward model."""
    if "reward_model" not in frame.columns:
        if chosen is not None:
            raise NoModels(
                "a reward model is chosen, and no column names one",
                where=f"--reward-model {chosen}",
                fix=f"leave it out, or say which column does: {option('reward_model')}",
            )
        return frame
    names = frame["reward_model"].cast(pl.String)
    known = names.drop_nulls().unique().sort().to_list()
    if chosen is None and len(known) > 1:
        raise SeveralModels(
            f"the table has scores of {len(known)} reward models: {listing(known, limit=30)}",
            fix=f"choose one: --reward-model {known[0]!r}",
        )
    if chosen is not None and chosen not in known:
        raise ConfigError(
            f"no scores of reward model {chosen!r}.{near_policies(chosen, known)}",
            fix=f"choose one of {listing(known, limit=30)}",
        )
    name = chosen if chosen is not None else (known[0] if known else None)
    if name is not None:
        notes.append(f"scores of reward model {name!r}")
    return (frame if name is None else frame.filter((names == name).fill_null(False))).drop("reward_model")


def _with_prompt_ids(frame: pl.DataFrame, notes: list[str], *, sampled: bool) -> pl.DataFrame:
    """Ids of the prompts' texts where there is no column of ids; ``sampled``: scores of one policy on one text are its samples."""
    if "prompt_id" in frame.columns:
        return frame
    if "prompt" not in frame.columns:
        raise SchemaError(
            f"scores: no column says which prompt a score is of; found {listing(frame.columns, limit=20)}",
            fix=f"say which column it is: {option('prompt_id')} (an id) or {option('prompt')} (its text)",
        )
    notes.append("made prompt_id of the prompts' texts")
    if not (frame.schema["prompt"].is_nested() or frame.schema["prompt"] == pl.Object):
        frame = with_kinds(frame, {"prompt": TEXT}, noun=Scores.noun)
    texts = [
        p if p is None or isinstance(p, str) else as_conversation(list(p)) for p in frame["prompt"].to_list()
    ]
    hashed = frame.with_columns(uniform_prompts(texts))
    if not hashed["prompt"].null_count() and not sampled:
        ids = prompt_ids(
            hashed
        )  # a prompt that stands twice among the prompts stays two, as in the responses
        repeated = ids.str.contains("-").sum()
        if repeated <= hashed.height / 2:
            return frame.with_columns(ids)
    made = [None if p is None else prompt_hash(p) for p in hashed["prompt"].to_list()]
    return frame.with_columns(pl.Series("prompt_id", made, dtype=pl.String))


def _one_score_each(
    frame: pl.DataFrame, sample: Sample | None, notes: list[str], source: str
) -> pl.DataFrame:
    """One score of each policy on each prompt.

    Human ratings are of single responses, so no choice is made unasked: with n samples of standard deviation s, a policy that is
    better by d wins Phi(d / (s sqrt 2)) of single comparisons and Phi(sqrt(n) d / (s sqrt 2)) of comparisons of means.
    """
    several = frame.select(pl.struct(_KEY).is_duplicated().alias("_"))["_"]
    if not several.any():
        if sample is not None:
            notes.append(f"every policy has one score a prompt: --sample {sample} changes nothing")
        return frame
    counts = frame.group_by(_KEY).len()["len"].to_list()
    most, least = max(counts), min(counts)
    if sample is None:
        check_told_apart(frame, source)
    if sample is None and "sample" not in frame.columns and not _is_sampled(counts):
        return frame  # rows that repeat a key are an error of the table, which the noun refuses
    if sample is None:
        raise _needs_choice(counts)
    if frame["score"].null_count():
        return frame  # a missing score is an error of the table, which the noun refuses with its row
    unequal = "" if least == most else f", {least} at the least"
    if sample == "all":
        notes.append(
            f"kept all samples, up to {most} of a policy on a prompt{unequal}: {counted(frame.height, 'score')}"
        )
        return numbered(frame)
    notes.append(f"took the {sample} of up to {most} samples{unequal}: {counted(len(counts), 'score')}")
    return one_of_each(numbered(frame) if sample != "mean" else frame, sample)


def _is_sampled(counts: list[int]) -> bool:
    """Whether most policies have several scores on most prompts, as samples do and rows given twice do not."""
    return sum(n > 1 for n in counts) > len(counts) / 2
