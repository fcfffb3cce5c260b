"""Bootstrap draws of a metric: whole prompts are drawn, and what belongs together is drawn together.

Parts without an item in common are drawn apart, each by itself; parts that share items share every draw. Prompts with the
same text, and items that are linked, are one prompt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ..benchmarks import Item, Metric
from ..statistics import (
    FloatArray,
    PromptWeights,
    draw_prompt_weights,
    percentile_interval,
    weighted_win_rates,
)
from .credits import Credits, combined

Interval = tuple[float, float] | tuple[None, None]


def drawn_metric(
    metric: Metric, parts: Sequence[Credits], items: Sequence[Item], *, draws: int, seed: int
) -> FloatArray:
    """(draws,) bootstrap draws of a metric.

    For a weighted mean each part's credits are drawn as shares in [0, 1], with half a pseudo-prompt at either end, and their
    ranges put in at the end: Σ w (low + span·r) = Σ w·span·r + Σ w·low. Other functions (ratios, correlations) get the
    weighted means of the credits as they are: a pseudo-prompt would have to fit all parts at once.
    """
    if metric.combine is not None:
        values = [part.values for part in parts]
        return combined(metric, _drawn_means(values, parts, items, pseudo=False, draws=draws, seed=seed))
    lows, spans = (np.array([getattr(part, name) for part in parts]) for name in ("low", "span"))
    shares = [part.shares for part in parts]
    rates = _drawn_means(shares, parts, items, pseudo=True, draws=draws, seed=seed)
    return combined(metric, spans * rates) + combined(metric, lows)


def interval_around(value: float, draws: FloatArray) -> Interval:
    """95 % range of the draws, widened to hold the value itself (all right, all wrong); none without draws."""
    if draws.size == 0:
        return None, None
    low, high = percentile_interval(draws)
    return min(float(low), value), max(float(high), value)


def prompt_codes(names: Sequence[str]) -> tuple[NDArray[np.int64], int]:
    """A number per name that is the same for the same name, in order of appearance, and how many there are."""
    seen: dict[str, int] = {}
    codes = [seen.setdefault(name, len(seen)) for name in names]
    return np.array(codes, dtype=np.int64), len(seen)


def prompt_names(part: Credits, items: Sequence[Item]) -> list[str]:
    """Per unit, what it is drawn with: the link, else the prompt."""
    first = [items[unit[0]] for unit in part.units]
    return [f"linked\x1f{item.linked}" if item.linked else item.prompt_key for item in first]


def _drawn_means(
    values: Sequence[FloatArray],
    parts: Sequence[Credits],
    items: Sequence[Item],
    *,
    pseudo: bool,
    draws: int,
    seed: int,
) -> FloatArray:
    """(draws, parts) weighted means of the parts' values."""
    rng = np.random.default_rng(seed)
    means = np.zeros((draws, len(parts)))
    for family in _sharing_items(parts):
        names = [prompt_names(parts[p], items) for p in family]
        codes, size = prompt_codes([name for part in names for name in part])
        drawn = draw_prompt_weights(size, draws=draws, rng=rng)
        if not pseudo:
            drawn = PromptWeights(drawn.weights, np.zeros(draws), np.zeros(draws))
        ends = np.cumsum([len(part) for part in names])[:-1]
        for p, of_units in zip(family, np.split(codes, ends), strict=True):
            by_unit = replace(drawn, weights=drawn.weights[:, of_units])
            means[:, p] = weighted_win_rates(values[p][None, :], by_unit)[:, 0]
    return means


def _sharing_items(parts: Sequence[Credits]) -> list[list[int]]:
    """The parts in families: those that have an item in common, directly or by way of others, are together."""
    families: list[tuple[list[int], set[int]]] = []
    for p, part in enumerate(parts):
        members, items = [p], {i for unit in part.units for i in unit}
        apart = []
        for family in families:
            if family[1] & items:
                members, items = family[0] + members, items | family[1]
            else:
                apart.append(family)
        families = [*apart, (members, items)]
    return sorted(members for members, _ in families)
