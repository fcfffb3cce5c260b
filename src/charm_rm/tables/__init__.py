"""The nouns: frozen, validated tables that every stage reads and writes."""

from ..estimates import Estimate
from .frames import TableLike, as_frame
from .nouns import (
    Battles,
    Candidates,
    Favouritism,
    Margins,
    Mismatch,
    Offsets,
    Preferences,
    Prompts,
    Ratings,
    Responses,
    Scores,
    WinRates,
    as_messages,
)
from .schema import NUMBER, TEXT, TRUTH, WHOLE, Column, Table, damaged_metadata, read_payload, with_kinds

__all__ = [
    "NUMBER",
    "TEXT",
    "TRUTH",
    "WHOLE",
    "Battles",
    "Candidates",
    "Column",
    "Estimate",
    "Favouritism",
    "Margins",
    "Mismatch",
    "Offsets",
    "Preferences",
    "Prompts",
    "Ratings",
    "Responses",
    "Scores",
    "Table",
    "TableLike",
    "WinRates",
    "as_frame",
    "as_messages",
    "damaged_metadata",
    "read_payload",
    "with_kinds",
]
