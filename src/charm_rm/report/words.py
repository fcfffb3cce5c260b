"""Numbers and text as the page shows them."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import counted

# Reordering controls can make text look like something it is not.
_MISLEADING = {chr(c) for c in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}


def clean(text: object) -> str:
    """Text with control characters replaced: untrusted names must neither break XML nor reorder a line."""
    return "".join("\ufffd" if _control(c) else c for c in str(text))


def _control(c: str) -> bool:
    return (
        c in _MISLEADING
        or c in "\ufffe\uffff"
        or (unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t")
    )


def number(value: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """``-0.1234`` as ``−0.123`` with a real minus sign; missing as an en dash."""
    if value is None or math.isnan(value):
        return "–"
    shown = round(float(value), digits) + 0.0  # + 0.0 turns -0.0 into 0.0
    return f"{shown:{'+' if signed and shown else ''},.{digits}f}".replace("-", "\u2212")


def chance(value: float | None) -> str:
    """A p- or q-value with four digits; ``<0.0001`` below that, for no test shows a chance of 0."""
    return "<0.0001" if value is not None and value < 0.0001 else number(value, 4)


def elo(value: float | None) -> str:
    """Elo points, signed, whole."""
    return number(value, 0, signed=True)


def interval(low: float | None, high: float | None, digits: int = 3, *, signed: bool = False) -> str:
    """``[+230, +294]``; ``[+12, open)`` where one end is missing; nothing where both are."""
    ends = [
        None if end is None or math.isnan(end) else number(end, digits, signed=signed) for end in (low, high)
    ]
    if ends == [None, None]:
        return ""
    return f"{'(open' if ends[0] is None else f'[{ends[0]}'}, {'open)' if ends[1] is None else f'{ends[1]}]'}"


def with_interval(row: Mapping[str, Any], value: str, digits: int = 3, *, signed: bool = False) -> str:
    """``+262 [+230, +294]`` from a row with ``ci_low`` and ``ci_high``."""
    shown = number(row[value], digits, signed=signed)
    return f"{shown} {interval(row.get('ci_low'), row.get('ci_high'), digits, signed=signed)}".rstrip()


def estimate_words(estimate: Mapping[str, Any], digits: int = 3) -> str:
    """``1.99 [1.75, 2.30]`` from an estimate's value and, where it has one, its interval."""
    return f"{number(estimate['value'], digits)} {interval(estimate.get('ci_low'), estimate.get('ci_high'), digits)}".rstrip()


count = counted


def snippet(content: Any, *, limit: int = 320) -> str:
    """The text of a string or of chat messages, cut at ``limit`` characters on one or few lines."""
    if isinstance(content, Sequence) and not isinstance(content, str):
        content = "\n".join(str(m.get("content", "")) if isinstance(m, Mapping) else str(m) for m in content)
    text = clean(content if content is not None else "").strip()
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def flatten(value: Any, path: str = "") -> list[tuple[str, str]]:
    """Nested JSON as (path, value) rows, in order."""
    if isinstance(value, Mapping):
        return [
            row for k, v in value.items() for row in flatten(v, f"{path} › {clean(k)}" if path else clean(k))
        ]
    if isinstance(value, Sequence) and not isinstance(value, str):
        if all(not isinstance(v, Mapping | list) for v in value):
            return [(path, ", ".join(clean(v) for v in value))]
        return [row for i, v in enumerate(value) for row in flatten(v, f"{path} › {i + 1}")]
    return [(path, "–" if value is None else clean(value))]
