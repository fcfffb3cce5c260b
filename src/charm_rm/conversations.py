"""Conversations as data: a list of messages, each with a role and a content; and ids of prompts."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from .errors import SchemaError

Messages = list[dict[str, str]]
MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))

# Other words for the same speakers.
ROLES = {
    **dict.fromkeys(("user", "human", "prompter"), "user"),
    **dict.fromkeys(("assistant", "gpt", "bot", "chatbot", "model", "chatgpt", "ai"), "assistant"),
    "system": "system",
}


def is_conversation(value: Any) -> bool:
    """True for a list of at least one message whose role and content are text."""
    return isinstance(value, list) and len(value) > 0 and all(_is_message(m) for m in value)


def as_conversation(value: Sequence[Any]) -> Messages | None:
    """A list of messages as ``{role, content}`` of text; None where it is something else.

    Roles in other words (``human``, ``gpt``, ``from``/``value``) become ours. Content in parts (a list of
    ``{type: text, text}``) is the parts' texts with nothing between.

    Raises:
        SchemaError: a part of another type than text.
    """
    if not value or not all(isinstance(m, Mapping) for m in value):
        return None
    messages = []
    for message in value:
        role = message.get("role") if message.get("role") is not None else message.get("from")
        content = message.get("content") if message.get("content") is not None else message.get("value")
        if isinstance(content, list):
            content = _joined(content)
        if not isinstance(role, str) or not isinstance(content, str):
            return None
        messages.append({"role": ROLES.get(role.casefold(), role), "content": content})
    return messages


def _joined(parts: Sequence[Any]) -> str | None:
    """The texts of content in parts; None where it is no list of parts."""
    texts = []
    for part in parts:
        if isinstance(part, str):
            texts.append(part)
            continue
        if not isinstance(part, Mapping):
            return None
        kind = part.get("type") or "text"
        if kind != "text" or not isinstance(part.get("text"), str):
            raise SchemaError(
                f"content has a part of type {kind!r}, only text can be read",
                fix="drop these rows, or write what the part says as text",
            )
        texts.append(part["text"])
    return "".join(texts)


def uniform_prompts(prompts: Sequence[Any]) -> pl.Series:
    """Prompts as one column: text where all are, else messages, a bare text being one user turn."""
    if all(p is None or isinstance(p, str) for p in prompts):
        return pl.Series("prompt", list(prompts), dtype=pl.String)
    whole = [[{"role": "user", "content": p}] if isinstance(p, str) else p for p in prompts]
    return pl.Series("prompt", whole, dtype=MESSAGES)


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
    that repeated instructions stay apart within a policy and still join across policies. Answers that a column ``sample`` numbers
    differently are samples of one prompt.
    """
    told = ["policy", *(["sample"] if "sample" in frame.columns else [])]
    hashed = frame.select(
        pl.Series("hash", [prompt_hash(p) for p in frame["prompt"].to_list()], dtype=pl.String), *told
    )
    nth = pl.int_range(pl.len()).over("hash", *told) + 1
    suffix = pl.when(nth > 1).then(pl.format("-{}", nth)).otherwise(pl.lit(""))
    return hashed.select((pl.col("hash") + suffix).alias("prompt_id"))["prompt_id"]


def prompt_hash(prompt: str | Sequence[Mapping[str, str]]) -> str:
    """Sixteen hex digits of the text's hash; surrounding white space, which exporters trim at will, is ignored."""
    return prompt_digest(prompt)[:16]


def prompt_digest(prompt: str | Sequence[Mapping[str, str]]) -> str:
    """The whole hash, of which :func:`prompt_hash` is the beginning: 64 hex digits."""
    if isinstance(prompt, str):
        return _sha256(prompt.strip())
    return _sha256(json.dumps([[m["role"], m["content"].strip()] for m in prompt]))


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(k), str) for k in ("role", "content"))


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
