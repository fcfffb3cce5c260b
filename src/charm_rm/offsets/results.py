"""What the offset verbs end in: the table, what is said beside it, and what the offsets are measured in."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from ..errors import CharmError, CharmWarning, listing
from ..estimates import LEVEL
from ..statistics import FloatArray, percentile_interval
from ..tables import Margins, Offsets, Scores

# Log-odds that stand for certainty: beyond 1 - 1e-6, where preferences of `charm judge` are cut; those of judgements made
# elsewhere are cut further out.
_SURE_FROM = 13.8


def measured_in(source: Scores | Margins) -> dict[str, str]:
    """What the offsets move, for the provenance: scores, or judgements' margins, which are log-odds."""
    return {"source": source.noun, "unit": "score" if isinstance(source, Scores) else "log-odds"}


@dataclass(frozen=True)
class Spread:
    """Standard error and 95 % interval of an offset. NaN: nothing was drawn. An infinite end: the data set none."""

    std_err: float
    low: float
    high: float

    def columns(self) -> dict[str, float | str | None]:
        """The table's columns: an end that the data do not set is null, and ``ci_open`` says which."""
        ends = {(True, True): "both", (True, False): "low", (False, True): "high"}
        return {
            "std_err": _finite(self.std_err),
            "ci_low": _finite(self.low),
            "ci_high": _finite(self.high),
            "ci_open": ends.get((np.isinf(self.low), np.isinf(self.high))),
        }


NO_SPREAD = Spread(np.nan, np.nan, np.nan)


def spread_of(draws: FloatArray) -> Spread:
    """Spread of (B,) draws, some of which may be infinite; of none, nothing.

    The standard error is then half the middle 68 % of the draws, and missing where that is infinite too.
    """
    if len(draws) == 0:
        return NO_SPREAD
    if np.isfinite(draws).all():
        low, high = percentile_interval(draws)
        return Spread(float(draws.std(ddof=1)), float(low), float(high))
    tail = (1 - LEVEL) / 2
    low, lower, upper, high = np.quantile(draws, [tail, 0.16, 0.84, 1 - tail], method="inverted_cdf")
    spread = (upper - lower) / 2 if np.isfinite(upper) and np.isfinite(lower) else np.nan
    return Spread(float(spread), float(low), float(high))


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def note_open(frame: pl.DataFrame) -> list[str]:
    """A warning that names the policies whose interval has an end that the data do not set."""
    if "ci_open" not in frame.columns or (names := frame.filter(pl.col("ci_open").is_not_null())).is_empty():
        return []
    sides = {"low": "below", "high": "above", "both": "on both sides"}
    which = ", ".join(f"{row['policy']!r} ({sides[row['ci_open']]})" for row in names.iter_rows(named=True))
    return [
        f"the 95 % interval of the offset is open for {which}: so few wins (or losses) are expected there that "
        "none at all would be no surprise, and the data do not say how far the offset could go"
    ]


def note_aligned(frame: pl.DataFrame, missed: Collection[str] = ()) -> list[str]:
    """A warning that names the policies whose interval covers 0, but for those that ``missed`` their target.

    An end that the data do not set lies beyond 0. Without references the offsets are held at mean 0 by convention: where 0 lies
    says nothing of a policy, and neither does this.
    """
    if not frame["is_reference"].any():
        return []
    opened = pl.col("ci_open").fill_null("") if "ci_open" in frame.columns else pl.lit("")
    below = (pl.col("ci_low") <= 0) | opened.is_in(["low", "both"])
    above = (pl.col("ci_high") >= 0) | opened.is_in(["high", "both"])
    named = ~pl.col("is_reference") & ~pl.col("policy").is_in(list(missed))
    names = frame.filter(below.fill_null(False) & above.fill_null(False) & named)["policy"]
    if names.len() == 0:
        return []
    return [
        f"the 95 % interval of the offset covers 0 for {listing(names)}: "
        "already aligned as far as these data tell; calibrating may hurt"
    ]


def note_worse(residuals: pl.DataFrame) -> list[str]:
    """A warning where the mean |P̂ - P| of hard win rates over pairs is larger cross-fitted than before, in the digits shown."""
    if residuals.is_empty() or residuals["after_cross_fitted"].null_count():
        return []
    before, crossed = (
        round(float((residuals[name] - residuals["target"]).abs().mean()), 4)  # type: ignore[arg-type]
        for name in ("before", "after_cross_fitted")
    )
    if crossed <= before:
        return []
    return [
        "on fresh prompts these offsets are expected to make the win rates worse (mean |P̂ - P| "
        f"{before:.4f} before, {crossed:.4f} cross-fitted): better leave the scores as they are"
    ]


def note_not_cross_fitted(error: CharmError) -> str:
    """A warning that cross-fitted win rates are missing, as a half of the prompts does not determine the offsets."""
    return f"no cross-fitted win rates: half of the prompts do not determine the offsets ({error.what})"


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
    frame: pl.DataFrame,
    *,
    residuals: pl.DataFrame,
    provenance: Mapping[str, Any],
    notes: Sequence[str],
    missed: Collection[str] = (),
) -> Offsets:
    """The result table; says each note as a CharmWarning and keeps it in the provenance.

    ``missed`` are policies whose target no offset meets: an interval that covers 0 does not make them aligned.
    """
    frame = frame.with_columns(pl.selectors.float().fill_nan(None))
    notes = [*notes, *note_open(frame), *note_aligned(frame, missed), *note_worse(residuals)]
    for note in notes:
        warnings.warn(note, CharmWarning, stacklevel=3)
    return Offsets(frame, provenance=dict(provenance) | {"warnings": notes}, residuals=residuals)
