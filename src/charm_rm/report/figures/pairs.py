"""Figures with a cell or row per pair of policies: mismatch as a map, or as bars per reference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import polars as pl

from ..charts import Row, Tile, heat_map, interval_rows
from ..gather import Findings
from ..words import interval, number
from .figure import Figure, both, colour_role, ends

MAX_MAP = 80


def mismatch_figures(findings: Findings) -> Iterator[Figure]:
    stages = [("before", findings.before), ("after", findings.after)]
    frames = [(stage, a.mismatch) for stage, a in stages if a is not None]
    limit = _limit([f for _, f in frames])
    for stage, frame in frames:
        order = _rating_order(findings)
        if _covers_pairs(frame):
            yield _map_figure(f"mismatch_{stage}", frame, order, limit)
        else:
            for i, ((reference,), part) in enumerate(frame.group_by("reference", maintain_order=True)):
                if i < 12:
                    yield _bars_figure(f"mismatch_{stage}_{i + 1}", part, str(reference))


def _map_figure(key: str, frame: pl.DataFrame, order: list[str], limit: float) -> Figure:
    present = {*frame["policy"], *frame["reference"]}
    names = [p for p in order if p in present][:MAX_MAP]
    shown = set(names)
    tiles = [t for r in frame.to_dicts() if {r["policy"], r["reference"]} <= shown for t in _tiles(r)]
    unique = {(t.row, t.column): t for t in reversed(tiles)}
    cell = 15 if len(names) > 30 else 22 if len(names) > 12 else 40
    drawing = heat_map(
        list(unique.values()),
        names=names,
        cell=cell,
        limit=limit,
        legend="row wins too rarely  ·  P̂ − P against column  ·  too often",
    )
    return Figure(
        key, drawing, None, f"Signed mismatch of {len(names)} policies by {len(names)}, highest rated first."
    )


def _tiles(row: Mapping[str, Any]) -> tuple[Tile, Tile]:
    """A pair fills two cells of opposite sign; the one that was measured comes first."""
    a, b, value = row["policy"], row["reference"], row["mismatch"]
    return Tile(a, b, value, _pair_tip(row)), Tile(b, a, -value, _pair_tip(_turned(row)))


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same pair seen from the other side."""
    flip = {"over-valued": "under-valued", "under-valued": "over-valued"}
    low, high = row["ci_low"], row["ci_high"]
    return {
        **row,
        "policy": row["reference"],
        "reference": row["policy"],
        "win_rate": 1 - row["win_rate"],
        "expected": 1 - row["expected"],
        "mismatch": -row["mismatch"],
        "ci_low": None if high is None else -high,
        "ci_high": None if low is None else -low,
        "verdict": flip.get(row["verdict"], row["verdict"]),
    }


def _pair_tip(row: Mapping[str, Any]) -> str:
    return (
        f"{row['policy']}\nagainst {row['reference']}\n"
        f"P̂ − P {number(row['mismatch'], signed=True)} {interval(row['ci_low'], row['ci_high'], signed=True)}\n"
        f"judge {number(row['win_rate'])}, people {number(row['expected'])}, n = {row['n'] or '–'}: {row['verdict']}"
    )


def _bars_figure(key: str, frame: pl.DataFrame, reference: str) -> Figure:
    rows = [
        Row(
            name=r["policy"],
            value=r["mismatch"],
            low=r["ci_low"],
            high=r["ci_high"],
            role=colour_role(r["mismatch"], r["q_value"]),
            tip=_pair_tip(r),
        )
        for r in frame.sort("mismatch", descending=True).to_dicts()
    ]
    return both(
        key,
        lambda w: interval_rows(ends(rows), width=w, axis="P̂ − P: win rate of the judge less that of people"),
        f"Signed mismatch of {len(rows)} policies against {reference} with 95 % intervals.",
    )


def _covers_pairs(frame: pl.DataFrame) -> bool:
    """True where most pairs were audited, so that a square shows more than bars would."""
    names = {*frame["policy"], *frame["reference"]}
    pairs = {frozenset(p) for p in frame.select("policy", "reference").iter_rows()}
    return len(names) >= 4 and len(pairs) > 0.6 * math.comb(len(names), 2)


def _rating_order(findings: Findings) -> list[str]:
    """Policies by what people think of them, best first; those unrated last, by name."""
    human = findings.before.favouritism
    rating = {} if human is None else dict(human.select("policy", "arena_elo").iter_rows())
    if findings.ratings is not None:
        rating |= dict(findings.ratings.select("policy", "rating").iter_rows())
    names = {*findings.before.mismatch["policy"], *findings.before.mismatch["reference"]}
    return sorted(names, key=lambda p: (-rating.get(p, -math.inf), p))


def _limit(frames: list[pl.DataFrame]) -> float:
    """The largest mismatch, rounded up to a tenth: one scale for before and after."""
    largest = max((float(f["mismatch"].abs().max() or 0.0) for f in frames), default=0.0)  # type: ignore[arg-type]
    return max(0.1, math.ceil(largest * 10 - 1e-9) / 10)
