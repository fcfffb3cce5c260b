"""Prompts and answers that stand in the rows of the votes: the texts of the study, where there are no others."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping

import polars as pl

from ...errors import ReadingNote, SchemaError
from ...judgements.checks import note
from ...reading.names import folded
from ...responses import responses_from_frame
from ...tables import Responses

_GIVE_THEM = "give the answers that were compared: --responses TABLE"
_WORDS = ("response", "answer", "output", "completion")
_SIDES = (("a", "b"), ("1", "2"), ("left", "right"))
# Texts of both answers, folded; the last of rows that name the policy chosen and the one rejected.
_PAIRS = [(f"{word}_{a}", f"{word}_{b}") for word in _WORDS for a, b in _SIDES] + [("chosen", "rejected")]


def texts_in_votes(
    votes: pl.DataFrame, frame: pl.DataFrame, found: Mapping[str, str], where: str
) -> Responses | None:
    """The prompts and both answers of the rows; None where rows have no such texts, or several for one answer, which is said.

    Args:
        votes: as they came.
        frame: the same rows with policy_a, policy_b, prompt_id, and the prompt's text as ``prompt``.
        found: which column of ``votes`` is which field.
        where: what messages call the table.
    """
    pair = answer_columns(votes, found)
    if pair is None or "text" not in frame.columns:
        return None
    sides = [
        frame.select("prompt_id", "prompt", pl.col(side).alias("policy")).with_columns(
            votes[column].alias("response")
        )
        for side, column in zip(("policy_a", "policy_b"), pair, strict=True)
    ]
    texts = pl.concat(sides).drop_nulls()
    answers = texts.unique(["prompt_id", "policy", "response"], keep="first", maintain_order=True)
    columns = f"{found.get('prompt', 'prompt')!r}, {pair[0]!r} and {pair[1]!r}"
    several = answers.filter(pl.struct("prompt_id", "policy").is_duplicated())
    try:
        if several.height:
            row = several.row(0, named=True)
            raise SchemaError(
                f"{row['policy']!r} has several answers to prompt {row['prompt_id']!r}", fix=_GIVE_THEM
            )
        if lost := pl.concat(sides).height - texts.height:
            raise SchemaError(f"{lost:,} cells are empty", fix=_GIVE_THEM)
        responses = responses_from_frame(answers, source=where)
    except SchemaError as error:
        note(f"{where}: the texts in {columns} are not used: {error.what}. To mend it, {_GIVE_THEM}")
        return None
    warnings.warn(f"{where}: read the texts that were compared from {columns}", ReadingNote, stacklevel=3)
    return responses


def answer_columns(votes: pl.DataFrame, found: Mapping[str, str]) -> tuple[str, str] | None:
    """The columns of the first and the second answer, where both are texts and neither is another field."""
    chosen = "chosen" in folded(found["policy_a"]).split("_")
    texts = {
        re.sub(r"(?<=[a-z])(?=\d)", "_", folded(c)): c
        for c, t in votes.schema.items()
        if t == pl.String and c not in found.values()
    }
    for one, other in _PAIRS:
        if one in texts and other in texts and (one == "chosen") == chosen:
            return texts[one], texts[other]
    return None
