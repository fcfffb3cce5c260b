"""Length: the limit and who sets it, what it cuts off, and responses that come to the same tokens."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import polars as pl

from ..scoring.encoding import Encoded, ResponseEncoder
from ..scoring.positions import position_limit
from ..scoring.reward import RewardModel
from .check import Check, common_start

_UNLIMITED = 1_000_000
# Shares from which a check warns or fails.
_CUT_WARNS = 0.01
_IDENTICAL_FAILS = 0.01
_POLICIES_SHOWN = 5
# Tokens that a cut may change beside it.
_AT_A_CUT = 3


@dataclass(frozen=True)
class Cut:
    """What one (prompt, response) lost to the limit."""

    prompt: bool
    response: bool


def check_length(model: RewardModel) -> Check:
    """The most tokens that a conversation may have, and where that comes from."""
    tokenizer, limit = model.encoder.tokenizer, model.encoder.max_length
    positions = position_limit(model.model.config)
    asked_of = {
        "the tokenizer's model_max_length": tokenizer.model_max_length,
        "the model's positions": positions,
    }
    sources = [name for name, value in asked_of.items() if value == limit]
    data = {
        "limit": limit,
        "tokenizer": min(int(tokenizer.model_max_length), _UNLIMITED),
        "positions": positions,
    }
    if limit >= _UNLIMITED:
        return Check(
            "length",
            "warn",
            "neither model nor tokenizer says how many tokens the model can read",
            fix="give --max-length: the longest text that it was trained on",
            data=data,
        )
    found = f"{limit:,} tokens, from {' and '.join(sources) if sources else 'the length asked for'}"
    return Check("length", "ok", found, data=data)


def length_checks(model: RewardModel, frame: pl.DataFrame) -> list[Check]:
    """Truncation and identical responses of a frame of prompt_id, prompt, policy, response."""
    encoder = model.encoder
    whole = ResponseEncoder(encoder.tokenizer, _UNLIMITED * 100, layout=encoder.layout)
    rows = list(frame.select("prompt", "response").iter_rows())
    seen = [encoder.encode(p, r) for p, r in rows]
    cuts = [
        what_was_cut(e, whole.encode(p, r), _count(encoder.tokenizer, r)) if e.truncated else None
        for (p, r), e in zip(rows, seen, strict=True)
    ]
    return [_check_truncation(frame, cuts, encoder.max_length), _check_identical(frame, seen)]


def what_was_cut(seen: Encoded, whole: Encoded, n_response: int) -> Cut:
    """Which side lost text: a prompt loses its beginning, a response its end.

    A response that stayed whole is in the common tail of both; what is missing beyond it was the prompt's.
    """
    head = common_start(seen.input_ids, whole.input_ids)
    tail = common_start(seen.input_ids[::-1], whole.input_ids[::-1])
    response = 0 < n_response > tail
    # One gap alone: what is before it and what is after it make up the whole, but for tokens at the cut.
    return Cut(prompt=not response or head + tail + _AT_A_CUT < len(seen), response=response)


def _check_truncation(frame: pl.DataFrame, cuts: Sequence[Cut | None], limit: int) -> Check:
    """Share of responses that lost text, by policy and side."""
    table = frame.select("policy").with_columns(
        pl.Series("prompt", [c is not None and c.prompt for c in cuts], dtype=pl.Boolean),
        pl.Series("response", [c is not None and c.response for c in cuts], dtype=pl.Boolean),
        pl.Series("any", [c is not None for c in cuts], dtype=pl.Boolean),
    )
    by_policy = (
        table.group_by("policy")
        .agg(pl.len().alias("n"), pl.col("any", "prompt", "response").mean())
        .sort("any", "policy", descending=[True, False])
    )
    share, n = sum(c is not None for c in cuts) / max(1, len(cuts)), len(cuts)
    data = {"n": n, "limit": limit, "share": share, "policies": by_policy.to_dicts()}
    found = f"{share:.1%} of {n} conversations are longer than {limit:,} tokens"
    if share <= _CUT_WARNS:
        return Check("truncation", "ok", found, data=data)
    lines = [
        f"{row['policy']}: {row['any']:.1%} of {row['n']} (prompt side {row['prompt']:.1%}, response side {row['response']:.1%})"
        for row in by_policy.head(_POLICIES_SHOWN).iter_rows(named=True)
        if row["any"]
    ]
    return Check(
        "truncation",
        "warn",
        found,
        fix="raise --max-length where the model allows it; else compare policies on prompts where none is cut",
        details=lines,
        data=data,
    )


def _check_identical(frame: pl.DataFrame, seen: Sequence[Encoded]) -> Check:
    """Pairs of different responses to one prompt that the model reads as the very same tokens."""
    groups = defaultdict(list)
    for row, (prompt_id, response) in enumerate(frame.select("prompt_id", "response").iter_rows()):
        groups[prompt_id].append((response, tuple(seen[row].input_ids), seen[row].truncated))
    pairs = [(a, b) for rows in groups.values() for a, b in combinations(rows, 2) if a[0] != b[0]]
    same = [(a, b) for a, b in pairs if a[1] == b[1]]
    cut = sum(a[2] or b[2] for a, b in same)
    data = {"pairs": len(pairs), "identical": len(same), "identical_by_truncation": cut}
    if not pairs:
        return Check("identical", "skipped", "no prompt has two different responses", data=data)
    share = len(same) / len(pairs)
    found = f"{len(same)} of {len(pairs)} pairs come to the same tokens, {cut} of them by truncation"
    if not same:
        return Check("identical", "ok", found, data=data)
    fix = "raise --max-length" if cut else "they differ in what the template or tokenizer leaves out"
    return Check(
        "identical",
        "fail" if share > _IDENTICAL_FAILS else "warn",
        found,
        fix=f"such pairs tie whatever their worth: {fix}, or leave the pairs out",
        data=data,
    )


def _count(tokenizer: Any, text: str) -> int:
    return len(tokenizer(text.strip(), add_special_tokens=False, verbose=False)["input_ids"])
