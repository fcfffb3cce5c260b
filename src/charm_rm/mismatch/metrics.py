"""The figures of agreement with people, by name: one table of names and labels, for every place that shows them.

Commands, the report, model cards and the pipeline's tables take their words from here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal


@dataclass(frozen=True)
class Metric:
    """``label`` in words, which way is better, how many digits say something, the range of the figure, and its ``meaning``."""

    label: str
    better: Literal["higher", "lower"]
    digits: int
    low: float
    high: float
    meaning: str

    def shown(self, value: float | None, low: float | None = None, high: float | None = None) -> str:
        """The figure with its interval: ``0.031 [0.028, 0.035]``."""
        if value is None:
            return "-"
        digits = self.digits
        ends = "" if low is None or high is None else f" [{low:.{digits}f}, {high:.{digits}f}]"
        return f"{value:.{digits}f}{ends}"


# In the order in which they are read: what sharpness and noise leave comes before the raw figure.
METRICS: dict[str, Metric] = {
    "sharpness_fitted_mismatch": Metric(
        *("mean |P̂ - P|, sharpness fitted", "lower", 3, 0.0, 1.0),
        meaning="after one exponent on the odds of P̂, fitted on these policies",
    ),
    "debiased_mismatch": Metric(
        *("root mean square P̂ - P, debiased", "lower", 3, 0.0, 1.0),
        meaning="less what chance alone leaves; sharpness counts",
    ),
    "mean_abs_mismatch": Metric(
        *("mean |P̂ - P|, raw", "lower", 3, 0.0, 1.0),
        meaning="often mostly sharpness; noise in scores lowers it",
    ),
    "spearman": Metric(
        *("Spearman correlation with ratings", "higher", 3, -1.0, 1.0),
        meaning="of the ranking of policies with people's",
    ),
    "kendall": Metric(
        *("Kendall correlation with ratings", "higher", 3, -1.0, 1.0),
        meaning="the same, by pairs put in order",
    ),
    "mean_abs_favour": Metric(
        *("mean |favour|, Elo", "lower", 1, 0.0, float("inf")),
        meaning="free of sharpness and of any one reference",
    ),
}

WHAT_P_IS = "P̂: win rate by the model; P: the win rate that people's ratings imply"
WHAT_P_TESTS = (
    "p: that both models score alike, by exchanging them within prompts; a figure is called better or worse only where its "
    "interval agrees"
)
BETTER_NEEDS = (
    "Better is yes or no, where a change is tested, only if its interval leaves out 0 and p <= 0.05 (p: that both models score "
    "alike, by exchanging them within prompts); else unclear"
)
PLACEBO = "placebo: noise added"
WHAT_PLACEBO_IS = (
    "Placebo: the first model's scores with random noise of one within-prompt standard deviation added, nothing learned. "
    "Noise can lower the raw and the debiased figure, which both count sharpness, and at times all of them: an effect is worth "
    "what it shows beyond the placebo."
)


def in_order(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Rows with a ``metric``, as they are read; unknown ones are left out."""
    found = {row["metric"]: row for row in rows}
    return [found[name] for name in METRICS if name in found]


def comparing(
    before: Iterable[Mapping[str, Any]], after: Iterable[Mapping[str, Any]] | None
) -> list[dict[str, Any]]:
    """Two audits' figures as rows with ``baseline_value``, ``value`` and ``floor``; ``value`` is None where there is no after."""
    later = {row["metric"]: row for row in after or ()}
    return [
        {"metric": row["metric"], "n": row["n"], "baseline_value": row["value"]}
        | {"value": later.get(row["metric"], {}).get("value"), "floor": row.get("floor")}
        for row in in_order(before)
    ]


def say_figure(row: Mapping[str, Any]) -> str:
    """``mean |P̂ - P|, raw: 0.163 [0.160, 0.167], noise floor 0.011``."""
    metric = METRICS[row["metric"]]
    floor = row.get("floor")
    told = "" if floor is None else f", noise floor {metric.shown(floor)}"
    return f"{metric.label}: {metric.shown(row['value'], row.get('ci_low'), row.get('ci_high'))}{told}"


def say_figures(rows: Iterable[Mapping[str, Any]]) -> str:
    """The same in one line, without intervals."""
    return "; ".join(say_figure({**row, "ci_low": None, "ci_high": None}) for row in in_order(rows))
