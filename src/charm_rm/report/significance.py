"""Which findings count as more than chance: q-values at the level that verdicts use."""

from __future__ import annotations

import polars as pl

from ..estimates import SIGNIFICANT

BEYOND_CHANCE = f"q ≤ {SIGNIFICANT:g}"
WITHIN_CHANCE = f"q > {SIGNIFICANT:g}"


def is_significant(q_value: float | None) -> bool:
    """True where a finding survives the false discovery rate."""
    return q_value is not None and q_value <= SIGNIFICANT


def was_tested(frame: pl.DataFrame) -> bool:
    """Whether anything in a table was tested: where there is too little data, all of ``q_value`` is missing."""
    return bool(frame["q_value"].is_not_null().any())


def significant_rows(frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table whose ``q_value`` is."""
    return frame.filter(pl.col("q_value") <= SIGNIFICANT)
