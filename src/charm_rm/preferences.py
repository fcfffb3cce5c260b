"""Preference pairs from the layouts met in the wild, as one noun.

Read: our own tables and TRL's (conversational, with the prompt apart or inside), plain text columns
``prompt``, ``chosen``, ``rejected`` (UltraFeedback), one-element lists of text (RMB), and transcripts that
begin with ``Human:`` and end with ``Assistant:`` (HH-RLHF).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from . import store
from .conversations import Messages, is_conversation
from .errors import CharmError, SchemaError, did_you_mean, listing
from .tables import Preferences, read_payload

MESSAGES = pl.List(pl.Struct({"role": pl.String, "content": pl.String}))
_POLICY_NAMES = {"chosen_model": "chosen_policy", "rejected_model": "rejected_policy"}
_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")
_ROLES = {"Human": "user", "Assistant": "assistant"}


def load_preferences(path: str | Path) -> Preferences:
    """Read preference pairs from a Parquet, JSONL, JSON or CSV file.

    Pairs whose two responses are equal, and pairs whose conversations differ before the last turn, are
    dropped; ``provenance`` counts them under ``dropped``.

    Raises:
        UnreadableFile: the file is missing, cut short, or of an unknown kind.
        SchemaError: a column is missing or a row is not a pair.
    """
    frame = store.read_conversations(path, noun=Preferences)
    payload = read_payload(store.parquet_metadata(path)) if Path(path).suffix == ".parquet" else {}
    try:
        return as_preferences(frame, provenance=payload.get("provenance", {}) | {"file": Path(path).name})
    except CharmError as error:
        error.where = f"{path}: {error.where}" if error.where else str(path)
        raise


def as_preferences(frame: pl.DataFrame, *, provenance: Mapping[str, Any] | None = None) -> Preferences:
    """Bring a frame of pairs to the noun: message lists, policy names, no pair of equal responses."""
    missing = [name for name in ("chosen", "rejected") if name not in frame.columns]
    if missing:
        raise SchemaError(
            f"preferences: column {listing(missing)} is missing; found {listing(frame.columns, limit=12)}."
            f"{did_you_mean(missing[0], frame.columns)}",
            mend="name the columns prompt, chosen and rejected",
        )
    pairs: list[tuple[Messages, Messages, Messages]] = []
    keep: list[int] = []
    dropped: Counter[str] = Counter()
    for index, row in enumerate(_text_columns(frame).iter_rows(named=True)):
        prompt, chosen, rejected = _pair(row, index)
        if prompt is None:
            dropped["differ before the last turn"] += 1
        elif chosen == rejected:
            dropped["equal responses"] += 1
        else:
            pairs.append((prompt, chosen, rejected))
            keep.append(index)
    if not pairs:
        raise SchemaError(
            f"preferences: no usable pair among {frame.height} rows ({dict(dropped)})",
            mend="give pairs of two different responses to one prompt",
        )
    columns = [
        pl.Series(name, values, dtype=MESSAGES)
        for name, values in zip(("prompt", "chosen", "rejected"), zip(*pairs, strict=True), strict=True)
    ]
    names = {
        old: new for old, new in _POLICY_NAMES.items() if old in frame.columns and new not in frame.columns
    }
    rest = frame[keep].drop(["prompt", "chosen", "rejected"], strict=False).rename(names)
    counts = {"pairs": len(pairs), "dropped": dict(dropped)}
    return Preferences(pl.DataFrame(columns).hstack(rest), provenance={**(provenance or {}), **counts})


def prompt_key(prompt: str | Sequence[Mapping[str, str]]) -> str:
    """One string per distinct prompt: pairs that share it must stay on one side of a split."""
    if isinstance(prompt, str):
        return f"user\x1f{prompt}"
    return "\x1e".join(f"{m['role']}\x1f{m['content']}" for m in prompt)


def _text_columns(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select([c for c in ("prompt", "chosen", "rejected") if c in frame.columns])


def _pair(row: Mapping[str, Any], index: int) -> tuple[Messages | None, Messages, Messages]:
    """Return (prompt, chosen, rejected); the prompt is None where the two conversations part too early."""
    prompt = [] if row.get("prompt") is None else _messages(row["prompt"], "user", index)
    chosen = _messages(row["chosen"], "assistant", index)
    rejected = _messages(row["rejected"], "assistant", index)
    if chosen[:-1] != rejected[:-1]:
        return None, chosen, rejected
    whole = _join(prompt, chosen[:-1])
    if not whole:
        raise SchemaError(
            "the pair has no prompt",
            where=f"preferences, row {index}",
            mend="add a prompt column, or give chosen and rejected as whole conversations",
        )
    if chosen[-1]["role"] != "assistant" or rejected[-1]["role"] != "assistant":
        raise SchemaError("the last turn is not the assistant's", where=f"preferences, row {index}")
    return whole, chosen[-1:], rejected[-1:]


def _join(prompt: Messages, context: Messages) -> Messages:
    """The whole prompt, where ``context`` (turns before the last) may repeat the prompt column or follow it."""
    n = len(prompt)
    repeats = n > 0 and (context[:n] == prompt or context[-n:] == prompt)
    return context if repeats else prompt + context


def _messages(value: Any, role: str, index: int) -> Messages:
    """Text, a one-element list of text, a transcript, or messages -> messages."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], str):
        value = value[0]
    if isinstance(value, str):
        return _transcript(value) or [{"role": role, "content": value}]
    if is_conversation(value):
        return [{"role": m["role"], "content": m["content"]} for m in value]
    raise SchemaError(
        f"expected text or a list of messages with role and content, found {str(value)[:80]!r}",
        where=f"preferences, row {index}",
        mend="give text, or [{'role': ..., 'content': ...}, ...]",
    )


def _transcript(text: str) -> Messages | None:
    """Split an HH-RLHF transcript into messages; None where the text is no transcript."""
    if not text.startswith(("\n\nHuman:", "Human:")) or "\n\nAssistant:" not in text:
        return None
    parts = _TURN.split(text)[1:]
    return [
        {"role": _ROLES[who], "content": said.strip()}
        for who, said in zip(parts[::2], parts[1::2], strict=True)
    ]
