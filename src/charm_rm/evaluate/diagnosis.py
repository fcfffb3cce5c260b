"""Everything that is said of a benchmark beyond its figures, in one pass: tables for the files, the page and the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from .accuracy import BenchmarkResult
from .calibration import calibration_of
from .item_table import item_table
from .label_swap import LabelSwap, swap_labels
from .repeats import repeats_table
from .rulers import placebo_results, placebo_table, saturation
from .strata import strata_table, text_amounts

# Tables of a diagnosis, by the names of their files.
TABLES = ("items", "strata", "calibration", "reliability", "margins", "placebos", "repeats")


@dataclass(frozen=True, eq=False)
class Diagnosis:
    """One benchmark: ``tables`` by name (:data:`TABLES`, those that there are), a label swap, and per figure what makes it say little."""

    benchmark: str
    tables: Mapping[str, pl.DataFrame] = field(default_factory=dict)
    swap: LabelSwap | None = None
    saturation: Sequence[Sequence[str]] = ()
    truncated: Mapping[str, Mapping[str, int]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """What evaluation.json holds of it: everything but the item-level table."""
        return {
            "truncated": {model: dict(by_subset) for model, by_subset in self.truncated.items()},
            "label_swap": None if self.swap is None else {**vars(self.swap), "holds": self.swap.holds},
            **{name: frame.to_dicts() for name, frame in self.tables.items() if name != "items"},
        }


def diagnose(
    result: BenchmarkResult,
    baseline: BenchmarkResult | None = None,
    *,
    again: Sequence[BenchmarkResult] = (),
    placebos: bool = False,
    draws: int = 1000,
    seed: int = 0,
) -> Diagnosis:
    """What is worth knowing of a result: its items, strata, calibration, label swap and ceilings; on request placebos and repeats.

    Args:
        result: the model's.
        baseline: another model's, on the same items; its rows stand beside the model's, under ``model`` = ``baseline``.
        again: further runs of the same model.
        placebos: measure length and noise, too.
        draws, seed: of the bootstrap.
    """
    how: dict[str, Any] = {"draws": draws, "seed": seed}
    sides = {"model": result} | ({} if baseline is None else {"baseline": baseline})
    tables = {"items": pl.concat([item_table(one, model=name) for name, one in sides.items()])}
    amounts = text_amounts(result.benchmark)
    tables["strata"] = _together(
        {name: strata_table(one, amounts=amounts, **how) for name, one in sides.items()}
    )
    found = {name: calibration_of(one, **how) for name, one in sides.items()}
    known = {name: one for name, one in found.items() if one is not None}
    if known:
        tables["calibration"] = _together({name: one.summary for name, one in known.items()})
        tables["reliability"] = _together({name: one.reliability for name, one in known.items()})
        tables["margins"] = _together({name: one.margins for name, one in known.items()})
    table = None
    if placebos:
        table = tables["placebos"] = placebo_table(result, placebo_results(result.benchmark, **how), **how)
    if again:
        tables["repeats"] = repeats_table(result, again, **how)
    cut = {name: one.details.truncated for name, one in sides.items()}
    return Diagnosis(result.benchmark.name, tables, swap_labels(result), saturation(result, table), cut)


def tables_of(found: Sequence[Diagnosis]) -> dict[str, pl.DataFrame]:
    """The tables of several benchmarks, one after the other."""
    return {
        name: pl.concat(parts, how="diagonal_relaxed")
        for name in TABLES
        if (parts := [one.tables[name] for one in found if name in one.tables])
    }


def _together(frames: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Frames of several models, told apart by the first column."""
    return pl.concat(
        [frame.select(pl.lit(name).alias("model"), pl.all()) for name, frame in frames.items()],
        how="diagonal_relaxed",
    )
