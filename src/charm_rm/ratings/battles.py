"""Reading battles: our own columns, the Arena's, or the Kaggle competition's."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from .. import store
from ..errors import CharmWarning, SchemaError, counted, did_you_mean, listing
from ..provenance import source_record
from ..reading.resolve import option, with_known_names
from ..settings import Votes
from ..tables import NUMBER, TEXT, Battles, with_kinds
from .votes import choose_votes, record

_LABELS = {"model_a": "a", "model_b": "b", "tie": "tie", "both_bad": "both_bad", "tie (bothbad)": "both_bad"}
ONE_HOT = {"winner_model_a": "a", "winner_model_b": "b", "winner_tie": "tie"}
_KINDS = {
    **dict.fromkeys(("policy_a", "policy_b", "model_a", "model_b", "winner", "prompt_id"), TEXT),
    **dict.fromkeys(("weight", *ONE_HOT), NUMBER),
}
_KNOWN = {
    n: n
    for n in (
        *_KINDS,
        "judge",
        "anony",
        "dedup_tag",
        "turn",
        "response_a",
        "response_b",
        "conversation_a",
        "conversation_b",
    )
}
_KEPT_AS_IS = ("prompt_id", "weight")


def load_battles(
    path: str | Path,
    *,
    keep: Sequence[str] = (),
    style: Sequence[str] = (),
    votes: Votes = "arena",
    judge: str | None = None,
    columns: Mapping[str, str] | None = None,
) -> Battles:
    """Read battles from Parquet, CSV, JSONL or JSON.

    Three layouts are known by their columns: our own (``policy_a``, ``policy_b``, ``winner`` in a, b, tie,
    both_bad); the Arena's (``model_a``, ``model_b``, ``winner`` in model_a, model_b, tie, both_bad,
    "tie (bothbad)", or the name of one of the two); Kaggle's (``model_a``, ``model_b`` and the 0/1 columns ``winner_model_a``,
    ``winner_model_b``, ``winner_tie``). From the latter two only prompt_id, weight, numeric columns and those named in
    ``keep`` come along, and texts, where a ``style`` is to be counted in them (:func:`~charm_rm.fit_ratings`); battles of a model
    against itself are dropped with a warning: they say nothing about ratings.

    Of a file that says how votes were cast, those count that the Arena counts: cast with names hidden (``anony``), and
    sampled where prompts repeat (``dedup_tag``); ``votes="all"`` counts all. Where a column ``judge`` names automatic judges
    beside people, or several of them, ``judge`` must say whose votes are meant: ``people``, a name, or ``all``. What is left out is
    counted in a warning and in ``provenance``.

    Names may be written otherwise (``Model A``); ``columns`` says which column holds what where they are others (``{"policy_a": "left"}``).

    Raises:
        UnreadableFile: the file cannot be read.
        ConfigError: votes of several kinds of judges, and no choice.
        SchemaError: no known layout, a column of ``keep`` is missing, or a label outside the lists above; it names row and label.
    """
    given = columns or {}
    frame = store.read_frame(path, noun=Battles, texts=[*keep, *given.values()])
    with store.naming(path):
        frame = with_known_names(frame, _KNOWN, given, noun=Battles.noun)
    return battles_from_frame(frame, where=str(path), keep=keep, style=style, votes=votes, judge=judge)


def battles_from_frame(
    frame: pl.DataFrame,
    *,
    where: str,
    keep: Sequence[str] = (),
    style: Sequence[str] = (),
    votes: Votes = "arena",
    judge: str | None = None,
) -> Battles:
    """:func:`load_battles` of a frame; ``where`` names it in messages."""
    with store.naming(where):
        frame = _with_kinds(frame)
        choice = choose_votes(frame, votes=votes, judge=judge, where=where)
        kept = [*keep, *_texts_to_count(frame, style)]
        tidy = _without_self_battles(_as_battles(frame, kept).filter(choice.counted), frame, where)
        provenance = {"verb": "load_battles", **source_record(where), **record(choice, votes)}
        return Battles(tidy, provenance=provenance)


def _with_kinds(frame: pl.DataFrame) -> pl.DataFrame:
    """Names and labels as text, Kaggle's flags as numbers (true is 1)."""
    flags = [c for c in ONE_HOT if c in frame.columns and frame.schema[c] == pl.Boolean]
    frame = frame.with_columns(pl.col(flags).cast(pl.Int64))
    return with_kinds(frame, _KINDS, noun=Battles.noun)


