"""How much better, and is it real: the figures of an evaluation before and after, as rows for the page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..estimates import SIGNIFICANT
from .gather import Findings, has_baseline
from .words import interval, number


@dataclass(frozen=True)
class _About:
    """A figure in words, whether more of it is better, and how many digits it has."""

    name: str
    meaning: str
    more_is_better: bool = False
    digits: int = 3


_FIGURES = {
    "mean_abs_mismatch": _About("Mean |P̂ − P|", "raw: mostly sharpness, and noise in scores lowers it"),
    "sharpness_fitted_mismatch": _About(
        "Mean |P̂ − P|, sharpness fitted", "with one exponent on the odds of P̂"
    ),
    "debiased_mismatch": _About("Root mean square of P̂ − P, debiased", "less what chance alone would leave"),
    "spearman": _About("Spearman correlation", "of the judge’s ranking with people’s", more_is_better=True),
    "kendall": _About("Kendall correlation", "the same by pairs put in order", more_is_better=True),
    "mean_abs_favour": _About("Mean |favour|, Elo", "free of sharpness and of any one reference", digits=0),
}


@dataclass(frozen=True)
class EffectRow:
    """One figure as shown. ``reading`` says whether the change is more than chance would give."""

    name: str
    meaning: str
    n: str
    before: str
    after: str
    floor: str
    change: str
    p_value: str
    reading: str


def effect_rows(findings: Findings) -> list[EffectRow]:
    """The figures that an evaluation compares with its baseline; none where it compares nothing."""
    frame = findings.alignment
    if frame is None or "metric" not in frame.columns or not has_baseline(frame):
        return []
    rows = {r["metric"]: r for r in frame.to_dicts() if r["difference"] is not None}
    return [_row(about, rows[metric]) for metric, about in _FIGURES.items() if metric in rows]


def _row(about: _About, row: Mapping[str, Any]) -> EffectRow:
    digits = about.digits

    def shown(value: str, low: str, high: str, *, signed: bool = False) -> str:
        ends = interval(row.get(low), row.get(high), digits, signed=signed)
        return f"{number(row[value], digits, signed=signed)} {ends}".rstrip()

    return EffectRow(
        name=about.name,
        meaning=about.meaning,
        n=number(row.get("n"), 0),
        before=number(row["baseline_value"], digits),
        after=shown("value", "ci_low", "ci_high"),
        floor=number(row.get("floor"), digits),
        change=shown("difference", "diff_ci_low", "diff_ci_high", signed=True),
        p_value=number(row.get("p_value"), 4),
        reading=_reading(about, row),
    )


def _reading(about: _About, row: Mapping[str, Any]) -> str:
    """Better or worse where interval and test both leave out no change; the weaker of the two is believed."""
    low, high, p = row.get("diff_ci_low"), row.get("diff_ci_high"), row.get("p_value")
    if low is None or high is None:
        return "no interval"
    if low <= 0 <= high or (p is not None and p > SIGNIFICANT):
        return "within chance"
    return "better" if (low > 0) == about.more_is_better else "worse"
