"""Conversations as data: a list of messages, each with a role and a content."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Messages = list[dict[str, str]]


def is_conversation(value: Any) -> bool:
    """True for a list of at least one message whose role and content are text."""
    return isinstance(value, list) and len(value) > 0 and all(_is_message(m) for m in value)


def _is_message(value: Any) -> bool:
    return isinstance(value, Mapping) and all(isinstance(value.get(k), str) for k in ("role", "content"))
