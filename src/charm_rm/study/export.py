"""The votes of a study as battles, which `charm ratings fit` and every audit against one's own ratings read."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

import polars as pl

from ..conversations import MESSAGES
from ..errors import SchemaError, counted
from ..tables import Battles
from .frame import weight_of_vote
from .nouns import CHECK, Study
from .raters.judging import without_raters

_TEXTS = ("prompt", "response_a", "response_b")


def as_battles(study: Study, *, without: Collection[str] = (), comments: bool = False) -> Battles:
    """The votes that count, one battle each: repeats and attention checks are left out.

    ``weight`` is 1 / (inclusion · votes on the comparison), so that every candidate comparison counts once however it was chosen and
    however many people saw it, divided by its mean over the votes. Ratings fitted to these battles are those that the analysis of the
    study gives from votes alone. Errors are not: ``charm ratings fit`` clusters by one column, the prompt here, and the analysis by prompt and
    rater at once. With few raters who differ, its intervals are the wider ones, and hold for other people, too.

    Args:
        study: as it was read or imported.
        without: raters whose votes are left out, by name; weights are those of the votes that stay.
        comments: keep what raters wrote.

    Returns:
        Battles with policy_a, policy_b, winner, prompt_id, weight, rater, comparison_id; left and seconds where they are known; prompt,
        response_a and response_b where the study has texts.

    Raises:
        ConfigError: a rater of ``without`` who has not voted, or nobody else has.
        SchemaError: there are no votes that count.
    """
    kept = without_raters(study, without)
    main = study.comparisons.main.select("comparison_id", "prompt_id", "policy_a", "policy_b", "inclusion")
    cast = kept.votes.frame.filter(~pl.col("repeat"))
    votes = cast.join(main, on="comparison_id", how="inner", maintain_order="left")
    if votes.is_empty():
        raise SchemaError("the study has no votes that count", fix="export it when people have voted")
    return Battles(
        _columns(study, _weighed(votes), comments=comments), provenance=_record(study, votes, without)
    )


def left_out(study: Study, without: Collection[str] = ()) -> str:
    """What of the votes is no battle, in words; empty where all are."""
    kinds = study.votes.frame.join(
        study.comparisons.frame.select("comparison_id", "kind"), on="comparison_id"
    )
    gone = pl.col("rater").is_in(list(without))
    check, repeat = pl.col("kind") == CHECK, pl.col("repeat")
    counts = kinds.select(
        gone=gone.sum(), checks=(check & ~gone).sum(), repeats=(repeat & ~check & ~gone).sum()
    ).row(0, named=True)
    parts = [
        counted(counts["repeats"], "repeat") if counts["repeats"] else "",
        counted(counts["checks"], "attention check") if counts["checks"] else "",
        f"{counted(counts['gone'], 'vote')} of {', '.join(without)}" if counts["gone"] else "",
    ]
    return ", ".join(part for part in parts if part)


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """The frame with messages written as JSON, for formats that have no lists."""
    nested = [name for name, dtype in frame.schema.items() if dtype.is_nested()]
    return frame.with_columns(
        pl.Series(name, [json.dumps(value, ensure_ascii=False) for value in frame[name].to_list()])
        for name in nested
    )


def _weighed(votes: pl.DataFrame) -> pl.DataFrame:
    """w = u / mean(u), u = 1 / (inclusion · votes on the comparison)."""
    return votes.with_columns(weight=weight_of_vote()).with_columns(
        pl.col("weight") / pl.col("weight").mean()
    )


def _columns(study: Study, votes: pl.DataFrame, *, comments: bool) -> pl.DataFrame:
    wanted: Sequence[str] = (
        "policy_a",
        "policy_b",
        "winner",
        "prompt_id",
        "weight",
        "rater",
        "comparison_id",
    )
    told = [c for c in ("left", "seconds", *(["comment"] if comments else [])) if _is_told(votes, c)]
    frame = votes.select(*wanted, *told)
    return frame if study.responses is None else frame.hstack(_texts(study, frame))


def _is_told(votes: pl.DataFrame, column: str) -> bool:
    return column in votes.columns and votes[column].null_count() < votes.height


def _texts(study: Study, votes: pl.DataFrame) -> list[pl.Series]:
    """Prompt and both answers of each vote, in its order."""
    if study.responses is None:
        return []
    given = study.responses.frame
    answers = dict(zip(given.select("prompt_id", "policy").iter_rows(), given["response"], strict=True))
    first = given.unique("prompt_id", keep="first")
    prompts = dict(zip(first["prompt_id"], _one_kind(first["prompt"].to_list()), strict=True))
    asked = [prompts.get(prompt) for prompt in votes["prompt_id"]]
    kind = MESSAGES if any(isinstance(value, list) for value in asked) else pl.String
    sides = [
        [answers.get((prompt, policy)) for prompt, policy in votes.select("prompt_id", side).iter_rows()]
        for side in ("policy_a", "policy_b")
    ]
    return [
        pl.Series("prompt", asked, dtype=kind),
        *(pl.Series(name, side, dtype=pl.String) for name, side in zip(_TEXTS[1:], sides, strict=True)),
    ]


def _one_kind(prompts: list[Any]) -> list[Any]:
    """Prompts as they are, where all are texts; else all as messages, a text being what the user says."""
    if all(isinstance(prompt, str) for prompt in prompts):
        return prompts
    return [[{"role": "user", "content": p}] if isinstance(p, str) else p for p in prompts]


def _record(study: Study, votes: pl.DataFrame, without: Collection[str]) -> dict[str, Any]:
    return {
        "verb": "as_battles",
        "study": study.name,
        "n_votes": votes.height,
        "n_raters": votes["rater"].n_unique(),
        "without": sorted(without),
        "left_out": left_out(study, without) or None,
        "weight": "1 / (inclusion x votes on the comparison), over its mean",
    }
