"""Scores of any size a number can have: brought near 1 by a power of two, which is exact, and the offsets brought back."""

from __future__ import annotations

import numpy as np
import polars as pl

from ..errors import NotIdentifiable
from ..tables import Margins, Scores

# Squares of numbers between two to these powers, summed, neither overflow nor vanish: such scores are left as they are.
_LARGEST, _SMALLEST = 450, -450
_IN_SCORE_UNITS = ("delta", "std_err", "ci_low", "ci_high")


def brought_near_1(
    source: Scores | Margins, temperature: float | None
) -> tuple[Scores | Margins, float | None, int]:
    """(source, temperature, exponent): scores (or margins) and the sigmoid's temperature times 2^-exponent.

    The exponent is 0, and all is as it was, for numbers of ordinary size.

    Raises:
        NotIdentifiable: the scores differ by so many orders of magnitude that some would become 0.
    """
    column = "score" if isinstance(source, Scores) else "margin"
    values = source.frame[column].to_numpy()
    exponent = _exponent(max(float(np.abs(values).max()), temperature or 0.0))
    if exponent == 0:
        return source, temperature, 0
    scaled = np.ldexp(values, -exponent)
    vanished = (scaled == 0) & (values != 0)
    if temperature is None and vanished.any():
        raise NotIdentifiable(
            f"the {source.noun} reach from {np.abs(values[vanished]).min():.0e} to {np.abs(values).max():.0e}: "
            "no calculation holds both",
            where="calibration",
            fix="check what wrote them, and drop or rescale the extreme ones",
        )
    frame = source.frame.with_columns(pl.Series(column, scaled))
    small = None if temperature is None else float(np.ldexp(temperature, -exponent))
    return type(source)(frame, provenance=source.provenance), small, exponent


def _exponent(largest: float) -> int:
    """0 for an ordinary number; else what brings it to 2^450 from above, or to about 1 from below."""
    exponent = int(np.frexp(largest)[1])
    if exponent > _LARGEST:
        return exponent - _LARGEST
    return exponent if exponent < _SMALLEST and largest > 0 else 0


def brought_back(frame: pl.DataFrame, exponent: int) -> pl.DataFrame:
    """Offsets in the units of the scores again.

    Raises:
        NotIdentifiable: an offset is larger than any number.
    """
    if exponent == 0:
        return frame
    for column in _IN_SCORE_UNITS:
        values = frame[column].cast(pl.Float64).fill_null(np.nan).to_numpy()
        with np.errstate(over="ignore"):
            back = np.ldexp(values, exponent)
        if (beyond := np.isinf(back) & np.isfinite(values)).any():
            raise NotIdentifiable(
                f"the offset's {column} is larger than any number",
                where=f"policy {frame['policy'][int(np.flatnonzero(beyond)[0])]!r}",
                fix="divide the scores by a constant",
            )
        frame = frame.with_columns(pl.Series(column, back).fill_nan(None))
    return frame
