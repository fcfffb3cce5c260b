"""How much better, and is it real: the figures of an evaluation before and after, as rows for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..estimates import SIGNIFICANT
from ..mismatch import METRICS, Metric
from ..mismatch.metrics import comparing, in_order
from .gather import Audited, Findings, has_baseline
from .words import chance, interval, number


@dataclass(frozen=True)
class EffectRow:
    """One figure as shown. ``reading`` says whether the change is more than chance would give."""

    name: str
    meaning: str
    n: str
    before: str
    after: str
    placebo: str
    floor: str
    change: str
    p_value: str
    reading: str


def effect_rows(findings: Findings) -> list[EffectRow]:
    """The figures that an evaluation compares with its baseline; none where it compares nothing."""
    return [_row(METRICS[row["metric"]], row) for row in in_order(_compared(findings))]


def agreement_rows(findings: Findings) -> list[tuple[str, ...]]:
    """Label, meaning, value with interval, floor: every figure of the first audit, where it is compared with none."""
    if _compared(findings):
        return []
    shown: list[tuple[str, ...]] = []
    for row in in_order(_of_audit(findings.before)):
        metric = METRICS[row["metric"]]
        ends = interval(row.get("ci_low"), row.get("ci_high"), metric.digits)
        value = f"{number(row['value'], metric.digits)} {ends}".rstrip()
        shown.append((metric.label, metric.meaning, value, number(row.get("floor"), metric.digits)))
    return shown


def headline_figures(findings: Findings) -> dict[str, Mapping[str, Any]]:
    """By metric: n, baseline_value (before), value (after, or None), floor, and interval where there is one.

    As an evaluation compares them, or else as the audits have them.
    """
    if rows := _compared(findings):
        return {row["metric"]: row for row in rows}
    before, after = (_of_audit(a) for a in (findings.before, findings.after))
    return {row["metric"]: row for row in comparing(before, after)}


def offset_effect(findings: Findings) -> list[tuple[str, ...]]:
    """Label, before, after in-sample, after cross-fitted, floor: what the offsets make of the agreement with people."""
    names = ("before", "in_sample", "cross_fitted", "floor")
    rows = in_order(findings.offset_settings.get("effect") or [])
    return [(METRICS[r["metric"]].label, *(_plain(r, name) for name in names)) for r in rows]


def _plain(row: Mapping[str, Any], name: str) -> str:
    return number(row.get(name), METRICS[row["metric"]].digits)


def _compared(findings: Findings) -> list[Mapping[str, Any]]:
    frame = findings.alignment
    if frame is None or "metric" not in frame.columns or not has_baseline(frame):
        return []
    return [r for r in frame.to_dicts() if r["difference"] is not None and r["metric"] in METRICS]


def _of_audit(audited: Audited | None) -> list[Mapping[str, Any]]:
    found = (audited.details.get("summary") or {}).get("effect") if audited else None
    return found if isinstance(found, list) else []


def _row(metric: Metric, row: Mapping[str, Any]) -> EffectRow:
    digits = metric.digits

    def shown(value: str, low: str, high: str, *, signed: bool = False) -> str:
        ends = interval(row.get(low), row.get(high), digits, signed=signed)
        return f"{number(row[value], digits, signed=signed)} {ends}".rstrip()

    return EffectRow(
        name=metric.label,
        meaning=metric.meaning,
        n=number(row.get("n"), 0),
        before=number(row["baseline_value"], digits),
        after=shown("value", "ci_low", "ci_high"),
        placebo=number(row.get("placebo_value"), digits),
        floor=number(row.get("floor"), digits),
        change=shown("difference", "diff_ci_low", "diff_ci_high", signed=True),
        p_value=chance(row.get("p_value")),
        reading=reading(metric, row),
    )


def reading(metric: Metric, row: Mapping[str, Any]) -> str:
    """Better or worse where interval and test both leave out no change; the weaker of the two is believed."""
    low, high, p = row.get("diff_ci_low"), row.get("diff_ci_high"), row.get("p_value")
    if low is None or high is None:
        return "no interval"
    if low <= 0 <= high or (p is not None and p > SIGNIFICANT):
        return "within chance"
    return "better" if (low > 0) == (metric.better == "higher") else "worse"
