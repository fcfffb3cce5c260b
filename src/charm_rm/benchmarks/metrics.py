"""What is reported of a benchmark: means of credits over parts of it, and how they are put together.

A :class:`Part` is a mean over the items of some subsets, by one rule. A :class:`Metric` is the weighted mean of its parts, or any
other function of them. Averages of averages (sections of subsets) are weights: a subset's weight in the whole is its
weight in the section times the section's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ..errors import SchemaError
from ..statistics import FloatArray
from .rules import Rule, share_of_pairs

# From the parts' values (..., parts) to the metric's (...).
_Combine = Callable[[FloatArray], FloatArray]


@dataclass(frozen=True)
class Part:
    """The mean credit of the items of ``subsets``, pooled; its ``weight`` is relative to the metric's other parts."""

    subsets: tuple[str, ...]
    rule: Rule = share_of_pairs
    weight: float = 1.0


@dataclass(frozen=True)
class Metric:
    """A figure of a benchmark.

    Args:
        subset: what it is called in the table: one of the benchmark's subsets, a family of them, or ``all``.
        name: ``accuracy``, ``hard``, ...
        parts: what it is made of.
        partial: some of the subsets that officially belong in are not there.
        total: what the weighted sum of the parts is divided by; None: the sum of the weights, for a mean.
        combine: how the parts' values (..., parts) become the metric, in place of that. There is no test of single prompts
            against a baseline then, as a prompt has no share of its own in the figure.
    """

    subset: str
    name: str
    parts: tuple[Part, ...]
    partial: bool = False
    total: float | None = None
    combine: _Combine | None = None

    def __post_init__(self) -> None:
        if not self.parts or not all(part.subsets for part in self.parts):
            raise SchemaError(
                f"metric {self.subset}/{self.name} is made of nothing",
                fix="give it parts, each with subsets",
            )
        if any(part.weight <= 0 for part in self.parts):
            raise SchemaError(
                f"metric {self.subset}/{self.name}: a part's weight is not above 0", fix="leave the part out"
            )

    @property
    def groups(self) -> tuple[tuple[str, ...], ...]:
        """The subsets of each part."""
        return tuple(part.subsets for part in self.parts)


def mean_of_subsets(
    subset: str,
    name: str,
    groups: Sequence[Sequence[str]],
    rule: Rule = share_of_pairs,
    *,
    partial: bool = False,
) -> Metric:
    """The mean over ``groups`` of the mean over their items: items of a group are pooled, groups weigh the same."""
    return Metric(subset, name, tuple(Part(tuple(group), rule) for group in groups), partial)
