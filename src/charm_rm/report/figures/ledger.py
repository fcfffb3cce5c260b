"""Labels that stayed, turned, tied or were left out, by policy pair."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..charts import stacked_rows
from ..gather import Findings
from ..words import count
from ._registry import Picture, both, figure

_PARTS = ("kept", "flipped", "tied", "dropped")
_MAX_PAIRS = 20


@figure("ledger", title="Labels kept and flipped", section="labels", needs=("ledger",))
def ledger_figure(_: Findings, ledger: pl.DataFrame) -> Iterator[Picture]:
    if ledger.is_empty():
        return
    rows = [_row(r) for r in ledger.sort("flipped", descending=True).head(_MAX_PAIRS).to_dicts()]
    yield both(
        lambda w: stacked_rows(rows, parts=_PARTS, width=w, axis="preference pairs"),
        alt=f"Labels kept, flipped, tied and dropped for {len(rows)} policy pairs.",
        caption=f"{count(len(rows), 'policy pair')}, most flipped labels first.",
    )


def _row(row: Mapping[str, Any]) -> tuple[str, dict[str, int], str]:
    """Name, counts, tooltip."""
    counts = {part: int(row.get(part) or 0) for part in _PARTS}
    tip = ", ".join(f"{part} {n:,}" for part, n in counts.items())
    name, reference = row["policy"], row["reference"]
    return f"{name} · {reference}", counts, f"{name}\nagainst {reference}\n{tip}"
