"""Favour shown to every policy, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ...errors import counted
from ..charts import Row, interval_rows
from ..gather import Findings
from ..significance import WITHIN_CHANCE
from ..words import chance
from ._registry import Picture, both, figure
from ._rows import by_policy, colour_role, ends, favour_words

_AXIS = "favour, Elo points"


@figure("favour", title="Favour, policy by policy", section="favour", needs=("before.favouritism",))
def favour_figure(_: Findings, frame: pl.DataFrame) -> Iterator[Picture]:
    rows = ends([_row(r, None) for r in frame.sort("favour", descending=True).to_dicts()])
    yield both(
        lambda w: interval_rows(rows, width=w, axis=_AXIS),
        alt=f"Favour shown to {counted(len(rows), 'policy', 'policies')} in Elo points with 95 % intervals, most favoured first.",
        caption="Favour in Elo points with 95 % intervals. Orange: over-valued; blue: under-valued; grey: not beyond chance "
        f"({WITHIN_CHANCE}).",
    )


@figure(
    "favour_after",
    title="Favour before and after",
    section="change",
    needs=("before.favouritism", "after.favouritism"),
)
def favour_after_figure(_: Findings, frame: pl.DataFrame, later: pl.DataFrame) -> Iterator[Picture]:
    after = by_policy(later)
    policies = [r for r in frame.sort("favour", descending=True).to_dicts() if r["policy"] in after]
    rows = [_row(after[r["policy"]], r) for r in policies]
    if rows:
        yield both(
            lambda w: interval_rows(ends(rows), width=w, axis=_AXIS),
            alt=f"Favour of {len(rows)} policies before and after calibration, in Elo points.",
            caption="Hollow: before. Filled, with its 95 % interval: after. Order: most favoured before.",
        )


def _row(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> Row:
    then = f"before: {favour_words(before)}\nafter: " if before else ""
    return Row(
        name=row["policy"],
        value=row["favour"],
        low=row["ci_low"],
        high=row["ci_high"],
        role=colour_role(row["favour"], row["q_value"]),
        start=before["favour"] if before else None,
        tip=f"{row['policy']}\n{then}{favour_words(row)}, q = {chance(row['q_value'])}",
    )
