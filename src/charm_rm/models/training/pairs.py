"""Preference pairs -> token ids for the trainer, split by prompt.

The ids come from the same :class:`ResponseEncoder` that scoring uses, so a model is trained on exactly
what it will later score; TRL's own tokenisation is never entered.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import numpy as np
from numpy.typing import NDArray

from ...errors import CharmWarning, ConfigError, SchemaError
from ...preferences import prompt_key
from ...protocols import Prompt
from ...tables import Preferences
from ..scoring.encoding import TEXTS_PER_CALL, Encoded, ResponseEncoder

SIDES = ("chosen", "rejected")


@dataclass(frozen=True, eq=False)
class EncodedPairs:
    """Pairs as the trainer takes them, with the number of each pair's prompt and what was left out."""

    dataset: datasets.Dataset
    prompts: NDArray[np.intp]
    dropped: int
    truncated: int

    def __len__(self) -> int:
        return len(self.prompts)


def split_by_prompt(
    preferences: Preferences, *, fraction: float, seed: int
) -> tuple[Preferences, Preferences | None]:
    """Hold out the pairs of a random ``fraction`` of the prompts (at least one): (train, held out).

    All pairs of a prompt go to one side, so nothing evaluated was trained on.
    """
    if fraction == 0:
        return preferences, None
    keys = [prompt_key(p) for p in preferences.frame["prompt"].to_list()]
    distinct = sorted(set(keys))
    n = max(1, round(fraction * len(distinct)))
    if n >= len(distinct):
        raise SchemaError(
            f"preferences: {len(distinct)} distinct prompt(s) cannot be split into training and held-out",
            fix="give more prompts, or hold nothing out (--eval-fraction 0, eval_fraction= in Python)",
        )
    held = set(np.random.default_rng(seed).choice(distinct, size=n, replace=False).tolist())
    mask = np.array([key in held for key in keys])
    return Preferences(preferences.frame.filter(~mask)), Preferences(preferences.frame.filter(mask))


def encode_pairs(
    preferences: Preferences, encoder: ResponseEncoder, *, margin: bool = False, soft_labels: bool = False
) -> EncodedPairs:
    """Encode both responses of every pair; pairs that truncation makes identical are dropped, with a warning."""
    columns = _targets(preferences, margin=margin, soft_labels=soft_labels)
    rows: list[dict[str, Any]] = []
    prompts: list[str] = []
    truncated = 0
    for index, (prompt, chosen, rejected) in enumerate(_encode(preferences, encoder)):
        if chosen.input_ids == rejected.input_ids:
            continue
        truncated += chosen.truncated or rejected.truncated
        rows.append(
            _ids("chosen", chosen) | _ids("rejected", rejected) | {k: v[index] for k, v in columns.items()}
        )
        prompts.append(prompt_key(prompt))
    dropped = len(preferences) - len(rows)
    _report_dropped(dropped, len(preferences), encoder.max_length)
    numbers = np.unique(np.array(prompts, dtype=object), return_inverse=True)[1]
    dataset = datasets.Dataset.from_list(rows).with_format("numpy")
    return EncodedPairs(dataset, numbers, dropped, truncated)


def _encode(preferences: Preferences, encoder: ResponseEncoder) -> Iterator[tuple[Prompt, Encoded, Encoded]]:
    """Each pair's prompt, chosen and rejected conversation; many texts at a time, as tokenizers are quicker so."""
    columns = preferences.frame.select("prompt", "chosen", "rejected")
    for start in range(0, len(columns), TEXTS_PER_CALL):
        part = columns.slice(start, TEXTS_PER_CALL)
        prompts = part["prompt"].to_list()
        sides = (
            [_response(given, start + i) for i, given in enumerate(part[side].to_list())] for side in SIDES
        )
        yield from zip(prompts, *(encoder.encode_many(prompts, side) for side in sides), strict=True)


def texts_of(preferences: Preferences) -> list[str]:
    """The chosen and the rejected responses, as text."""
    columns = (preferences.frame[side].to_list() for side in ("chosen", "rejected"))
    return [_response(given, i) for column in columns for i, given in enumerate(column)]


def row_of(example: Mapping[str, Any], side: str) -> Encoded:
    """One response of an example of the dataset, as scoring has it."""
    types = example.get(f"{side}_types")
    return Encoded(example[f"{side}_ids"].tolist(), None if types is None else types.tolist())


def _ids(side: str, encoded: Encoded) -> dict[str, Any]:
    """Columns of one response; int32 arrays, as lists of Python integers would take ten times the memory."""
    columns = {f"{side}_ids": encoded.input_ids, f"{side}_types": encoded.token_type_ids}
    return {name: np.asarray(ids, dtype=np.int32) for name, ids in columns.items() if ids is not None}


def _response(messages: str | Sequence[dict[str, str]], index: int) -> str:
    if isinstance(messages, str):
        return messages
    if len(messages) != 1:
        raise SchemaError(
            f"expected one assistant message, found {len(messages)}",
            where=f"preferences, row {index}",
            fix="put earlier turns into the prompt (load_preferences does)",
        )
    return messages[0]["content"]


def _targets(preferences: Preferences, *, margin: bool, soft_labels: bool) -> dict[str, list[float]]:
    """The columns that enter the loss, complete or refused."""
    wanted = [name for name, asked in (("margin", margin), ("p_chosen", soft_labels)) if asked]
    for name in wanted:
        if name not in preferences.frame.columns or preferences.frame[name].null_count():
            raise ConfigError(
                f"the loss asked for needs {name!r} for every pair, and it is missing",
                where="preferences",
                fix="use preferences written by `charm relabel`, or train with the plain loss: leave out --soft-labels and --margin-loss",
            )
    return {name: preferences.frame[name].to_list() for name in wanted}


def _report_dropped(dropped: int, total: int, max_length: int) -> None:
    if dropped == total:
        raise SchemaError(
            f"preferences: no pair differs within {max_length} tokens",
            fix="raise --max-length (max_length= in Python)",
        )
    if dropped:
        warnings.warn(
            f"{dropped} of {total} pairs read the same within {max_length} tokens and were dropped",
            CharmWarning,
            stacklevel=3,
        )
