"""Several responses of a policy to one prompt: the column ``sample``, what is done with it, and who refuses it.

A table without the column has one response per (prompt, policy); with it the key is (prompt, policy, sample). Verbs that compare
single responses take a table whose every (prompt, policy) has one sample, and refuse others: which one people would have seen is not theirs to guess.
"""

from __future__ import annotations

from typing import Any, TypeVar, get_args

import polars as pl

from .errors import ConfigError, SeveralSamples
from .settings import Sample
from .tables import Responses, Scores, Table

COLUMN = "sample"
KEY = ("prompt_id", "policy")
CHOICES = (
    "--sample first (one response a prompt, as voters saw them), --sample mean (of the scores), --sample max (best of n) or, "
    "for charm audit, apply and relabel alone, --sample all (every sample with every sample of the other policy; each prompt counts once)"
)
T = TypeVar("T", bound=Table)


def has_samples(table: Table) -> bool:
    """Whether a policy has several samples on some prompt."""
    frame = table.frame
    return COLUMN in frame.columns and bool(frame.select(pl.struct(KEY).is_duplicated().any()).item())


def shared_key(*frames: pl.DataFrame) -> list[str]:
    """The columns on which tables of responses, scores or features are joined: ``sample`` too, where all have it."""
    return [*KEY, COLUMN] if all(COLUMN in frame.columns for frame in frames) else list(KEY)


def own_key(frame: pl.DataFrame) -> list[str]:
    """The columns that tell the responses of one table apart."""
    return shared_key(frame)


def sample_counts(table: Table) -> dict[str, Any]:
    """What there is, as ``{"least": 1, "most": 4, "mean": 3.2}`` samples of a policy on a prompt."""
    counts = table.frame.group_by(KEY).len()["len"].to_list()
    return {"least": min(counts), "most": max(counts), "mean": sum(counts) / len(counts)}


def say_samples(counts: dict[str, Any]) -> str:
    """``4 samples``, or ``1 to 4 samples (mean 3.2)`` of each policy on each prompt."""
    if counts["least"] == counts["most"]:
        return f"{counts['most']} samples of each policy on each prompt"
    return (
        f"{counts['least']} to {counts['most']} samples of a policy on a prompt (mean {counts['mean']:.1f})"
    )


def refuse_samples(table: T, *, why: str = "one is compared here", fix: str | None = None) -> T:
    """The table itself, where each policy has one response to each prompt.

    Raises:
        SeveralSamples: a policy has several.
    """
    if not has_samples(table):
        return table
    most = sample_counts(table)["most"]
    raise SeveralSamples(
        f"{table.noun}: several samples of a policy on a prompt (up to {most}), and {why}",
        fix=fix or _fix(table),
    )


def _fix(table: Table) -> str:
    if isinstance(table, Scores):
        return "choose --sample first, mean or max where the scores are read (sample= in Python)"
    return "give one sample of each: charm convert TABLE --as responses --sample first -o FILE (choose_sample in Python)"


def choose_sample(table: T, how: Sample) -> T:
    """One sample of each policy on each prompt, or ``all`` of them.

    ``first`` is the one of the lowest number, ``max`` the one of the highest score, ``mean`` the mean of the scores, which is no
    single response: what a row says of its response goes. The provenance says which was taken.

    Raises:
        ConfigError: ``mean`` or ``max`` of a table that has no scores.
    """
    if how not in get_args(Sample):
        raise ConfigError(f"unknown sample {how!r}", fix="use first, mean, max or all")
    if how in ("mean", "max") and not isinstance(table, Scores):
        raise ConfigError(f"{table.noun} have no scores to take the {how} of", fix="use first, or all")
    if how == "all" or not has_samples(table):
        return table
    taken = {**table.provenance, "sample": how}
    return type(table)(one_of_each(table.frame, how), provenance=taken)


def one_of_each(frame: pl.DataFrame, how: Sample) -> pl.DataFrame:
    """:func:`choose_sample` of a frame; where it has no column ``sample``, rows are in the order of their samples."""
    if how == "mean":
        return frame.group_by(KEY, maintain_order=True).agg(pl.col("score").mean())
    by, down = ("score", True) if how == "max" else (COLUMN, False)
    ordered = frame.sort(by, descending=down, maintain_order=True) if by in frame.columns else frame
    return ordered.unique(KEY, keep="first", maintain_order=True)


def numbered(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with whole numbers in ``sample``: its own where they are, else by the order of the rows within a policy and prompt."""
    if COLUMN in frame.columns:
        whole = frame[COLUMN].cast(pl.Int64, strict=False)
        if frame[COLUMN].dtype.is_integer() or (whole.null_count() == 0 and frame[COLUMN].dtype == pl.String):
            return frame.with_columns(whole)
    return frame.with_columns((pl.int_range(pl.len()).over(KEY)).alias(COLUMN))


def of_scored(responses: Responses, source: Table) -> Responses:
    """The responses that a source's rows are about, where the responses have several samples and the source says which was taken."""
    if not has_samples(responses) or COLUMN not in source.frame.columns:
        return responses
    key = shared_key(responses.frame, source.frame)
    kept = responses.frame.join(source.frame, on=key, how="semi")
    return responses if kept.is_empty() else Responses(kept, provenance=responses.provenance)
