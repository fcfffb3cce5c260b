"""The report's figures: findings in, drawings out, at a desktop's and at a phone's width."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

import polars as pl

from .charts import Line, Point, Row, Tile, heat_map, interval_rows, scatter, stacked_rows
from .gather import Audited, Findings
from .svg import Drawing
from .words import elo, interval, number

WIDE, NARROW = 820, 360
MAX_ROWS, MAX_MAP = 80, 80
LEDGER_PARTS = ("kept", "flipped", "tied", "dropped")


@dataclass(frozen=True)
class Figure:
    """A figure for the page: its drawings by width, what it shows, and how to read it."""

    key: str
    wide: Drawing
    narrow: Drawing | None
    alt: str


def draw_figures(findings: Findings) -> dict[str, Figure]:
    """Every figure that the findings allow, by key."""
    return {f.key: f for f in chain.from_iterable(maker(findings) for maker in _MAKERS)}


# --- policies -----------------------------------------------------------------------------------


def _ratings_figure(findings: Findings) -> Iterator[Figure]:
    last = findings.before
    if last.favouritism is None:
        return
    human = _human_intervals(findings.ratings)
    slope = last.sharpness["value"] if last.sharpness else 1.0
    points = [_rating_point(i, r, human.get(r["policy"], {}), slope) for i, r in _ranked(last.favouritism)]
    lines = _sharpness_lines(points, last)

    def at(width: int) -> Drawing:
        return scatter(
            points,
            lines=lines,
            width=width,
            height=480 if width > 500 else 380,
            x="Arena Elo: what people think",
            y="RM Elo: what the judge thinks",
            labels=len(points) if len(points) <= 8 else 12 if width > 500 else 5,
        )

    yield _both("ratings", at, f"Scatter of {len(points)} policies: the judge's Elo against people's Elo.")


def _rating_point(rank: int, row: Mapping[str, Any], human: Mapping[str, Any], slope: float) -> Point:
    middle = row["rm_elo"] - slope * row["favour"]
    tip = (
        f"{row['policy']}\nArena Elo {number(row['arena_elo'], 0)} "
        f"{interval(human.get('ci_low'), human.get('ci_high'), 0)}\nRM Elo {number(row['rm_elo'], 0)}\n{_favour(row)}"
    )
    return Point(
        name=row["policy"],
        x=row["arena_elo"],
        y=row["rm_elo"],
        tip=tip,
        x_low=human.get("ci_low"),
        x_high=human.get("ci_high"),
        y_low=middle + slope * row["ci_low"],
        y_high=middle + slope * row["ci_high"],
        role=_role(row["favour"], row["q_value"]),
        rank=rank,
    )


def _sharpness_lines(points: list[Point], audited: Audited) -> list[Line]:
    """RM Elo = c + a * (Arena Elo), and the same with a = 1 through the middle of the points."""
    frame = audited.favouritism
    if frame is None or audited.sharpness is None:
        return []
    slope = audited.sharpness["value"]
    residual = pl.col("rm_elo") - slope * (pl.col("arena_elo") + pl.col("favour"))
    constant = float(frame.select(residual.median()).item())
    xs = (min(p.x for p in points), max(p.x for p in points))
    middle = sum(p.x for p in points) / len(points)
    height = constant + slope * middle
    return [
        Line(xs, (height + xs[0] - middle, height + xs[1] - middle), dashed=True),
        Line(xs, (constant + slope * xs[0], constant + slope * xs[1])),
    ]


def _favour_figure(findings: Findings) -> Iterator[Figure]:
    frame = findings.before.favouritism
    if frame is None:
        return
    after = _by_policy(findings.after.favouritism if findings.after else None)
    rows = [_favour_row(r, None) for _, r in _ranked(frame.sort("favour", descending=True))]
    shown = _ends(rows)
    yield _both(
        "favour",
        lambda w: interval_rows(shown, width=w, axis="favour, Elo points"),
        f"Favour shown to {len(shown)} policies in Elo points with 95 % intervals, most favoured first.",
    )
    moved = [
        _favour_row(after[r["policy"]], r)
        for r in frame.sort("favour", descending=True).to_dicts()
        if r["policy"] in after
    ]
    if moved:
        yield _both(
            "favour_after",
            lambda w: interval_rows(_ends(moved), width=w, axis="favour, Elo points"),
            f"Favour of {len(moved)} policies before and after calibration, in Elo points.",
        )


def _favour_row(row: Mapping[str, Any], before: Mapping[str, Any] | None) -> Row:
    then = f"before: {_favour(before)}\nafter: " if before else ""
    return Row(
        name=row["policy"],
        value=row["favour"],
        low=row["ci_low"],
        high=row["ci_high"],
        role=_role(row["favour"], row["q_value"]),
        start=before["favour"] if before else None,
        tip=f"{row['policy']}\n{then}{_favour(row)}, q = {number(row['q_value'])}",
    )


def _favour(row: Mapping[str, Any]) -> str:
    return f"favour {elo(row['favour'])} Elo {interval(row['ci_low'], row['ci_high'], 0, signed=True)}"


# --- pairs --------------------------------------------------------------------------------------


def _mismatch_figures(findings: Findings) -> Iterator[Figure]:
    stages = [("before", findings.before), ("after", findings.after)]
    frames = [(stage, a.mismatch) for stage, a in stages if a is not None]
    limit = _limit([f for _, f in frames])
    for stage, frame in frames:
        order = rating_order(findings)
        if covers_pairs(frame):
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
            role=_role(r["mismatch"], r["q_value"]),
            tip=_pair_tip(r),
        )
        for r in frame.sort("mismatch", descending=True).to_dicts()
    ]
    return _both(
        key,
        lambda w: interval_rows(
            _ends(rows), width=w, axis="P̂ − P: win rate of the judge less that of people"
        ),
        f"Signed mismatch of {len(rows)} policies against {reference} with 95 % intervals.",
    )


def covers_pairs(frame: pl.DataFrame) -> bool:
    """True where most pairs were audited, so that a square shows more than bars would."""
    names = {*frame["policy"], *frame["reference"]}
    pairs = {frozenset(p) for p in frame.select("policy", "reference").iter_rows()}
    return len(names) >= 4 and len(pairs) > 0.6 * math.comb(len(names), 2)


def rating_order(findings: Findings) -> list[str]:
    """Policies by what people think of them, best first; those unrated last, by name."""
    human = findings.before.favouritism
    rating = {} if human is None else dict(human.select("policy", "arena_elo").iter_rows())
    if findings.ratings is not None:
        rating |= dict(findings.ratings.select("policy", "rating").iter_rows())
    names = {*findings.before.mismatch["policy"], *findings.before.mismatch["reference"]}
    return sorted(names, key=lambda p: (-rating.get(p, -math.inf), p))


# --- calibration and evaluation -----------------------------------------------------------------


def _offset_figure(findings: Findings) -> Iterator[Figure]:
    if findings.offsets is None:
        return
    rows = [
        Row(
            name=r["policy"],
            value=r["delta"],
            low=r["ci_low"],
            high=r["ci_high"],
            role="accent",
            tip=f"{r['policy']}\nΔ {number(r['delta'], 4, signed=True)} {interval(r['ci_low'], r['ci_high'], 4, signed=True)}"
            f"\ntarget {number(r['target'], 4)}, attained {number(r['attained'], 4)}",
        )
        for r in findings.offsets.filter(~pl.col("is_reference")).sort("delta").to_dicts()
    ]
    if rows:
        yield _both(
            "offsets",
            lambda w: interval_rows(_ends(rows), width=w, axis="offset Δ, score units"),
            f"Score offsets of {len(rows)} policies with 95 % intervals.",
        )


def _ledger_figure(findings: Findings) -> Iterator[Figure]:
    if findings.ledger is None or findings.ledger.is_empty():
        return
    rows = [
        (
            f"{r['policy']} · {r['reference']}",
            {p: int(r.get(p) or 0) for p in LEDGER_PARTS},
            f"{r['policy']}\nagainst {r['reference']}\n"
            + ", ".join(f"{p} {int(r.get(p) or 0):,}" for p in LEDGER_PARTS),
        )
        for r in findings.ledger.sort("flipped", descending=True).head(20).to_dicts()
    ]
    yield _both(
        "ledger",
        lambda w: stacked_rows(rows, parts=LEDGER_PARTS, width=w, axis="preference pairs"),
        f"Labels kept, flipped, tied and dropped for {len(rows)} policy pairs.",
    )


def _benchmark_figure(findings: Findings) -> Iterator[Figure]:
    frame = findings.benchmarks
    if frame is None or not {"benchmark", "subset", "metric", "accuracy", "ci_low", "ci_high"} <= set(
        frame.columns
    ):
        return
    rows = [_benchmark_row(r) for r in frame.to_dicts()]
    yield _both(
        "benchmarks",
        lambda w: interval_rows(rows, width=w, axis="accuracy", zero=0.5),
        f"Accuracy on {len(rows)} benchmark metrics with 95 % intervals.",
    )


def _benchmark_row(row: Mapping[str, Any]) -> Row:
    name = " · ".join(dict.fromkeys([row["benchmark"], row["subset"], row["metric"]]))
    tip = f"{name}\naccuracy {number(row['accuracy'])} {interval(row['ci_low'], row['ci_high'])}, n = {row.get('n')}"
    if row.get("baseline_accuracy") is not None:
        tip += (
            f"\nbaseline {number(row['baseline_accuracy'])}, difference {number(row['difference'], signed=True)} "
            f"{interval(row['diff_ci_low'], row['diff_ci_high'], signed=True)}\nMcNemar p = {number(row['p_value'], 4)}"
        )
    return Row(
        name=name,
        value=row["accuracy"],
        low=row["ci_low"],
        high=row["ci_high"],
        start=row.get("baseline_accuracy"),
        role="accent",
        tip=tip,
    )


# --- helpers ------------------------------------------------------------------------------------


def _both(key: str, at: Callable[[int], Drawing], text: str) -> Figure:
    return Figure(key, at(WIDE), at(NARROW), text)


def _ranked(frame: pl.DataFrame) -> Iterator[tuple[int, dict[str, Any]]]:
    """Rows with their rank by size of favour."""
    rank = frame["favour"].abs().rank("ordinal", descending=True).to_list()
    return zip(rank, frame.to_dicts(), strict=True)


def _by_policy(frame: pl.DataFrame | None) -> dict[str, dict[str, Any]]:
    return {} if frame is None else {r["policy"]: r for r in frame.to_dicts()}


def _human_intervals(ratings: pl.DataFrame | None) -> dict[str, dict[str, Any]]:
    return _by_policy(ratings)


def _role(value: float, q_value: float | None) -> str:
    """Colour of a finding: only what survives the false discovery rate is coloured."""
    if q_value is None or q_value >= 0.05:
        return "even"
    return "over" if value > 0 else "under"


def _ends(rows: list[Row]) -> list[Row]:
    """All rows, or both ends where they are too many to draw."""
    return rows if len(rows) <= MAX_ROWS else rows[: MAX_ROWS // 2] + rows[-MAX_ROWS // 2 :]


def _limit(frames: list[pl.DataFrame]) -> float:
    """The largest mismatch, rounded up to a tenth: one scale for before and after."""
    largest = max((float(f["mismatch"].abs().max() or 0.0) for f in frames), default=0.0)  # type: ignore[arg-type]
    return max(0.1, math.ceil(largest * 10 - 1e-9) / 10)


_MAKERS = (
    _ratings_figure,
    _favour_figure,
    _mismatch_figures,
    _offset_figure,
    _ledger_figure,
    _benchmark_figure,
)
