"""What is known of a model's answers to a benchmark beyond who was preferred: what was cut, and what was said in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

# Positions of an item and of two of its responses.
Asked = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Details:
    """Beyond the preferences.

    Args:
        cut: (item, response) positions that the model read shortened.
        orders: of a judge, per comparison (item, response, other): P(response better) where it was shown first, and where second; NaN
            without a verdict.
        truncated: how many texts (of a judge: questions) were shortened, by subset; an empty mapping where nothing is known.
    """

    cut: frozenset[tuple[int, int]] = frozenset()
    orders: Mapping[Asked, tuple[float, float]] = field(default_factory=lambda: MappingProxyType({}))
    truncated: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
