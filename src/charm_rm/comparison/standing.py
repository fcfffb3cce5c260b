"""The table of alignment with people against accuracy on benchmarks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import polars as pl

from .benchmarks import Benchmarked
from .held import Field
from .pareto import Axis, Duel, standings
from .result import ALIGNMENT, PARETO
from .tables import figure_name, gap_rows

Rows = Sequence[Mapping[str, Any]]


def pareto_table(
    values: pl.DataFrame,
    held: Field | None,
    told: Benchmarked | None,
    known: Mapping[tuple[str, str], Rows],
) -> pl.DataFrame:
    """The models that have both, and which of them another dominates; every two are compared for it, ``known`` ones not again."""
    if held is None or told is None or told.whole is None:
        return pl.DataFrame(schema=PARETO)
    whole = figure_name(told.whole)
    models = [name for name in held.models if name in told.models]
    duels = []
    for a, b in combinations(models, 2):
        rows, sign = _rows(a, b, known, held, told)
        if {whole, ALIGNMENT} <= set(rows):
            duels.append(Duel(a, b, (_axis(rows[whole], sign), _axis(rows[ALIGNMENT], -sign))))
    standing = {row["model"]: row for row in standings(models, duels)}
    return pl.DataFrame([{**_place(values, name, whole), **standing[name]} for name in models], schema=PARETO)


def _rows(
    a: str, b: str, known: Mapping[tuple[str, str], Rows], held: Field, told: Benchmarked
) -> tuple[dict[str, Mapping[str, Any]], int]:
    """The differences of two models by figure, and -1 where they are the second minus the first."""
    sign = -1 if (b, a) in known else 1
    rows = known.get((a, b)) or known.get((b, a)) or gap_rows(held, told, a, b)
    return {row["figure"]: row for row in rows}, sign


def _axis(row: Mapping[str, Any], sign: int) -> Axis:
    """A difference, turned round where ``sign`` is -1."""
    low, high = row["ci_low"], row["ci_high"]
    if sign < 0:
        low, high = (None if end is None else -end for end in (high, low))
    return Axis(sign * row["difference"], low, high, row["p_value"])


def _place(values: pl.DataFrame, name: str, whole: str) -> dict[str, Any]:
    found = {r["figure"]: r for r in values.filter(pl.col("model") == name).iter_rows(named=True)}
    axes = (("accuracy", found[whole]), ("mismatch", found[ALIGNMENT]))
    return {
        key: row[column]
        for axis, row in axes
        for key, column in ((axis, "value"), (f"{axis}_low", "ci_low"), (f"{axis}_high", "ci_high"))
    }