def _texts_to_count(frame: pl.DataFrame, style: Sequence[str]) -> list[str]:
    if not style:
        return []
    from .style_counts import text_columns

    return text_columns(frame.columns, style)


def _as_battles(frame: pl.DataFrame, keep: Sequence[str]) -> pl.DataFrame:
    columns = set(frame.columns)
    if lost := [c for c in keep if c not in columns]:
        raise SchemaError(
            f"battles: column {listing(lost)} is missing.{did_you_mean(lost[0], columns)}",
            fix=f"name one of {listing(frame.columns, limit=12)}",
        )
    if not {"model_a", "model_b"} <= columns:
        if lost := [c for c in ("policy_a", "policy_b", "winner") if c not in columns]:
            raise SchemaError(
                f"battles: column {listing(lost)} is missing; found {listing(frame.columns, limit=20)}.{did_you_mean(lost[0], columns)}",
                fix="say which column it is: " + " ".join(option(c) for c in lost),
            )
        return frame
    if "winner" in columns:
        winner = _translated(frame)
    elif set(ONE_HOT) <= columns:
        winner = winner_of_one_hot(frame)
    else:
        missing = [c for c in ONE_HOT if c not in columns]
        raise SchemaError(
            f"battles: no outcome column: neither 'winner' nor {listing(missing)}; found {listing(columns, limit=12)}."
            + did_you_mean("winner", columns),
            fix="add a winner column with model_a, model_b, tie or both_bad",
        )
    kept = [
        c
        for c, t in frame.schema.items()
        if c in (*_KEPT_AS_IS, *keep) or (t.is_numeric() and c not in ONE_HOT)
    ]
    return frame.select(
        pl.col("model_a").alias("policy_a"), pl.col("model_b").alias("policy_b"), winner, *kept
    )


def _translated(frame: pl.DataFrame) -> pl.Series:
    """Who won by label, or by the name of one of the two; a name that is a label, too, and means the other is refused."""
    winner = frame["winner"]
    label = winner.replace_strict(_LABELS, default=None, return_dtype=pl.String)
    a, b = (pl.col("winner") == pl.col(side) for side in ("model_a", "model_b"))
    name = frame.select(pl.when(a).then(pl.lit("a")).when(b).then(pl.lit("b")).alias("winner"))["winner"]
    both = (label != name).fill_null(False)
    unknown = (label.is_null() & name.is_null()) | both
    if unknown.any():
        row = int(unknown.arg_true()[0])
        what = (
            "is the name of one policy and the label of something else"
            if both[row]
            else f"is not one of {', '.join(_LABELS)}, nor the name of one of the two"
        )
        raise SchemaError(
            f"winner {winner[row]!r} {what} ({int(unknown.sum())} such rows)",
            where=f"battles, row {row}",
            fix="correct these labels; an unknown label is never counted as a tie",
        )
    return label.fill_null(name)


def winner_of_one_hot(frame: pl.DataFrame) -> pl.Series:
    """Who won (a, b, tie) out of Kaggle's three columns of 0 and 1, of which exactly one has to be 1."""
    flags = frame.select(pl.col(list(ONE_HOT)).cast(pl.Float64, strict=False))
    good = flags.select(
        (pl.all_horizontal(pl.all().is_in([0.0, 1.0])) & (pl.sum_horizontal(pl.all()) == 1.0))
        .fill_null(False)
        .alias("good")
    )["good"]
    if not good.all():
        row = int((~good).arg_true()[0])
        shown = ", ".join(f"{c}={frame[c][row]!r}" for c in ONE_HOT)
        raise SchemaError(
            f"exactly one winner column must be 1 and the others 0, found {shown} ({int((~good).sum())} such rows)",
            where=f"battles, row {row}",
            fix="correct these rows",
        )
    label = pl.coalesce([pl.when(pl.col(c) == 1.0).then(pl.lit(label)) for c, label in ONE_HOT.items()])
    return flags.select(label.alias("winner"))["winner"]


def _without_self_battles(frame: pl.DataFrame, original: pl.DataFrame, path: str | Path) -> pl.DataFrame:
    """Of other tools' layouts; in our own, such a battle is an error."""
    if not {"model_a", "model_b"} <= set(original.columns):
        return frame
    itself = (frame["policy_a"] == frame["policy_b"]).fill_null(False)
    if itself.any():
        names = frame.filter(itself)["policy_a"].unique().sort()
        warnings.warn(
            f"{path}: dropped {counted(int(itself.sum()), 'battle')} of a model against itself ({listing(names)})",
            CharmWarning,
            stacklevel=4,
        )
    return frame.filter(~itself)
