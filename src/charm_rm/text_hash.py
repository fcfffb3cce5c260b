"""A short hash of each scored text, kept beside its score, so that features of other texts are not added to it."""

from __future__ import annotations

import hashlib
import json

import polars as pl

from .errors import SchemaError, counted
from .protocols import Prompt
from .samples import shared_key
from .tables import Responses, Table, as_messages

COLUMN = "text_hash"
_DIGITS = 12  # hexadecimal; a changed text passes with a chance of 1 in 3e14


def text_hash(prompt: Prompt, response: str) -> str:
    """The hash of one text: a prompt as text and as one user turn are the same."""
    text = json.dumps([as_messages(prompt), response], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:_DIGITS]


def text_hashes(responses: Responses) -> pl.Series:
    """The hash of each response with its prompt, in order."""
    pairs = zip(responses.frame["prompt"].to_list(), responses.frame["response"].to_list(), strict=True)
    return pl.Series(COLUMN, [text_hash(p, r) for p, r in pairs], dtype=pl.String)


def refuse_other_texts(source: Table, responses: Responses) -> None:
    """Refuse responses that are not the texts that were scored, where the scores keep their hashes; rows without one pass.

    Raises:
        SchemaError: texts differ; they are counted, and the first is named.
    """
    if COLUMN not in source.frame.columns:
        return
    key = shared_key(source.frame, responses.frame)
    known = source.frame.select(*key, COLUMN).drop_nulls()
    shared = responses.frame.join(known, on=key, how="semi")
    now = shared.select(key).with_columns(text_hashes(Responses(shared)).alias("now"))
    both = known.join(now, on=key, how="inner", maintain_order="left")
    other = both.filter(pl.col(COLUMN) != pl.col("now"))
    if other.height:
        first = other.row(0, named=True)
        raise SchemaError(
            f"{counted(other.height, 'response')} of {both.height} are other texts than those that were scored, first of policy "
            f"{first['policy']!r}, prompt {first['prompt_id']!r}",
            where="responses",
            fix="give the responses that were scored, or score these: charm score",
        )
