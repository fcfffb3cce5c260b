"""The nouns: frozen, validated tables that every stage reads and writes."""

from ..estimates import Estimate
from .nouns import (
    Battles,
    Favouritism,
    Margins,
    Mismatch,
    Offsets,
    Preferences,
    Ratings,
    Responses,
    Scores,
    WinRates,
    as_messages,
)
from .schema import Column, Table, read_payload

__all__ = [
    "Battles",
    "Column",
    "Estimate",
    "Favouritism",
    "Margins",
    "Mismatch",
    "Offsets",
    "Preferences",
    "Ratings",
    "Responses",
    "Scores",
    "Table",
    "WinRates",
    "as_messages",
    "read_payload",
]
