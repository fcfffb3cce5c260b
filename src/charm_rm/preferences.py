"""Preference pairs from the layouts met in the wild, as one noun.

Read: our own tables and TRL's (conversational, with the prompt apart or inside), plain text columns
``prompt``, ``chosen``, ``rejected`` (UltraFeedback), one-element lists of text (RMB), and transcripts that
begin with ``Human:`` and end with ``Assistant:`` (HH-RLHF).
"""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import polars as pl

from . import store
from .conversations import MESSAGES, Messages
from .errors import CharmWarning, SchemaError, did_you_mean, listing
from .paths import file_of
from .tables import Preferences, TableLike, as_frame
from .turns import REPEATED, Pair, canonical_pair

_POLICY_NAMES = {"chosen_model": "chosen_policy", "rejected_model": "rejected_policy"}


def load_preferences(path: str | Path) -> Preferences:
    """Read preference pairs from a Parquet, JSONL, JSON or CSV file.

    Pairs whose two responses are equal, and pairs whose conversations part after the first turn and before the last,
    are dropped; ``provenance`` counts them under ``dropped``, and under ``canonicalised`` what :mod:`.turns` changed.

    Raises:
        UnreadableFile: the file is missing, cut short, or of an unknown kind.
        SchemaError: a column is missing or a row is not a pair.
    """
    frame = store.read_conversations(path, noun=Preferences)
    provenance = store.payload_of(path).get("provenance", {})
    with store.naming(path):
        return as_preferences(frame, provenance=provenance | {"file": Path(path).name})


def as_preferences(frame: TableLike, *, provenance: Mapping[str, Any] | None = None) -> Preferences:
    """Bring a table of pairs to the noun: message lists, policy names, no pair of equal responses."""
    frame = as_frame(frame, noun=Preferences.noun)
    if not frame.columns:
        raise SchemaError("preferences: the table is empty", fix="give at least one pair")
    missing = [name for name in ("chosen", "rejected") if name not in frame.columns]
    if missing:
        raise SchemaError(
            f"preferences: column {listing(missing)} is missing; found {listing(frame.columns, limit=12)}."
            f"{did_you_mean(missing[0], frame.columns)}",
            fix="name the columns prompt, chosen and rejected",
        )
    pairs: list[tuple[Messages, Messages, Messages]] = []
    keep: list[int] = []
    dropped: Counter[str] = Counter()
    changed: Counter[str] = Counter()
    for index, row in enumerate(_text_columns(frame).iter_rows(named=True)):
        pair = _pair(row, index)
        if pair is None:
            dropped["differ before the last turn"] += 1
        elif pair.chosen == pair.rejected:
            dropped["equal responses"] += 1
        else:
            pairs.append((pair.prompt, pair.chosen, pair.rejected))
            keep.append(index)
            changed.update(pair.changes)
    if not pairs:
        raise SchemaError(
            f"preferences: no usable pair among {frame.height} rows ({dict(dropped)})",
            fix="give pairs of two different responses to one prompt",
        )
    columns = [
        pl.Series(name, values, dtype=MESSAGES)
        for name, values in zip(("prompt", "chosen", "rejected"), zip(*pairs, strict=True), strict=True)
    ]
    names = {
        old: new for old, new in _POLICY_NAMES.items() if old in frame.columns and new not in frame.columns
    }
    rest = frame[keep].drop(["prompt", "chosen", "rejected"], strict=False).rename(names)
    counts = {"pairs": len(pairs), "dropped": dict(dropped), "canonicalised": dict(changed)}
    _tell(changed, len(pairs))
    return Preferences(pl.DataFrame(columns).hstack(rest), provenance={**(provenance or {}), **counts})


PreferencesLike: TypeAlias = Preferences | TableLike | str | os.PathLike[str]


def any_preferences(given: PreferencesLike) -> Preferences:
    """Preferences, or the path or table that holds them, as :func:`load_preferences` and :func:`as_preferences` read it."""
    if isinstance(given, Preferences):
        return given
    if isinstance(given, str | os.PathLike):
        return load_preferences(file_of(given))
    return as_preferences(given)


def prompt_key(prompt: str | Sequence[Mapping[str, str]]) -> str:
    """One string per distinct prompt: pairs that share it must stay on one side of a split."""
    if isinstance(prompt, str):
        return f"user\x1f{prompt}"
    return "\x1e".join(f"{m['role']}\x1f{m['content']}" for m in prompt)


def _tell(changed: Mapping[str, int], total: int) -> None:
    """Say what is read otherwise than it stands; a prompt that stands in both places, word for word, is as usual."""
    told = [f"{count} times {what}" for what, count in changed.items() if what != REPEATED]
    if told:
        warnings.warn(f"preferences, {total} pairs: {'; '.join(told)}", CharmWarning, stacklevel=3)


def _pair(row: Mapping[str, Any], index: int) -> Pair | None:
    try:
        return canonical_pair(row.get("prompt"), row["chosen"], row["rejected"])
    except SchemaError as error:
        error.where = f"preferences, row {index}"
        raise


def _text_columns(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select([c for c in ("prompt", "chosen", "rejected") if c in frame.columns])
