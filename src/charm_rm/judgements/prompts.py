"""Which prompt a row is about: its id, or an id made of the prompt's text as responses get it."""

from __future__ import annotations

from collections.abc import Iterable

import polars as pl

from ..conversations import as_conversation, prompt_hash
from ..errors import SchemaError, listing
from ..tables import TEXT, with_kinds
from .checks import refuse_rows

IDS = ("prompt_id", "question_id", "instruction_id", "uid", "sample_id")
TEXTS = ("prompt", "instruction", "question")
COLUMNS = (*IDS, *TEXTS)


def names_a_prompt(columns: Iterable[str]) -> bool:
    """Whether one of the columns says which prompt a row is about."""
    return not set(COLUMNS).isdisjoint(columns)


def prompt_keys(frame: pl.DataFrame, where: str) -> pl.Series:
    """The ids of the prompts (``prompt_id``): a column of ids as it is, else a hash of the prompt's text.

    A column ``prompt`` that holds nothing but whole numbers is one of ids.

    Raises:
        SchemaError: no column says which prompt was judged, or a row leaves it empty.
    """
    column = next((c for c in COLUMNS if c in frame.columns), None)
    if column is None:
        raise SchemaError(
            f"no column says which prompt was judged; found {listing([c for c in frame.columns if c != 'row'], limit=12)}",
            where=where,
            fix="say which: --column prompt_id=COLUMN; votes without prompts are fitted by: charm ratings fit FILE",
        )
    refuse_rows(frame, frame[column].is_null(), column, where, "is missing")
    if column in IDS or frame.schema[column].is_integer() or _all_digits(frame[column]):
        return with_kinds(frame.select(column), {column: TEXT}, noun="judgements")[column].alias("prompt_id")
    hashes = prompt_hashes(frame[column])
    refuse_rows(frame, hashes.is_null(), column, where, "is neither text nor messages of role and content")
    return hashes.alias("prompt_id")


def prompt_hashes(prompts: pl.Series) -> pl.Series:
    """A hash of each prompt's text or messages; null for none, and for what is neither."""
    return pl.Series("text", [_hash(prompt) for prompt in prompts.to_list()], dtype=pl.String)


def _hash(prompt: object) -> str | None:
    if isinstance(prompt, str):
        return prompt_hash(prompt)
    try:
        messages = as_conversation(prompt) if isinstance(prompt, list) else None
    except SchemaError:  # a part that is no text
        return None
    return None if messages is None else prompt_hash(messages)


def _all_digits(prompts: pl.Series) -> bool:
    return prompts.dtype == pl.String and bool(prompts.str.contains(r"^\d+$").all())
