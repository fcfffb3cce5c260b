"""Texts as they lie in the database: JSON, so that every character that Polars can hold comes back."""

from __future__ import annotations

import json
from typing import Any


def packed(value: Any) -> str:
    """A text, or messages, as JSON. Halves of characters, which UTF-8 has no place for, become ``?``."""
    return json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace").decode()


def unpacked(text: str | None) -> Any:
    """What :func:`packed` packed; None stays None."""
    return None if text is None else json.loads(text)
