"""Conversations as data: a list of messages, each with a role and a content; and ids of prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

Messages = list[dict[str, str]]


def is_conversation(value: Any) -> bool:
    """True for a list of at least one message whose role and content are text."""
    return isinstance(value, list) and len(value) > 0 and all(_is_message(m) for m in value)


def prompt_text(prompt: str | Sequence[Mapping[str, str]]) -> str:
    """A prompt as one text: a single message as it is, several as ``Role: content`` blocks."""
    if isinstance(prompt, str):
        return prompt
    return prompt[0]["content"] if len(prompt) == 1 else labelled_text(prompt)


def labelled_text(messages: Sequence[Mapping[str, str]]) -> str:
    """``Role: content`` blocks with a blank line between: how a conversation reads where there is no chat template."""
    return "\n\n".join(f"{m['role'].capitalize()}: {m['content']}".rstrip() for m in messages)


def prompt_ids(frame: pl.DataFrame) -> pl.Series:
    """Ids from the prompts themselves: a hash of the text, the same for every policy.

    A policy's second answer to an identical prompt gets ``-2`` appended, its third ``-3``, in file order, so
    that repeated instructions stay apart within a policy and still join across policies.
    """
    hashed = frame.select(
        pl.Series("hash", [prompt_hash(p) for p in frame["prompt"].to_list()], dtype=pl.String), "policy"
    )
    nth = pl.int_range(pl.len()).over("hash", "policy") + 1
    suffix = pl.when(nth > 1).then(pl.format("-{}", nth)).otherwise(pl.lit(""))
    return hashed.select((pl.col("hash") + suffix).alias("prompt_id"))["prompt_id"]


def prompt_hash(prompt: str | Sequence[Mapping[str, str]]) -> str:
    """Sixteen hex digits of the text's hash; surrounding white space, which exporters trim at will, is ignored."""
    if isinstance(prompt, str):
        return _sha256(prompt.strip())[:16]
    return _sha256(json.dumps([[m["role"], m["content"].strip()] for m in prompt]))[:16]


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(k), str) for k in ("role", "content"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
