"""Mismatch, pair by pair: a map where most pairs were audited, else bars per reference."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from ...mismatch.verdicts import turned
from ..charts import Row, Tile, heat_map, interval_rows
from ..gather import Audited, Findings
from ..words import interval, number
from ._registry import Picture, both, figure
from ._rows import colour_role, ends

_MAX_MAP = 80
_MAX_REFERENCES = 12


@figure("mismatch_before", title="Mismatch, pair by pair", section="mismatch", needs=("before",))
def mismatch_figure(findings: Findings, audited: Audited) -> Iterator[Picture]:
    for picture in _pictures(audited, findings):
        caption = picture.alt if picture.narrow else "Policies from the highest rated to the lowest."
        yield replace(picture, caption=caption)


@figure("mismatch_after", title="Mismatch after calibration", section="change", needs=("after",), order=1)
def mismatch_after_figure(findings: Findings, audited: Audited) -> Iterator[Picture]:
    for picture in _pictures(audited, findings):
        on_a_map = "After calibration: the same scale as before."
        yield replace(picture, caption=f"After calibration. {picture.alt}" if picture.narrow else on_a_map)


def _pictures(audited: Audited, findings: Findings) -> Iterator[Picture]:
    """One map, or bars for each of the first references; captions are the caller's."""
    frame = audited.mismatch
    if _covers_pairs(frame):
        yield _map(frame, _rating_order(findings), _limit(findings))
        return
    parts = frame.group_by("reference", maintain_order=True)
    for i, ((reference,), part) in zip(range(1, _MAX_REFERENCES + 1), parts, strict=False):
        yield _bars(part, str(reference), part=i)


def _map(frame: pl.DataFrame, order: list[str], limit: float) -> Picture:
    present = {*frame["policy"], *frame["reference"]}
    names = [p for p in order if p in present][:_MAX_MAP]
    shown = set(names)
    tiles = [t for r in frame.to_dicts() if {r["policy"], r["reference"]} <= shown for t in _tiles(r)]
    unique = {(t.row, t.column): t for t in reversed(tiles)}
    drawing = heat_map(
        list(unique.values()),
        names=names,
        cell=15 if len(names) > 30 else 22 if len(names) > 12 else 40,
        limit=limit,
        legend="row wins too rarely  ·  P̂ − P against column  ·  too often",
    )
    text = f"Signed mismatch of {len(names)} policies by {len(names)}, highest rated first."
    return Picture(drawing, None, alt=text, caption="")


def _tiles(row: Mapping[str, Any]) -> tuple[Tile, Tile]:
    """A pair fills two cells of opposite sign; the one that was measured comes first."""
    a, b, value = row["policy"], row["reference"], row["mismatch"]
    return Tile(a, b, value, _pair_tip(row)), Tile(b, a, -value, _pair_tip(_turned(row)))


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """The same pair seen from the other side."""
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
        "verdict": turned(row["verdict"]),
    }


def _pair_tip(row: Mapping[str, Any]) -> str:
    return (
        f"{row['policy']}\nagainst {row['reference']}\n"
        f"P̂ − P {number(row['mismatch'], signed=True)} {interval(row['ci_low'], row['ci_high'], signed=True)}\n"
        f"judge {number(row['win_rate'])}, people {number(row['expected'])}, n = {row['n'] or '–'}: {row['verdict']}"
    )


def _bars(frame: pl.DataFrame, reference: str, *, part: int) -> Picture:
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
        lambda w: interval_rows(ends(rows), width=w, axis="P̂ − P: win rate of the judge less that of people"),
        alt=f"Signed mismatch of {len(rows)} policies against {reference} with 95 % intervals.",
        caption="",
        part=part,
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


def _limit(findings: Findings) -> float:
    """The largest mismatch, rounded up to a tenth: one scale for before and after."""
    frames = [a.mismatch for a in (findings.before, findings.after) if a is not None]
    largest = max((float(f["mismatch"].abs().max() or 0.0) for f in frames), default=0.0)  # type: ignore[arg-type]
    return max(0.1, math.ceil(largest * 10 - 1e-9) / 10)
