"""From scored items to the parts of a metric: each item's credit, and the means that they make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..benchmarks import Item, Metric, Part, ScoredItem
from ..errors import NotIdentifiable
from ..statistics import FloatArray

# Positions of the items that one credit is about: one, or several that are linked.
Unit = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Credits:
    """The credits of one part: ``values`` (units,), NaN where an item has nothing to tell; each in [low, high]."""

    part: Part
    units: tuple[Unit, ...]
    values: FloatArray
    low: float
    high: float

    @property
    def span(self) -> float:
        """How far apart the least and the most credit are."""
        return self.high - self.low

    @property
    def told(self) -> tuple[Unit, ...]:
        """The units with a credit."""
        return tuple(unit for unit, value in zip(self.units, self.values, strict=True) if not np.isnan(value))

    @property
    def mean(self) -> float:
        """(1/n) Σ credit over the units that have one."""
        return float(self.values[~np.isnan(self.values)].mean())

    @property
    def shares(self) -> FloatArray:
        """(credit - low) / (high - low), in [0, 1]."""
        shares: FloatArray = (self.values - self.low) / self.span
        return shares

    def minus(self, other: Credits) -> Credits:
        """The differences, unit by unit; they lie in [-span, span]."""
        return Credits(self.part, self.units, self.values - other.values, -self.span, self.span)


def credits_of(metric: Metric, scored: Sequence[ScoredItem]) -> list[Credits]:
    """The credits of each part of a metric.

    Raises:
        NotIdentifiable: no item of a part has anything to tell by its rule.
    """
    return [_credits(metric, part, scored) for part in metric.parts]


def combined(metric: Metric, values: FloatArray) -> FloatArray:
    """The metric (...) of its parts' values (..., parts): Σ w v / Σ w, unless it says otherwise."""
    if metric.combine is not None:
        return np.asarray(metric.combine(values), dtype=np.float64)
    weights = np.array([part.weight for part in metric.parts])
    if metric.total is None and np.ptp(weights) == 0:
        return np.asarray(values.mean(axis=-1))
    return np.asarray(values @ weights / (weights.sum() if metric.total is None else metric.total))


def pairs_read(parts: Sequence[Credits], items: Sequence[Item]) -> set[tuple[int, int, int]]:
    """The comparisons behind some credits, each once: position of the item, and of its two responses."""
    return {
        (i, *pair)
        for part in parts
        for unit in part.told
        for i in unit
        for pair in part.part.rule.pairs(items[i])
    }


def _credits(metric: Metric, part: Part, scored: Sequence[ScoredItem]) -> Credits:
    units = _units(part, [s.item for s in scored])
    values = np.array([part.rule(*(scored[i] for i in unit)) for unit in units], dtype=np.float64)
    if np.isnan(values).all():
        raise NotIdentifiable(
            f"metric {metric.subset}/{metric.name}: no item of {', '.join(part.subsets)} has anything to compare",
            fix="look at the items' grades, and at the metric's rule",
        )
    return Credits(part, units, values, part.rule.low, part.rule.high)


def _units(part: Part, items: Sequence[Item]) -> tuple[Unit, ...]:
    """The part's items one by one, or by their link for a joint rule."""
    positions = [i for i, item in enumerate(items) if item.subset in part.subsets]
    if not part.rule.joint:
        return tuple((i,) for i in positions)
    families: dict[str, list[int]] = {}
    for i in positions:
        families.setdefault(items[i].linked, []).append(i)
    return tuple(tuple(family) for family in families.values())
