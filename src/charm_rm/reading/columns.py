"""Which columns are text, and the types of all others in a file that has none."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import polars as pl

from ..tables import nouns
from ..tables.schema import ANY, TEXT, Table
from .names import is_name_or_id

_NOUNS = [v for v in vars(nouns).values() if isinstance(v, type) and issubclass(v, Table)]
# Names and ids in the layouts of other tools, and in the small tables that are given beside the nouns.
_ELSEWHERE = (
    *("model", "model_a", "model_b", "model_1", "model_2", "model_name", "chosen_model", "rejected_model"),
    *("response_a", "response_b", "conversation_a", "conversation_b"),
    *("generator", "generator_1", "generator_2", "baseline", "annotator", "judge", "worker", "voter"),
    *("question_id", "instruction_id", "uid", "item_id", "question", "instruction", "output", "output_1", "output_2"),
    *("g1_winner", "g2_winner", "arena_name", "arena_names", "match", "note", "split", "group", "family"),
    *("leaderboard_publish_date", "commit_date", "organization", "license", "subset", "dataset", "key"),
)  # fmt: skip
# Read as text from every file that does not type its columns: `1.10` is not `1.1`, and `007` is not `7`.
TEXTS = frozenset(c.name for noun in _NOUNS for c in noun.columns if c.kind in (TEXT, ANY)) | set(_ELSEWHERE)
CONVERSATIONS = ("prompt", "chosen", "rejected", "response")

_NUMBER = r"^\s*(?:[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?|[+-]?(?i:inf|infinity|nan))?\s*$"
# What a spreadsheet's identifier looks like and a number's text does not.
_LEADING_ZERO = r"^\s*[+-]?0\d"
# Numbers with a decimal comma or none; and those that a thousands separator would write alike.
_COMMA = r"^\s*[+-]?\d*,?\d+(?:[eE][+-]?\d+)?\s*$"
_THOUSANDS = r"^\s*[+-]?\d{1,3}(?:,\d{3})*\s*$"
_SAMPLE = 64


def with_decimal_points(frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """A frame of text whose cells no comma separates, with decimal points; and the columns that had decimal commas.

    A column has them where every cell is a number so written, none has a point, and one at least (``1,17``) can be nothing else:
    ``1,234`` alone may be a thousand.
    """
    found = [s.name for s in frame if not is_name_or_id(s.name) and _has_commas(s.drop_nulls())]
    return frame.with_columns(pl.col(found).str.replace(",", ".", literal=True)), found


def _has_commas(told: pl.Series) -> bool:
    if not told.len() or not told.head(_SAMPLE).str.contains(_COMMA).all():
        return False
    fraction = told.str.contains(",", literal=True) & ~told.str.contains(_THOUSANDS)
    return bool(told.str.contains(_COMMA).all() and fraction.any())


def typed(frame: pl.DataFrame, texts: Collection[str]) -> pl.DataFrame:
    """A frame of text with every column but ``texts`` as whole numbers, numbers or true/false, where all its cells are.

    Any other column stays text, cell by cell as it was. So does one with leading zeros.
    """
    return frame.with_columns([_typed(s) for s in frame if s.name not in texts and not is_name_or_id(s.name)])


def name_texts(names: pl.Series) -> pl.Series:
    """Names of any type as text; of those in parts (MT-Bench's judges: model and prompt) the parts with ``/`` between."""
    if names.dtype in (pl.String, pl.Categorical, pl.Enum) or names.dtype.is_integer():
        return names.cast(pl.String)
    return pl.Series(names.name, [_name_text(n) for n in names.to_list()], dtype=pl.String)


def _name_text(name: Any) -> str | None:
    if name is None:
        return None
    return "/".join(map(str, name)) if isinstance(name, list) else str(name)


def _typed(cells: pl.Series) -> pl.Series:
    told = cells.drop_nulls()
    some = told.head(_SAMPLE)
    if not told.len():
        return cells
    if some.str.to_lowercase().is_in(["true", "false"]).all():
        return _truths(cells)
    if not some.str.contains(_NUMBER).all() or told.str.contains(_LEADING_ZERO).any():
        return cells
    for dtype in (pl.Int64, pl.Float64):
        numbers = cells.cast(dtype, strict=False)
        if numbers.null_count() == cells.null_count():
            return numbers
    return _loose_numbers(cells)


def _truths(cells: pl.Series) -> pl.Series:
    lower = cells.str.to_lowercase()
    if not lower.drop_nulls().is_in(["true", "false"]).all():
        return cells
    return (lower == "true").alias(cells.name)


def _loose_numbers(cells: pl.Series) -> pl.Series:
    """Numbers with spaces around them, and quoted nothing, as a file with every cell quoted writes what is missing."""
    stripped = cells.str.strip_chars()
    told = stripped.set(stripped == "", None)
    numbers = told.cast(pl.Float64, strict=False)
    if told.null_count() == told.len() or numbers.null_count() != told.null_count():
        return cells
    whole = told.cast(pl.Int64, strict=False)
    return whole if whole.null_count() == told.null_count() else numbers
