"""The figures of agreement with people, by name: one table of names, for every place that shows them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Metric:
    """``label`` in words, which way is better, how many digits say something, and the range of the figure."""

    label: str
    better: Literal["higher", "lower"]
    digits: int
    low: float
    high: float


METRICS: dict[str, Metric] = {
    "mean_abs_mismatch": Metric("mean |win rate - expected|", "lower", 3, 0.0, 1.0),
    "sharpness_fitted_mismatch": Metric("the same, sharpness fitted", "lower", 3, 0.0, 1.0),
    "debiased_mismatch": Metric("root mean square of it, less noise", "lower", 3, 0.0, 1.0),
    "spearman": Metric("Spearman correlation", "higher", 3, -1.0, 1.0),
    "kendall": Metric("Kendall correlation", "higher", 3, -1.0, 1.0),
    "mean_abs_favour": Metric("mean |favour|, Elo", "lower", 1, 0.0, float("inf")),
}
