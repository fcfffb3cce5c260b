"""What the offset verbs end in: the table, what is said beside it, and what the offsets are measured in."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmWarning, listing
from ..statistics import FloatArray, percentile_interval
from ..tables import Margins, Offsets, Scores

# Log-odds that stand for certainty: beyond 1 - 1e-6, where preferences of `charm judge` are cut; those of judgements made
# elsewhere are cut further out.
_SURE_FROM = 13.8


def measured_in(source: Scores | Margins) -> dict[str, str]:
    """What the offsets move, for the provenance: scores, or judgements' margins, which are log-odds."""
    return {"source": source.noun, "unit": "score" if isinstance(source, Scores) else "log-odds"}


def summarise_draws(draws: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """(std_err, ci_low, ci_high) of each column of (B, K) draws; NaN where there are no draws."""
    if len(draws) == 0:
        nothing = np.full(draws.shape[1], np.nan)
        return nothing, nothing, nothing
    low, high = percentile_interval(draws)
    return draws.std(axis=0, ddof=1), low, high


def note_aligned(frame: pl.DataFrame) -> list[str]:
    """A warning that names the policies whose interval covers 0."""
    covers = pl.col("ci_low").is_not_null() & (pl.col("ci_low") <= 0) & (pl.col("ci_high") >= 0)
    names = frame.filter(covers & ~pl.col("is_reference"))["policy"]
    if names.len() == 0:
        return []
    return [
        f"the 95 % interval of the offset covers 0 for {listing(names)}: "
        "already aligned as far as these data tell; calibrating may hurt"
    ]


def note_verdicts(source: Scores | Margins) -> list[str]:
    """A warning where most judgements are sure: verdicts without a probability, which no constant turns in part."""
    if isinstance(source, Scores):
        return []
    sure = float((source.frame["margin"].abs() > _SURE_FROM).mean())  # type: ignore[arg-type]
    if sure <= 0.5:
        return []
    return [
        f"{sure:.0%} of the judgements are sure ones (the log-odds of 0 or 1, which have no size of their own): an offset can "
        "hardly turn some and not others; look at the win rates after"
    ]


def as_offsets(
    frame: pl.DataFrame, *, residuals: pl.DataFrame, provenance: Mapping[str, Any], notes: Sequence[str]
) -> Offsets:
    """The result table; says each note as a CharmWarning and keeps it in the provenance."""
    frame = frame.with_columns(pl.selectors.float().fill_nan(None))
    notes = [*notes, *note_aligned(frame)]
    for note in notes:
        warnings.warn(note, CharmWarning, stacklevel=3)
    return Offsets(frame, provenance=dict(provenance) | {"warnings": notes}, residuals=residuals)
