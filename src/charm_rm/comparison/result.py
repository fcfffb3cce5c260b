"""What a comparison of several models found: its tables, and how they are saved."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl

from ..shown import Figures, Shown, bind_figures
from ..store import save, write_frame, write_json
from ..tables import Ratings

ALIGNMENT = "sharpness_fitted_mismatch"  # the axis of alignment with people
# Readings of a difference that is no finding: chance, or the very same credit on every item.
WITHIN, UNTESTED, SAME = "within chance", "not tested", "the same on every item"
NO_DIFFERENCE = (WITHIN, UNTESTED, SAME)
_GAP = ("value", "baseline_value", "difference", "ci_low", "ci_high", "p_value", "q_value")
DIFFERENCES: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("model", "baseline", "kind", "figure"), pl.String),
    **dict.fromkeys(_GAP, pl.Float64),
    "reading": pl.String,
}
VALUES: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("model", "kind", "figure"), pl.String),
    **dict.fromkeys(("value", "ci_low", "ci_high", "floor"), pl.Float64),
}
FAVOUR: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("model", "policy"), pl.String),
    **dict.fromkeys(("favour", "ci_low", "ci_high", "p_value", "q_value"), pl.Float64),
    "verdict": pl.String,
}
FAVOUR_GAPS: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(("model", "baseline", "policy"), pl.String),
    **dict.fromkeys(("difference", "std_err", "ci_low", "ci_high", "p_value", "q_value"), pl.Float64),
    "verdict": pl.String,
}
PARETO: dict[str, pl.DataType | type[pl.DataType]] = {
    "model": pl.String,
    **dict.fromkeys(("accuracy", "accuracy_low", "accuracy_high"), pl.Float64),
    **dict.fromkeys(("mismatch", "mismatch_low", "mismatch_high"), pl.Float64),
    "standing": pl.String,
    "by": pl.List(pl.String),
}


@dataclass(frozen=True, eq=False, repr=False)
class ModelComparison(Shown):
    """Several models side by side.

    ``figures``: model, kind (alignment, benchmark), figure, value, ci_low, ci_high, floor. ``differences``: model, baseline, kind, figure,
    value, baseline_value, difference, ci_low, ci_high, p_value, q_value, reading; q is over all its rows. ``favour``: model, policy, favour
    and its test, as in an audit. ``favour_differences``: model, baseline, policy, difference and its test; q is over all its rows.
    ``pareto``: model, accuracy and mismatch with intervals, standing, by; no rows without both axes. ``ratings`` are those used, if any.
    """

    models: tuple[str, ...]
    reference: str
    figures: pl.DataFrame
    differences: pl.DataFrame
    favour: pl.DataFrame
    favour_differences: pl.DataFrame
    pareto: pl.DataFrame
    ratings: Ratings | None
    summary: Figures
    provenance: Mapping[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        bind_figures(self, self.summary)

    def tables(self) -> dict[str, pl.DataFrame]:
        """``differences``, ``figures``, and those of ``favour``, ``favour_differences`` and ``pareto`` that have rows."""
        more = {"favour": self.favour, "favour_differences": self.favour_differences, "pareto": self.pareto}
        always = {"differences": self.differences, "figures": self.figures}
        return always | {name: frame for name, frame in more.items() if frame.height}

    def to_json(self) -> dict[str, Any]:
        """The comparison as JSON-able values; numbers that do not exist are null."""
        frames = ("figures", "differences", "favour", "favour_differences", "pareto")
        tables = {name: getattr(self, name).to_dicts() for name in frames}
        about = {"summary": dict(self.summary), "warnings": list(self.warnings)}
        names = {"models": list(self.models), "reference_model": self.reference}
        return {**names, **tables, **about, "provenance": dict(self.provenance)}


def save_models(found: ModelComparison, folder: Path) -> None:
    """Write figures, differences, favour and pareto (those that have rows), the ratings and comparison.json into an existing folder."""
    for name, frame in found.tables().items():
        write_frame(frame, folder / f"{name}.parquet", force=True)
    if found.ratings is not None:
        save(found.ratings, folder / "ratings.parquet", force=True)
    write_json(found.to_json(), folder / "comparison.json", force=True)
